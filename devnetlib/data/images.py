"""Pixels: decode once into a bank, gather batches on the device, rotate and normalise them there."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from devnetlib.data.layouts.files import open_image
from devnetlib.data.manifests import table_digest
from devnetlib.errors import Misuse

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
GREY_MODES = {"1", "L", "LA"}
COLOUR_MODES = {"P", "RGB", "RGBA", "CMYK"}
Box = tuple[int, int, int, int]  # left, upper, right, lower


def load_crops(path: Path, boxes: Sequence[Box | None], pixels: int) -> list[Image.Image]:
    """Open an image once, grey or RGB, cut each box out of it (None: all of it) and resize what was cut to pixels x
    pixels without keeping the aspect ratio (bilinear, as the released code).

    Raises Misuse that names the file when it is missing, damaged, too large, of a mode that 8 bits cannot hold, or
    smaller than a box.
    """
    image = open_image(path)
    if image.mode not in GREY_MODES | COLOUR_MODES:
        raise Misuse(f"{path}: mode {image.mode} does not fit into 8 bits; convert the file to 8-bit grey or RGB")
    image = image.convert("L" if image.mode in GREY_MODES else "RGB")
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


def decode(table: pd.DataFrame, root: Path, pixels: int) -> np.ndarray:
    """All images of a table as uint8 (N,C,H,W), C = 1 if every one is grey, else 3; in parallel, with a progress
    bar. A file that several rows share is opened once."""
    boxes, rows_of = boxes_of(table), table.reset_index(drop=True).groupby("file", sort=False).indices
    images: list[Image.Image | None] = [None] * len(table)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        loaded = tqdm(
            pool.map(lambda item: load_crops(root / item[0], [boxes[row] for row in item[1]], pixels), rows_of.items()),
            total=len(rows_of),
            desc="decode",
            unit="file",
            disable=None,
        )
        for rows, crops in zip(rows_of.values(), loaded, strict=True):
            for row, crop in zip(rows, crops, strict=True):
                images[row] = crop
    if all(image.mode == "L" for image in images):
        return np.stack([np.asarray(image)[None] for image in images])
    return np.stack([np.asarray(image.convert("RGB")).transpose(2, 0, 1) for image in images])


def image_bank(table: pd.DataFrame, root: Path, pixels: int, cache: Path) -> np.ndarray:
    """The decoded images of a table, uint8 (N,C,H,W) in its row order, from a cache file that is made on first use."""
    path = cache / "banks" / f"{table_digest(table)}-{pixels}px.npy"
    return cached_array(path, lambda: decode(table, root, pixels))


def cached_array(path: Path, make) -> np.ndarray:
    """Memory-map an .npy file, making it first where it is missing or damaged; written to a temporary name, then
    renamed."""
    try:
        return np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.save(file, make())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return np.load(path, mmap_mode="c")


def gather(bank: np.ndarray, rows: Sequence[int], device: torch.device) -> Tensor:
    """Rows of a bank as uint8 (N,C,H,W) on the device."""
    return torch.from_numpy(np.ascontiguousarray(bank[rows])).to(device)


def to_unit(images: Tensor) -> Tensor:
    """uint8 (N,1 or 3,H,W) -> float (N,3,H,W) in [0, 1]."""
    return images.float().div_(255).expand(-1, 3, -1, -1)


def normalise(images: Tensor) -> Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, channel by channel: (N,3,H,W) -> (N,3,H,W),
    channels-last."""
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return contiguous((images - mean) / std)


def contiguous(images: Tensor) -> Tensor:
    """The same (N,C,H,W), channels-last in memory, in which convolutions are fastest."""
    return images.contiguous(memory_format=torch.channels_last)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate each image (N,C,H,W) counter-clockwise about its centre by its own angle (N,).

    Nearest neighbour, the canvas as it was, corners filled with 0: torchvision's `rotate` on tensors, for a whole
    batch. It comes before normalisation, so that the corners are black.
    """
    height, width = images.shape[-2:]
    angle = degrees.to(images.device, torch.float32) * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    zero = torch.zeros_like(cos)
    x = torch.linspace(-width / 2 + 0.5, width / 2 - 0.5, width, device=images.device)
    y = torch.linspace(-height / 2 + 0.5, height / 2 - 0.5, height, device=images.device)
    base = torch.stack(
        [x.expand(height, width), y[:, None].expand(height, width), torch.ones(height, width, device=images.device)],
        dim=-1,
    )
    half = torch.tensor([width / 2, height / 2], device=images.device)
    theta = torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], dim=1)  # (N,2,3)
    grid = base.view(1, -1, 3) @ (theta.transpose(1, 2) / half)
    return F.grid_sample(
        images, grid.view(-1, height, width, 2), mode="nearest", padding_mode="zeros", align_corners=False
    )
