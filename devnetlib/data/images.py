"""Pixels: read faithfully or refused by name, cut, resized, and decoded once into a bank on disk."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from devnetlib.cores import usable_cores
from devnetlib.data.caches import cached_file, write_file
from devnetlib.data.layouts.files import image_size, open_image, sha256
from devnetlib.data.manifests import table_digest
from devnetlib.errors import Incomplete, Misuse

GREY_MODES = {"1", "L", "LA"}
COLOUR_MODES = {"P", "RGB", "RGBA", "CMYK"}
AT_ONCE = 16  # files a core that are decoded before any of the next ones
DECODING = {"desc": "decode", "unit": "file", "disable": None}
Box = tuple[int, int, int, int]  # left, upper, right, lower


def load_crops(path: Path, boxes: Sequence[Box | None], pixels: int) -> list[Image.Image]:
    """Open an image once, grey or RGB, cut each box out of it (None: all of it) and resize what was cut to pixels x
    pixels without keeping the aspect ratio (bilinear, as the released code). Of transparent pixels the colour counts
    that the file gives them, and alpha is left out.

    Raises Misuse that names the file when it is missing, damaged, too large, of a mode that 8 bits cannot hold, or
    smaller than a box.
    """
    image = open_image(path)
    if image.mode not in GREY_MODES | COLOUR_MODES:
        raise Misuse(f"{path}: mode {image.mode} does not fit into 8 bits; convert the file to 8-bit grey or RGB")
    mode = "L" if image.mode in GREY_MODES else "RGB"
    image = image if image.mode == mode else image.convert(mode)  # no second copy of a large scan
    return [cut(image, box, path).resize((pixels, pixels), Image.Resampling.BILINEAR) for box in boxes]


def load_image(path: Path, pixels: int) -> Image.Image:
    """The whole of an image file, as `load_crops` reads it."""
    return load_crops(path, [None], pixels)[0]


def cut(image: Image.Image, box: Box | None, path: Path) -> Image.Image:
    """The part of an image inside a box; cut before it is resized, so that no pixel beyond the box weighs in."""
    if box is None:
        return image
    left, upper, right, lower = box
    if not (0 <= left < right <= image.width and 0 <= upper < lower <= image.height):
        raise Misuse(f"{path}: {image.size} px do not hold the crop {box}; restore the file or prepare the set again")
    return image.crop(box)


def boxes_of(table: pd.DataFrame) -> list[Box | None]:
    """For every row the (left, upper, right, lower) of its crop in pixels, None for a whole file."""
    rows = table[["x", "y", "width", "height"]].itertuples(index=False, name=None)
    crops = [tuple(map(int, row)) if row[0] != "" else None for row in rows]
    return [crop and (crop[0], crop[1], crop[0] + crop[2], crop[1] + crop[3]) for crop in crops]


def sizes_of(table: pd.DataFrame, root: Path) -> list[tuple[int, int]]:
    """For every row the (width, height) in pixels before it is resized: of its crop, else of its file."""
    boxes = zip(boxes_of(table), table["file"], table["sha256"], strict=True)
    return [
        (box[2] - box[0], box[3] - box[1]) if box else image_size(as_listed(root / file, expected))
        for box, file, expected in boxes
    ]


def as_listed(path: Path, expected: str) -> Path:
    """The path of a file that has the hash with which it is listed; Incomplete for any other."""
    found = sha256(path) if path.is_file() else None
    if found != expected:
        what = "changed since it was prepared" if found else "gone since it was prepared"
        mend = "put it back, or prepare the data set again: python -m devnetlib data prepare NAME --from FOLDER"
        raise Incomplete(f"{path}: {what}; {mend}")
    return path


def decode(table: pd.DataFrame, root: Path, pixels: int, file: BinaryIO) -> None:
    """Write all images of a table into a new .npy file, uint8 (N,C,H,W), C = 1 if every one is grey, else 3; in
    parallel, with a progress bar. A file that several rows share is opened once, and few images are in memory at a
    time."""
    if not decode_as("L", table, root, pixels, file):
        file.seek(0)
        decode_as("RGB", table, root, pixels, file)


def decode_as(mode: str, table: pd.DataFrame, root: Path, pixels: int, file: BinaryIO) -> bool:
    """Write the images as grey (L) or RGB ones; False as soon as one has a colour that the mode does not hold.
    Incomplete for a file that is not the one the table lists."""
    boxes, rows_of = boxes_of(table), table.reset_index(drop=True).groupby("file", sort=False).indices
    hashes = dict(zip(table["file"], table["sha256"], strict=True))

    def loaded_of(item: tuple[str, np.ndarray]) -> list[Image.Image]:
        return load_crops(as_listed(root / item[0], hashes[item[0]]), [boxes[row] for row in item[1]], pixels)

    shape = (len(table), len(mode), pixels, pixels)  # a letter a channel
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    start, size = file.tell(), math.prod(shape[1:])
    with ThreadPoolExecutor(usable_cores()) as pool, tqdm(total=len(rows_of), **DECODING) as bar:
        for part in parts_of(list(rows_of.items()), AT_ONCE * usable_cores()):
            for (_, rows), crops in zip(part, pool.map(loaded_of, part), strict=True):
                for row, crop in zip(rows, crops, strict=True):
                    if mode == "L" != crop.mode:
                        return False
                    file.seek(start + int(row) * size)
                    file.write(channels_first(crop.convert(mode)).tobytes())
                bar.update()
    return True


def channels_first(image: Image.Image) -> np.ndarray:
    """An image as uint8 (C,H,W)."""
    return np.moveaxis(np.atleast_3d(np.asarray(image)), 2, 0)


def parts_of(items: list, length: int) -> Iterator[list]:
    """The items in parts of a length, the last one shorter."""
    return (items[start : start + length] for start in range(0, len(items), length))


def image_bank(table: pd.DataFrame, root: Path, pixels: int, cache: Path) -> np.ndarray:
    """The decoded images of a table, uint8 (N,C,H,W) in its row order, from a cache file that is made on first use."""
    path = cache / "banks" / f"{table_digest(table)}-{pixels}px.npy"
    needed = len(table) * pixels**2  # if they are grey
    return cached_file(path, lambda: write_file(path, needed, lambda file: decode(table, root, pixels, file)))
