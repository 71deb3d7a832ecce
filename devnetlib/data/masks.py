"""Masks: which pixels of an image are marked as defective, at the size of a map."""

import numpy as np
import pandas as pd
from PIL import Image

from devnetlib.data.images import Box, as_listed, boxes_of, cut
from devnetlib.data.layouts.files import image_size, read_mask
from devnetlib.data.manifests import masks_in
from devnetlib.data.prepare import Prepared


def has_masks(table: pd.DataFrame) -> bool:
    """Whether any anomalous image of a table has a mask."""
    return bool(((table["mask"] != "") & (table["label"] == 1)).any())


def masks_of(data: Prepared, rows: np.ndarray, pixels: int) -> np.ndarray:
    """The masks of the images in these rows of the image table, bool (N,pixels,pixels): cut and made square as the
    images are, but so that no marked pixel is lost (`resized`). Several masks of an image are joined; an image without
    a mask has nothing marked.

    Raises Misuse that names a mask which is missing, damaged, ambiguous, or of another size than its image.
    """
    chosen = data.table.iloc[rows]
    places = zip(chosen["file"], chosen["mask"], boxes_of(chosen), strict=True)
    return np.array([mask_of(data, *place, pixels) for place in places], dtype=bool).reshape(-1, pixels, pixels)


def mask_of(data: Prepared, file: str, cell: str, box: Box | None, pixels: int) -> np.ndarray:
    """The mask of one image, bool (pixels,pixels), from the cell of the column `mask`."""
    marked = np.zeros((pixels, pixels), bool)
    for name in masks_in(cell):
        whole = read_mask(as_listed(data.root / name, data.hashes[name]), image_size(data.root / file))
        marked |= resized(np.asarray(cut(Image.fromarray(whole), box, data.root / name)), pixels)
    return marked


def resized(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask (h,w) as (pixels,pixels). Where it shrinks, a cell is marked if any pixel that it touches is, so that the
    thinnest defect stays; where it grows, a cell takes the nearest pixel."""
    for _ in range(2):  # along one axis, then, turned, along the other
        size, cells = len(mask), np.arange(pixels)
        if size <= pixels:
            mask = mask[(2 * cells + 1) * size // (2 * pixels)].T
            continue
        first, end = cells * size // pixels, -(-(cells + 1) * size // pixels)
        padded = np.r_[mask, np.zeros_like(mask[:1])]  # the last cell ends where a pixel must follow
        mask = np.logical_or.reduceat(padded, np.c_[first, end].ravel())[::2].T
    return mask
