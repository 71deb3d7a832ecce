"""Images of every mode and depth: read pixel for pixel as 8 bits hold them, or refused by name."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from devnetlib.data.images import load_crops
from tests.encoding import bmp_of, encoded, png_of, tiff_of
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered

READ, REFUSE, EITHER = "must be read", "must be refused", "either"
# Suffix, content, what is right (H,W) or (H,W,3), what must become of it, and by how many levels a pixel may be off.
Made = tuple[str, bytes, np.ndarray, str, float]
Rng = np.random.Generator
FORMS: dict[str, Callable[[Rng, np.ndarray], Made]] = {}
LOSSLESS = {".png": "png", ".bmp": "bmp", ".tif": "tiff", ".TIFF": "tiff", ".pnm": "ppm"}


def form(function: Callable[[Rng, np.ndarray], Made]) -> Callable[[Rng, np.ndarray], Made]:
    """Enter a way of writing images under its name; it is given noise, uint8 (S,S,3)."""
    FORMS[function.__name__] = function
    return function


def grey_or_colour(rng: Rng, noise: np.ndarray) -> np.ndarray:
    """One channel of the noise (S,S), or all three."""
    return noise[..., 0] if rng.random() < 0.5 else noise


def smooth(noise: np.ndarray) -> np.ndarray:
    """A picture without edges, which loses little where it is compressed."""
    small = Image.fromarray(noise).resize((2, 2) if len(noise) > 8 else (1, 1), Image.Resampling.BOX)
    return np.asarray(small.resize(noise.shape[1::-1], Image.Resampling.BICUBIC))


@form
def plain(rng: Rng, noise: np.ndarray) -> Made:
    values, suffix = grey_or_colour(rng, noise), str(rng.choice(list(LOSSLESS)))
    return suffix, encoded(Image.fromarray(values), LOSSLESS[suffix]), values, READ, 0


@form
def few_bits(rng: Rng, noise: np.ndarray) -> Made:
    bits = int(rng.choice([1, 2, 4]))
    levels = noise[..., 0] >> (8 - bits)
    return ".png", png_of(levels, bits), levels * (255 // (2**bits - 1)), READ, 0


@form
def one_bit(rng: Rng, noise: np.ndarray) -> Made:
    values = noise[..., 0] > 127
    suffix = str(rng.choice([".png", ".bmp", ".tif"]))
    return suffix, encoded(Image.fromarray(values), LOSSLESS[suffix]), values * 255, READ, 0


@form
def palette(rng: Rng, noise: np.ndarray) -> Made:
    colours = rng.integers(0, 256, (int(rng.integers(2, 256)), 3))
    indices = noise[..., 0].astype(int) % len(colours)
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(colours.ravel().tolist())
    suffix = str(rng.choice([".png", ".bmp", ".tif"]))
    return suffix, encoded(image, LOSSLESS[suffix]), colours[indices], READ, 0


@form
def black_and_white_bitmap(rng: Rng, noise: np.ndarray) -> Made:
    """8 bits a pixel, or fewer, and a palette of two colours."""
    marked = noise[..., 0] > 200
    ends = [(0, 0, 0), (255, 255, 255)]
    if rng.random() < 0.3:
        image = Image.fromarray(marked.astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 255, 255])
        return ".bmp", encoded(image, "bmp"), marked * 255, READ, 0
    bits = int(rng.choice([1, 4, 8]))
    return ".bmp", bmp_of(marked.astype(np.uint8), ends, bits, rng.random() < 0.3), marked * 255, READ, 0


@form
def grey_bitmap(rng: Rng, noise: np.ndarray) -> Made:
    """8 bits a pixel and a ramp of all greys, upside down or not."""
    ramp = [(level, level, level) for level in range(256)]
    return ".bmp", bmp_of(noise[..., 0], ramp, 8, rng.random() < 0.5), noise[..., 0], READ, 0


@form
def opaque(rng: Rng, noise: np.ndarray) -> Made:
    values = grey_or_colour(rng, noise)
    whole = np.dstack([values, np.full(values.shape[:2], 255, np.uint8)])
    return ".png", encoded(Image.fromarray(whole), "png"), values, READ, 0


@form
def inks(rng: Rng, noise: np.ndarray) -> Made:
    image = Image.fromarray(noise).convert("CMYK")
    if rng.random() < 0.5:
        return ".tif", encoded(image, "tiff"), noise, READ, 1
    soft = smooth(noise)
    return ".jpg", encoded(Image.fromarray(soft).convert("CMYK"), "jpeg", quality=98), soft, READ, 16


@form
def lossy(rng: Rng, noise: np.ndarray) -> Made:
    values = grey_or_colour(rng, smooth(noise))
    suffix, kind = [(".jpg", "jpeg"), (".jfif", "jpeg"), (".webp", "webp"), (".JPEG", "jpeg")][rng.integers(4)]
    values = np.repeat(values[..., None], 3, 2) if kind == "webp" and values.ndim == 2 else values
    return suffix, encoded(Image.fromarray(values), kind, quality=98), values, READ, 20


@form
def lossless_webp(rng: Rng, noise: np.ndarray) -> Made:
    return ".webp", encoded(Image.fromarray(noise), "webp", lossless=True), noise, READ, 0


def deep(rng: Rng, noise: np.ndarray, channels: int) -> np.ndarray:
    """16 bits, uint16 (S,S[,C]): all of them, or the 10 or 12 that a camera fills."""
    wide = (noise[..., [0, 1, 2, 0]].astype(np.uint16) << 8 | noise[..., [1, 2, 0, 1]]) >> rng.choice([0, 4, 6])
    return wide[..., 0] if channels == 1 else wide[..., :channels]


def kept(values: np.ndarray) -> np.ndarray:
    """What is right for 16 bits, should they be read at all: scaled by the depth, where the depth is used."""
    scaled = values[..., : {2: 1, 4: 3}.get(values.shape[-1], 3)] if values.ndim == 3 else values
    scaled = scaled[..., 0] if scaled.ndim == 3 and scaled.shape[2] == 1 else scaled
    return scaled / 257 if values.max() > 2**15 else np.full(scaled.shape, np.inf)


@form
def deep_png(rng: Rng, noise: np.ndarray) -> Made:
    values = deep(rng, noise, int(rng.integers(1, 5)))
    return ".png", png_of(values, 16), kept(values), EITHER, 1


@form
def deep_tiff(rng: Rng, noise: np.ndarray) -> Made:
    values = deep(rng, noise, int(rng.choice([1, 3])))
    kind = rng.choice(["u2", "i4", "f4"]) if values.ndim == 2 else "u2"
    return ".tif", tiff_of(values.astype(kind), str(rng.choice(["<", ">"]))), kept(values), EITHER, 1


@form
def deep_pnm(rng: Rng, noise: np.ndarray) -> Made:
    """Portable maps state their highest value, which may be any up to 65535."""
    values = deep(rng, noise, int(rng.choice([1, 3])))
    head = f"P{5 if values.ndim == 2 else 6}\n{values.shape[1]} {len(values)}\n65535\n".encode()
    return ".ppm", head + values.astype(">u2").tobytes(), kept(values), EITHER, 1


@form
def shallow_pnm(rng: Rng, noise: np.ndarray) -> Made:
    highest = int(rng.integers(1, 256))
    values = (noise[..., 0].astype(int) % (highest + 1)).astype(np.uint8)
    head = f"P5\n{values.shape[1]} {len(values)}\n{highest}\n".encode()
    return ".pgm", head + values.tobytes(), values * (255 / highest), READ, 1


@form
def wrong_suffix(rng: Rng, noise: np.ndarray) -> Made:
    suffix, other = rng.permutation([".jpg", ".png", ".bmp", ".tif", ".webp"])[:2]
    values = grey_or_colour(rng, noise)
    content = encoded(Image.fromarray(values), LOSSLESS.get(str(suffix), "png"))
    return str(other), content, values, EITHER, 0


@form
def several_frames(rng: Rng, noise: np.ndarray) -> Made:
    others = [Image.fromarray(noise ^ np.uint8(bit)) for bit in (128, 64)[: rng.integers(1, 3)]]
    suffix, kind = [(".tif", "tiff"), (".png", "png"), (".webp", "webp"), (".gif", "gif")][rng.integers(4)]
    content = encoded(Image.fromarray(noise), kind, save_all=True, append_images=others)
    return suffix, content, noise, REFUSE, 0


@form
def damaged(rng: Rng, noise: np.ndarray) -> Made:
    """Cut, emptied, or with a bit flipped where the format has checksums."""
    suffix, content, values, _, off = (lossy if rng.random() < 0.4 else plain)(rng, noise)
    if suffix == ".png" and rng.random() < 0.4:
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
        return suffix, bytes(flipped), values, EITHER, off
    if rng.random() < 0.1:
        return suffix, bytes(len(content)), values, REFUSE, off
    return suffix, content[: rng.integers(len(content))], values, EITHER, off


@form
def unfinished_copy(rng: Rng, noise: np.ndarray) -> Made:
    """As long as it should be, and zero from somewhere on, in formats whose files have an end."""
    suffix, kind = [(".jpg", "jpeg"), (".png", "png")][rng.integers(2)]
    content = encoded(Image.fromarray(noise[..., 0]), kind, quality=90)
    values = np.asarray(Image.open(BytesIO(content)))
    return suffix, content[: rng.integers(len(content))].ljust(len(content), b"\0"), values, EITHER, 0


def trial(rng: Rng, folder: Path) -> str:
    """An image written in some form and read, whole or a part of it."""
    side = int(rng.choice([1, 2, 8, 16, 33]))
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    name = str(rng.choice(list(FORMS)))
    suffix, content, right, fate, off = FORMS[name](rng, noise)
    path = folder / f"{rng.choice(['0', 'a b', 'ü'])}{suffix}"
    path.write_bytes(content)
    part, box = right, None
    if rng.random() < 0.3:  # a square inside, and at times beyond the image
        edge = int(rng.integers(1, side + 1))
        x, y = (int(number) for number in rng.integers(0, side - edge + 1 + (rng.random() < 0.1), 2))
        box, part = (x, y, x + edge, y + edge), right[y : y + edge, x : x + edge]
        fate = REFUSE if part.shape[:2] != (edge, edge) else fate
    pixels = part.shape[0] if fate != REFUSE else side
    found = asked(lambda: np.asarray(load_crops(path, [box], pixels)[0]).astype(float), [path.name], fate != READ)
    if found is None:
        return REFUSED
    told = f"{name} ({suffix}, {side} px, {box})"
    if fate == REFUSE:
        raise Wrong(f"{told} read, though it cannot be")
    found, part = (each if each.ndim == 3 else each[..., None] for each in (found, part))
    differ = abs(found - part).max()
    if not differ <= off:
        raise Wrong(
            f"{told}: levels differ by up to {differ:.0f}: {part.min():.0f} to {part.max():.0f} "
            f"read as {found.min():.0f} to {found.max():.0f}"
        )
    return RIGHT


@numbered(60, 5000)
def test_an_image_is_read_pixel_for_pixel_or_refused_by_name(tmp_path, record_property, numbers):
    held("images", trial, numbers, tmp_path, record_property)
