"""Which pixels a mask file marks: one rule for the many ways in which masks are written; what it leaves open is
refused by name.

1. One value a pixel: a grey level as it is (any number of bits, fractions), of colours the largest channel. In a
   palette each colour but black is a class of defects, and so is each index above 0; greys are levels, of which one
   marked pixel in a hundred may be soft. Where the colour is the same everywhere, opacity or the index is the mask;
   opacity that is the same everywhere is passed over. Where two of these mark different pixels, the mask is ambiguous,
   unless it is a palette's and one of the two would be inverted by 4.
2. Zero is normal. Beside zero one other value, however small: it marks the defect.
3. More values: whole numbers up to 32 are classes of defects, all marked. A lossy file (JPEG) marks from half of its
   full range on. Any other marks what is above 0 if the same pixels lie from half of the maximum on, else it is
   ambiguous: antialiased, a map of scores, or not a mask.
4. A mask that marks more than half of its image and of the image's outermost pixels is taken for inverted and refused.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from devnetlib.errors import Misuse

CLASSES = 32  # the largest number of a class of defects
SOFT = 0.01  # in palettes: one mask of KolektorSDD has two grey pixels among 3,692
LOSSY = {"JPEG", "MPO", "JPEG2000", "AVIF"}
ORIENTATION = 274  # of the tags of a photograph
MEND = "write 0 for normal pixels and one value, such as 255, for the defect"


class Ambiguous(ValueError):
    """Two ways to read a mask mark different pixels."""

    def __init__(self, **ways: np.ndarray):
        shares = (f"{mask.mean():.2%} {way.replace('_', ' ')}" for way, mask in ways.items())
        super().__init__(f"of its pixels are marked {' or '.join(shares)}")


def marked_in(image: Image.Image, path: Path) -> np.ndarray:
    """Where the mask in an image file marks a defect, bool (height, width), by the rule above; `image` is what was read
    of the file.

    Raises Misuse that names the file where it is ambiguous or inverted, holds several pictures, or is turned by its
    tags.
    """
    try:
        if image.format == "MPO":
            raise ValueError("a camera's file of several pictures, expected one")
        if turned(image):
            raise ValueError("an orientation tag turns it, which no image's does; save it upright")
        return upright(marked(image, lossy(image, path)))
    except (OSError, EOFError, SyntaxError, ValueError) as error:
        raise Misuse(f"{path}: not a plain mask: {error}; {MEND}") from None


def turned(image: Image.Image) -> bool:
    """Whether a tag turns a picture for those who look at it, but not as it is read; TIFF files are turned as they are
    read."""
    return image.format != "TIFF" and image.getexif().get(ORIENTATION) in range(2, 9)


def marked_in_array(path: Path) -> np.ndarray:
    """The same of an array file (.npy) of shape (height, width), or (height, width, 1)."""
    try:
        values = np.load(path, allow_pickle=False)
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[..., 0]
        if values.ndim != 2 or values.dtype.kind not in "buif" or not values.size:
            raise ValueError(f"an array of shape {values.shape} and type {values.dtype}, expected (height, width)")
        return upright(above(values))
    except (OSError, EOFError, ValueError) as error:
        raise Misuse(f"{path}: not a plain mask: {error}; {MEND}") from None


def lossy(image: Image.Image, path: Path) -> bool:
    """Whether values of an image changed when it was saved."""
    if image.format == "WEBP":
        return b"VP8 " in path.read_bytes()
    return image.format in LOSSY or "jpeg" in str(image.info.get("compression"))


def marked(image: Image.Image, lossy: bool) -> np.ndarray:
    """What an image marks, bool (height, width); Ambiguous where its parts disagree."""
    colours, opacity = colours_of(image), opacity_of(image)
    one_colour, transparent = bool(np.all(colours == colours[0, 0])), opacity is not None and not opacity.any()
    if varies(opacity) and one_colour:
        return above(opacity, lossy)
    if image.mode in ("P", "PA"):
        indices = np.asarray(image.getchannel(0))
        if varies(indices) and one_colour:
            return indices > 0
        by_colours, by_indices = colours.any(axis=2), indices > 0
        if inverted(by_colours) != inverted(by_indices):  # then one of the two is no mask, and the other is meant
            return by_indices if inverted(by_colours) else by_colours
        agreed(by_its_colours=by_colours, by_the_indices_of_its_palette=by_indices)
        grey = np.all(colours == colours[..., :1])
        found = above(colours[..., 0], lossy, SOFT) if grey else by_indices
    else:
        found = above(colours if colours.ndim == 2 else colours.max(axis=2), lossy)
    if varies(opacity) or transparent:
        agreed(by_its_colours=found, by_its_opacity=above(opacity, lossy))
    return found


def varies(values: np.ndarray | None) -> bool:
    """Whether there are values of which two differ."""
    return values is not None and bool(values.min() < values.max())


def colours_of(image: Image.Image) -> np.ndarray:
    """The colours of an image without its opacity, (height, width) of grey ones, else (height, width, 3)."""
    if len(image.getbands()) == 1 and image.mode != "P":
        return np.asarray(image)
    return np.asarray(image.getchannel(0) if image.mode in ("LA", "La") else image.convert("RGB"))


def opacity_of(image: Image.Image) -> np.ndarray | None:
    """The opacity of an image (height, width), 0 where it is transparent; None where the file says nothing of it."""
    if (band := image.getbands()[-1]) in "Aa":
        return np.asarray(image.getchannel(band))
    key = image.info.get("transparency")
    if isinstance(key, bytes):  # an opacity for each of the first indices
        return np.frombuffer(key.ljust(256, b"\xff"), np.uint8)[np.asarray(image)]
    if key is None:
        return None
    pixels = np.asarray(image)
    return np.any(pixels.reshape(*pixels.shape[:2], -1) != key, axis=2)


def agreed(soft: float = 0.0, **ways: np.ndarray) -> None:
    """Raise Ambiguous unless both ways mark the same pixels, or differ in so small a share of those of the first."""
    first, second = ways.values()
    if (first != second).sum() > soft * first.sum():
        raise Ambiguous(**ways)


def above(values: np.ndarray, lossy: bool = False, soft: float = 0.0) -> np.ndarray:
    """What one value a pixel marks; Ambiguous where the rule has no answer, ValueError where one is no level. `soft` is
    the share of marked pixels that may be greys below half of the maximum."""
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise ValueError("a negative value, or one that is no number")
    levels, top, found = np.unique(values), float(values.max()), values > 0
    if lossy and top:
        return above_half(values, 255 if values.dtype.itemsize == 1 else 65535)
    if len(levels) == 1 or (len(levels) == 2 and levels[0] == 0):
        return found
    if top > CLASSES or np.any(levels % 1):
        agreed(soft, above_0=found, from_half_of_its_maximum_on=values >= top / 2)
    return found


def above_half(values: np.ndarray, full: int) -> np.ndarray:
    """What a lossy file marks. Ambiguous where half of the full range is no clear threshold: nothing is white, more is
    grey than white, or there is an area of grey, as compression leaves none."""
    from scipy import ndimage  # needed only here

    found, grey = values >= full / 2, (values > full / 4) & (values < 3 * full / 4)
    area = ndimage.binary_erosion(grey, np.ones((3, 3)))
    if values.max() < 3 * full / 4 or grey.sum() > found.sum() or area.any():
        raise Ambiguous(above_0=values > 0, from_half_of_its_range_on=found)
    return found


def inverted(mask: np.ndarray) -> bool:
    """Whether a mask marks more than half of its image and of the image's edge."""
    return bool(mask.mean() > 0.5 and mask[edge(mask)].mean() > 0.5)


def edge(mask: np.ndarray) -> np.ndarray:
    """The outermost pixels, bool (height, width)."""
    found = np.ones_like(mask)
    found[1:-1, 1:-1] = False
    return found


def upright(mask: np.ndarray) -> np.ndarray:
    """The mask; ValueError for one that is taken for inverted."""
    if inverted(mask):
        shares = f"{mask.mean():.2%} of the image and {mask[edge(mask)].mean():.2%} of its edge"
        raise ValueError(f"it is inverted, or would mark {shares}")
    return mask
