"""Images that are stored as arrays (.npy), with more channels than an image file holds."""

from pathlib import Path

import numpy as np
from PIL import Image


def open_npy(path: Path) -> Image.Image:
    """The first three channels of an (H,W,C) array file as an RGB image, fractions cut off, as the released loader.

    Raises ValueError for any other shape, for anything but numbers (nothing is unpickled), and for values outside 0
    to 255, which 8 bits would wrap around in silence.
    """
    values = np.load(path, allow_pickle=False)
    if values.ndim != 3 or values.shape[2] < 3 or values.size == 0 or values.dtype.kind not in "uif":
        raise ValueError(
            f"an array of shape {values.shape} and type {values.dtype}, expected numbers of shape "
            "(height, width, channels) with three channels or more"
        )
    colours = values[..., :3]
    if not (colours.min() >= 0 and colours.max() <= 255):  # not-a-number fails both
        raise ValueError(f"values from {colours.min()} to {colours.max()}, expected 0 to 255")
    return Image.fromarray(np.ascontiguousarray(colours.astype(np.uint8)))
