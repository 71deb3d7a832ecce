"""The images that the embedded trunk learns from, none of which takes part in an experiment, and how they are varied.

Cells: those of ELPV whose defect probability is neither 0 nor 1, which have no label and are in no partition, but for
the few that show nearly the same as a cell with a label. Painted images: `painting.py`. Every seventh of either, in the
order of ids and numbers, is held out and never trained on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from devnetlib.data.batches import normalise, to_unit
from devnetlib.data.caches import cached_array
from devnetlib.data.images import load_image
from devnetlib.data.layouts.files import near_pairs, open_image, perceptual_hash
from devnetlib.data.manifests import MANIFESTS, read_table
from devnetlib.data.painting import painted
from devnetlib.data.prepare import cache_folder, prepare

CELLS = "elpv"
NEAR_BITS = 14  # in which the hashes of nearly the same cell differ at most, as the leak census of ELPV has it
HELD_OUT = 7  # of so many images one is held out; no multiple of the number of painters, so that all are among them
CELL_SIDE, PAINTED, PAINTED_SIDE = 300, 800, 256
DENSITY = 0.75  # pixels of an input for each of a cell: 224 for 300


def unlabelled_cells() -> pd.DataFrame:
    """The rows of ELPV's image table without a label, by id."""
    table = read_table(MANIFESTS / f"{CELLS}.csv")
    return table[table["label"] == ""].sort_values("id", ignore_index=True)


def distillation_cells() -> pd.DataFrame:
    """The rows of the cells without a label that are not nearly the same as one with a label, by id; takes half a
    minute, for all are hashed."""
    data, cells = prepare(CELLS), unlabelled_cells()
    files = [*cells["file"], *data.table["file"]]
    bar = tqdm(files, desc="hash", unit="image", disable=None)
    return cells[apart(np.stack([perceptual_hash(open_image(data.root / file)) for file in bar]), len(cells))]


def apart(hashes: np.ndarray, count: int) -> np.ndarray:
    """Which of the first `count` hashes (N,B) are near to none of the others beyond them: bool (count,)."""
    near = {first for first, second, _ in near_pairs(hashes, NEAR_BITS) if first < count <= second}
    return np.array([place not in near for place in range(count)])


def held_out(count: int) -> np.ndarray:
    """Which of so many sorted images are held out: bool (count,)."""
    return np.arange(count) % HELD_OUT == 0


def cell_bank(cells: pd.DataFrame) -> np.ndarray:
    """The cells as they are, uint8 (N,1,300,300)."""
    root = prepare(CELLS).root
    return np.stack([np.asarray(load_image(root / file, CELL_SIDE))[None] for file in cells["file"]])


def painted_bank(count: int = PAINTED, side: int = PAINTED_SIDE) -> np.ndarray:
    """The painted images 0 to `count` - 1, uint8 (N,3,side,side)."""
    return np.stack([painted(number, side) for number in tqdm(range(count), desc="paint", unit="image", disable=None)])


def distillation_banks(cells: pd.DataFrame, data_root: Path) -> dict[str, np.ndarray]:
    """All images, `cells` and `painted`; the latter are cached, for painting takes half a minute."""
    path = cache_folder(data_root) / "distillation" / f"painted-{PAINTED}-{PAINTED_SIDE}px.npy"
    return {"cells": cell_bank(cells), "painted": cached_array(path, painted_bank)}


def plain(images: np.ndarray, pixels: int) -> Tensor:
    """Images uint8 (N,C,H,W) as the study reads its own: resized, normalised, (N,3,pixels,pixels)."""
    unit = to_unit(torch.from_numpy(images))
    return normalise(F.interpolate(unit, (pixels, pixels), mode="bilinear", antialias=True))


@dataclass(frozen=True)
class Varied:
    """Batches of varied images: half cells, half painted, a pure function of the number of the update."""

    banks: Mapping[str, np.ndarray]  # without what is held out
    seed: int

    def batch(self, update: int, size: int, pixels: int) -> Tensor:
        """Images (size,3,pixels,pixels), normalised."""
        rng, parts = np.random.default_rng([self.seed, update]), []
        for bank in self.banks.values():
            rows = np.sort(rng.choice(len(bank), size // len(self.banks), replace=False))
            unit = to_unit(torch.from_numpy(bank[rows]))
            parts.append(lit(framed(unit.expand(-1, 3, -1, -1), pixels, rng), rng))
        return normalise(torch.cat(parts))


def drawn(rng: np.random.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Numbers drawn evenly from a range."""
    return torch.from_numpy(rng.uniform(low, high, shape)).float()


def framed(images: Tensor, pixels: int, rng: np.random.Generator) -> Tensor:
    """A window (N,C,pixels,pixels) of each image (N,C,H,W), at about the scale in which the study shows cells: any
    quarter turn and 15 degrees more, half of them mirrored, up to a sixth longer or shorter than wide; what lies beyond
    the edge is mirrored in it."""
    count, side = len(images), images.shape[-1]
    zoom = DENSITY * CELL_SIDE / side * torch.exp(drawn(rng, -0.3, 0.35, count))
    stretch = torch.exp(drawn(rng, -0.15, 0.15, count))
    angle = math.pi / 2 * torch.from_numpy(rng.integers(4, size=count)) + math.radians(15) * drawn(rng, -1, 1, count)
    mirror = torch.from_numpy(rng.choice([-1.0, 1.0], count)).float()
    width, height = pixels / (side * zoom * stretch), pixels / (side * zoom / stretch)  # of the window, image = 1
    cosine, sine = angle.float().cos(), angle.float().sin()
    shift = drawn(rng, -1, 1, 2, count) * (1 - torch.maximum(width, height)).clamp(min=0)
    rows = [
        torch.stack([mirror * width * cosine, -height * sine, shift[0]], dim=1),
        torch.stack([mirror * width * sine, height * cosine, shift[1]], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), [count, 3, pixels, pixels], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def lit(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images (N,3,H,W) in [0, 1] in another light: gamma, contrast and brightness; some tinted, negative, soft or
    noisy."""
    count = len(images)

    def some(share: float) -> Tensor:
        return torch.from_numpy(rng.random((count, 1, 1, 1)) < share)

    found = images ** torch.exp(drawn(rng, -0.5, 0.5, count, 1, 1, 1))
    found = torch.where(some(0.1), 1 - found, found)
    middle = found.mean(dim=(1, 2, 3), keepdim=True)
    found = middle + (found - middle) * torch.exp(drawn(rng, -0.6, 0.4, count, 1, 1, 1))
    found = found + drawn(rng, -0.2, 0.2, count, 1, 1, 1)
    tint = found * torch.exp(drawn(rng, -0.4, 0.4, count, 3, 1, 1)) + drawn(rng, -0.1, 0.1, count, 3, 1, 1)
    found = torch.where(some(0.2), tint, found)
    found = torch.where(some(0.2), F.avg_pool2d(found, 3, 1, 1, count_include_pad=False), found)
    noise = torch.from_numpy(rng.standard_normal(found[:, :1].shape, dtype=np.float32))
    return (found + some(0.2) * 0.05 * drawn(rng, 0, 1, count, 1, 1, 1) * noise).clamp(0, 1)
