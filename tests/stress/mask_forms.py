"""The forms in which people write masks."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.encoding import bmp_of, encoded, png_of, tiff_of

READ, REFUSE, EITHER = "must be read", "must be refused", "either"
Made = tuple[str, bytes, str]  # suffix, content, what must become of it
Rng = np.random.Generator
FORMS: dict[str, Callable[[Rng, np.ndarray], Made]] = {}
LOSSLESS = {".png": "png", ".bmp": "bmp", ".tif": "tiff", ".pgm": "ppm"}


def form(function: Callable[[Rng, np.ndarray], Made]) -> Callable[[Rng, np.ndarray], Made]:
    """Enter a way of writing masks under its name."""
    FORMS[function.__name__] = function
    return function


def shape(rng: Rng, width: int, height: int) -> np.ndarray:
    """A defect, bool (H,W): lines of a pixel, boxes, single pixels, discs; less than half of the image, and not its
    frame."""
    while True:
        marked = np.zeros((height, width), bool)
        for _ in range(rng.integers(1, 4)):
            y, x = rng.integers(height), rng.integers(width)
            down, right = rng.integers(1, height), rng.integers(1, width)
            what = rng.integers(5)
            if what == 0:
                marked[y, x : x + right] = True
            elif what == 1:
                marked[y : y + down, x] = True
            elif what == 2:
                marked[y : y + max(1, down // 3), x : x + max(1, right // 3)] = True
            elif what == 3:
                marked[y, x] = True
            else:
                marked |= np.hypot(*np.ogrid[-y : height - y, -x : width - x]) < min(height, width) / 4
        if 0 < marked.mean() < 0.45:
            return marked


def two(rng: Rng, marked: np.ndarray) -> np.ndarray:
    """0 and one level of 8 bits, often the highest or 1."""
    return marked * np.uint8(rng.choice([255, 1, 254, 128, 127, rng.integers(1, 256)]))


def written(rng: Rng, values: np.ndarray, suffixes: tuple[str, ...] = (".png", ".bmp", ".tif"), **more: Any) -> Made:
    suffix = str(rng.choice(suffixes))
    return suffix, encoded(Image.fromarray(values), LOSSLESS[suffix], **more), READ


@form
def grey(rng: Rng, marked: np.ndarray) -> Made:
    return written(rng, two(rng, marked), tuple(LOSSLESS))


@form
def one_bit(rng: Rng, marked: np.ndarray) -> Made:
    return written(rng, marked)


@form
def few_bits(rng: Rng, marked: np.ndarray) -> Made:
    bits = int(rng.choice([1, 2, 4, 16]))
    return ".png", png_of(marked * rng.integers(1, 2**bits), bits), READ


@form
def white_is_zero(rng: Rng, marked: np.ndarray) -> Made:
    image = Image.fromarray(marked if rng.random() < 0.5 else two(rng, marked))
    content = encoded(image, "tiff", tiffinfo={262: 0})
    assert np.array_equal(np.asarray(Image.open(BytesIO(content))) > 0, marked)  # Pillow turns it back
    return ".tif", content, READ


@form
def many_bits(rng: Rng, marked: np.ndarray) -> Made:
    kind = rng.choice(["u1", "u2", "i4", "f4"])
    value = rng.choice([0.5, 1, 1e-3, 255, 0.1]) if kind == "f4" else rng.integers(1, 2 ** min(31, 8 * int(kind[1])))
    return ".tif", tiff_of((marked * value).astype(kind), str(rng.choice(["<", ">"]))), READ


@form
def colour(rng: Rng, marked: np.ndarray) -> Made:
    paint = rng.permutation([255, rng.integers(256), 0])
    return written(rng, (marked[..., None] * paint).astype(np.uint8))


@form
def opaque(rng: Rng, marked: np.ndarray) -> Made:
    channels = rng.choice([1, 3])
    values = np.repeat(two(rng, marked)[..., None], channels, axis=2)
    return written(rng, np.dstack([values, np.full(marked.shape, 255, np.uint8)]), (".png", ".tif"))


@form
def alpha(rng: Rng, marked: np.ndarray) -> Made:
    paint = np.full((*marked.shape, rng.choice([1, 3])), rng.choice([0, 255, rng.integers(256)]), np.uint8)
    return written(rng, np.dstack([paint, two(rng, marked)]), (".png", ".tif"))


@form
def alpha_that_agrees(rng: Rng, marked: np.ndarray) -> Made:
    values = two(rng, marked)
    return written(rng, np.dstack([values, values, values, marked * np.uint8(255)]), (".png", ".tif"))


@form
def palette(rng: Rng, marked: np.ndarray) -> Made:
    """Classes as indices, each in a colour that is not black, as labelling tools write them."""
    classes = int(rng.integers(1, 5))
    image = Image.fromarray((marked * rng.integers(1, classes + 1, marked.shape)).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *rng.integers(1, 256, 3 * classes)])
    suffix = str(rng.choice([".png", ".bmp", ".tif"]))
    return suffix, encoded(image, LOSSLESS[suffix]), READ


@form
def black_and_white_bitmap(rng: Rng, marked: np.ndarray) -> Made:
    """8 bits a pixel and two colours, as Pillow writes it and as scanners do."""
    ends = [(0, 0, 0), (255, 255, 255)]
    if rng.random() < 0.3:
        image = Image.fromarray(marked.astype(np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 255, 255])
        return ".bmp", encoded(image, "bmp"), READ
    bits = int(rng.choice([1, 4, 8], p=[0.1, 0.1, 0.8]))
    return ".bmp", bmp_of(marked.astype(np.uint8), ends, bits, rng.random() < 0.3), READ


@form
def lossy(rng: Rng, marked: np.ndarray) -> Made:
    """Of a quality at which white stays white enough to tell."""
    image = Image.fromarray(marked * np.uint8(255)).convert("RGB")
    kind, suffix, more = [("jpeg", ".jpg", {"subsampling": 0}), ("jpeg", ".JPEG", {}), ("webp", ".webp", {})][
        rng.integers(3)
    ]
    for quality in range(int(rng.integers(10, 90)), 101, 5):
        content = encoded(image, kind, quality=quality, **more)
        off = np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int) - marked[..., None] * 255
        if abs(off).max() < 60:
            return suffix, content, READ
    return ".webp", encoded(image, "webp", lossless=True), READ


@form
def classes(rng: Rng, marked: np.ndarray) -> Made:
    """0, 1, 2, ... as grey levels."""
    several = marked * rng.integers(1, rng.integers(2, 6), marked.shape)
    known = np.unique(several)
    suffix, content, _ = written(rng, several.astype(np.uint8), tuple(LOSSLESS))
    return suffix, content, READ if len(known) == 2 or np.array_equal(known, np.arange(len(known))) else EITHER
