"""The forms of masks that mean one thing or another, or nothing: refused, or read as they were meant."""

from io import BytesIO

import numpy as np
from PIL import Image

from tests.encoding import encoded, png_of, tiff_of
from tests.stress.mask_forms import EITHER, FORMS, READ, REFUSE, Made, Rng, form, grey, shape, two, written


@form
def alpha_that_disagrees(rng: Rng, marked: np.ndarray) -> Made:
    other = np.roll(marked, 1 + rng.integers(marked.shape[1] - 1), axis=1)
    suffix, content, _ = written(rng, np.dstack([two(rng, marked)] * 3 + [other * np.uint8(255)]), (".png",))
    return suffix, content, READ if np.array_equal(other, marked) else REFUSE


@form
def palette_that_disagrees(rng: Rng, marked: np.ndarray) -> Made:
    """The defect is index 0 and coloured, or it is black and the ground coloured."""
    image = Image.fromarray((marked if rng.random() < 0.5 else ~marked).astype(np.uint8), "P")
    image.putpalette([*rng.integers(1, 256, 3), 0, 0, 0])
    return ".png", encoded(image, "png"), EITHER


@form
def dark_jpeg(rng: Rng, marked: np.ndarray) -> Made:
    """One grey level that half of white does not find."""
    for level in range(int(rng.integers(1, 80)), 100):
        content = encoded(Image.fromarray(marked * np.uint8(level)), "jpeg", quality=95)
        if np.asarray(Image.open(BytesIO(content))).any():
            break
    return ".jpg", content, EITHER


@form
def inverted(rng: Rng, marked: np.ndarray) -> Made:
    """White where all is well; a line or a box inside, so that most of the frame is white."""
    height, width = marked.shape
    inside = np.zeros_like(marked)
    inside[2 : height // 2, 2 : width // 2] = True
    suffix, content, _ = written(rng, two(rng, ~inside if rng.random() < 0.9 else np.ones_like(marked)))
    return suffix, content, REFUSE


@form
def inverted_alpha(rng: Rng, marked: np.ndarray) -> Made:
    inside = np.zeros_like(marked)
    inside[2:4, 2:4] = True
    white = np.full((*marked.shape, 3), 255, np.uint8)
    return ".png", encoded(Image.fromarray(np.dstack([white, ~inside * np.uint8(255)])), "png"), REFUSE


@form
def palette_with_opacity(rng: Rng, marked: np.ndarray) -> Made:
    image = Image.fromarray(marked.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *rng.integers(0, 256, 3)])
    return ".png", encoded(image, "png", transparency=[bytes([0, 255]), bytes([255, 0]), 0, 1][rng.integers(4)]), EITHER


@form
def deep_colour(rng: Rng, marked: np.ndarray) -> Made:
    """16 bits a channel, of which Pillow keeps eight."""
    return ".png", png_of(np.dstack([marked * rng.integers(1, 2**16)] * int(rng.choice([2, 3, 4]))), 16), EITHER


@form
def turned(rng: Rng, marked: np.ndarray) -> Made:
    """With a tag that turns it, which no image's is turned by."""
    tags = Image.Exif()
    tags[274] = int(rng.integers(1, 9))
    return ".png", encoded(Image.fromarray(two(rng, marked)), "png", exif=tags), EITHER


@form
def inks(rng: Rng, marked: np.ndarray) -> Made:
    return ".tif", encoded(Image.fromarray(marked * np.uint8(255)).convert("RGB").convert("CMYK"), "tiff"), EITHER


@form
def soft(rng: Rng, marked: np.ndarray) -> Made:
    """Drawn smoothly: at its edges neither of the two rules that people use is the other."""
    height, width = marked.shape
    blurred = Image.fromarray(marked * np.uint8(255)).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
    values = np.asarray(blurred.resize((width, height), Image.Resampling.BOX))
    differ = ((values > 0) != (values >= values.max() / 2)).any()
    suffix, content, _ = written(rng, values)
    return suffix, content, REFUSE if differ and values.max() > 32 else EITHER


@form
def any_levels(rng: Rng, marked: np.ndarray) -> Made:
    """Grey levels whose meaning nobody told."""
    several = marked * rng.choice(rng.integers(1, 256, 3), marked.shape)
    suffix, content, _ = written(rng, several.astype(np.uint8))
    return suffix, content, EITHER


@form
def impossible(rng: Rng, marked: np.ndarray) -> Made:
    """Not a number, infinite, below 0."""
    values = marked.astype(np.float32)
    values[tuple(rng.integers(values.shape))] = rng.choice([np.nan, np.inf, -np.inf, -1])
    return ".tif", tiff_of(values), REFUSE


@form
def two_frames(rng: Rng, marked: np.ndarray) -> Made:
    other = Image.fromarray(shape(rng, *marked.shape[::-1]) * np.uint8(255))
    return (
        ".tif",
        encoded(Image.fromarray(marked * np.uint8(255)), "tiff", save_all=True, append_images=[other]),
        REFUSE,
    )


@form
def numbers_in_an_array(rng: Rng, marked: np.ndarray) -> Made:
    stream = BytesIO()
    np.save(stream, marked * [True, np.uint8(255), 0.5, np.int64(1)][rng.integers(4)])
    return ".npy", stream.getvalue(), EITHER


@form
def damaged(rng: Rng, marked: np.ndarray) -> Made:
    """Cut, or with a bit flipped where the format has a checksum."""
    suffix, content, _ = grey(rng, marked)
    if suffix == ".png" and rng.random() < 0.5:
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
        return suffix, bytes(flipped), EITHER
    return suffix, content[: rng.integers(len(content))], EITHER


ALL = FORMS  # those of which the meaning is certain, too
