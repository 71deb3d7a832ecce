"""Masks: which pixels of an image are marked as defective, at the size of a map."""

import numpy as np
import pandas as pd
from PIL import Image

from devnetlib.data.images import Box, as_listed, boxes_of, cut
from devnetlib.data.intake import masks_in
from devnetlib.data.layouts.files import image_size, read_mask
from devnetlib.data.prepare import Prepared


def has_masks(table: pd.DataFrame) -> bool:
    """Whether any image of a table has a mask."""
    return bool((table["mask"] != "").any())


def masks_of(data: Prepared, rows: np.ndarray, pixels: int) -> np.ndarray:
    """The masks of the images in these rows of the image table, bool (N,pixels,pixels): cut and made square as the
    images are, but by the nearest pixel. Several masks of an image are joined; one without a mask has no defect.

    Raises Misuse that names a mask which is missing, damaged, or of another size than its image.
    """
    chosen = data.table.iloc[rows]
    places = zip(chosen["file"], chosen["mask"], boxes_of(chosen), strict=True)
    return np.array([mask_of(data, *place, pixels) for place in places], dtype=bool).reshape(-1, pixels, pixels)


def mask_of(data: Prepared, file: str, cell: str, box: Box | None, pixels: int) -> np.ndarray:
    """The mask of one image, bool (pixels,pixels), from the cell of the column `mask`."""
    marked = np.zeros((pixels, pixels), bool)
    for name in masks_in(cell):
        whole = Image.fromarray(read_mask(as_listed(data.root / name, data.hashes[name]), image_size(data.root / file)))
        part = cut(whole, box, data.root / name).resize((pixels, pixels), Image.Resampling.NEAREST)
        marked |= np.asarray(part)
    return marked
