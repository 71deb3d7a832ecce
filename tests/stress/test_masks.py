"""Masks in every form in which people write them: read as they are, or refused by name; and no defect is lost where one
is shrunk."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from devnetlib.data.layouts.files import read_mask, sha256
from devnetlib.data.manifests import COLUMNS
from devnetlib.data.masks import masks_of
from devnetlib.data.prepare import Prepared
from tests.stress.doubtful_masks import ALL
from tests.stress.mask_forms import READ, REFUSE, Rng, shape
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered


def read_trial(rng: Rng, folder: Path) -> str:
    """A mask written in some form and read."""
    width, height = rng.integers(8, 49, 2)
    marked = shape(rng, width, height)
    name = str(rng.choice(list(ALL)))
    suffix, content, fate = ALL[name](rng, marked)
    path = folder / f"{rng.choice(['mask', '000_mask', 'ü m'])}{suffix}"
    path.write_bytes(content)
    size = (int(width), int(height))
    if wrong_size := rng.random() < 0.03:
        size, fate = (size[0] + 1, size[1]), REFUSE
    found = asked(lambda: read_mask(path, size), [path.name], fate != READ)
    if found is None:
        return REFUSED
    told = f"{name} ({suffix}, {width} x {height} px)"
    if fate == REFUSE:
        raise Wrong(f"{told} read as {found.mean():.1%}, though {'of another size' if wrong_size else 'ambiguous'}")
    if found.dtype != bool or not np.array_equal(found, marked):
        raise Wrong(f"{told}: {found.sum()} pixels read, {marked.sum()} marked, {(found & marked).sum()} of both")
    return RIGHT


def touched(length: int, cells: int) -> np.ndarray:
    """Which of so many cells each pixel of a side lies in, wholly or in part, bool (cells, length)."""
    cell, pixel = np.ogrid[:cells, :length]
    return (cell * length < (pixel + 1) * cells) & ((cell + 1) * length > pixel * cells)


def shrink_trial(rng: Rng, folder: Path) -> str:
    """A mask, or two, made as small as a map, from a crop or a whole image: a cell that touches a defect is marked, and
    no other; where the map is the larger one, the cells inside a defect are."""
    width, height = rng.integers(6, 150, 2)
    side = int(rng.choice([7, 14, 28, 56, 64]))
    masks = [shape(rng, width, height) for _ in range(rng.integers(1, 3))]
    names = [f"{number}.png" for number in range(len(masks))]
    Image.fromarray(np.zeros((height, width), np.uint8)).save(folder / "image.png")
    for name, marked in zip(names, masks, strict=True):
        Image.fromarray(marked * np.uint8(255)).save(folder / name)
    whole, box = np.any(masks, axis=0), [0, 0, width, height]
    row = dict.fromkeys(COLUMNS, "") | {"id": "a", "file": "image.png", "mask": "|".join(names), "label": 1}
    if rng.random() < 0.3:
        x, y = int(rng.integers(width - 4)), int(rng.integers(height - 4))
        box = [x, y, int(rng.integers(3, width - x + 1)), int(rng.integers(3, height - y + 1))]
        row |= dict(zip(("x", "y", "width", "height"), map(str, box), strict=True))
    hashes = {name: sha256(folder / name) for name in ("image.png", *names)}
    data = Prepared(None, "all", pd.DataFrame([row | {"sha256": hashes["image.png"]}]), folder, hashes)
    (found,) = masks_of(data, np.array([0]), side)
    part = whole[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    down, right = touched(box[3], side), touched(box[2], side)
    any_defect = (down.astype(int) @ part @ right.T) > 0
    all_defect = (down.astype(int) @ ~part @ right.T) == 0
    smaller = side < min(box[2:])
    kept = not (any_defect & ~found).any() if smaller else not (all_defect & ~found).any() and part.any() <= found.any()
    if not kept or (found & ~any_defect).any():
        raise Wrong(f"{box[2]} x {box[3]} px to {side}: {found.sum()} cells, {any_defect.sum()} touch a defect")
    return RIGHT


@numbered(60, 6000)
def test_a_mask_is_read_as_it_is_or_refused_by_name(tmp_path, record_property, numbers):
    held("masks", read_trial, numbers, tmp_path, record_property)


@numbered(20, 2000)
def test_no_defect_is_lost_where_a_mask_is_shrunk(tmp_path, record_property, numbers):
    held("shrunk masks", shrink_trial, numbers, tmp_path, record_property)
