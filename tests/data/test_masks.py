"""Masks at the size of a map: whatever is marked keeps its place, and images are told apart from what is marked."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from devnetlib.data.intake import get
from devnetlib.data.masks import has_masks, masks_of, resized
from devnetlib.data.prepare import prepare
from devnetlib.errors import Incomplete
from tests.trees import mask, picture

EDGE = 24


def by_hand(whole: np.ndarray, pixels: int) -> np.ndarray:
    """A shrunk mask cell by cell, from the definition: marked if it shares some area with a marked pixel."""
    height, width = whole.shape
    found = np.zeros((pixels, pixels), bool)
    for y, x in np.argwhere(whole):
        for row in range(pixels):
            for column in range(pixels):
                down = row * height < (y + 1) * pixels and (row + 1) * height > y * pixels
                across = column * width < (x + 1) * pixels and (column + 1) * width > x * pixels
                found[row, column] |= down and across
    return found


@pytest.mark.parametrize("shape", [(25, 47), (24, 100), (61, 61), (48, 24)])
def test_a_mask_that_shrinks_marks_every_cell_that_a_marked_pixel_touches(shape):
    whole = np.random.default_rng(sum(shape)).random(shape) < 0.02
    assert whole.any() and np.array_equal(resized(whole, EDGE), by_hand(whole, EDGE))


@pytest.mark.parametrize("shape", [(12, 12), (24, 24), (7, 19), (1, 1)])
def test_a_mask_that_grows_takes_the_nearest_pixel(shape):
    whole = np.random.default_rng(sum(shape)).random(shape) < 0.4
    nearest = Image.fromarray(whole).resize((EDGE, EDGE), Image.Resampling.NEAREST)
    assert np.array_equal(resized(whole, EDGE), np.asarray(nearest))


def test_a_scratch_of_two_pixels_on_two_thousand_is_kept_wherever_it_lies():
    for place in range(300, 1100, 101):
        whole = np.zeros((2000, 2000), bool)
        whole[:, place : place + 2] = True
        assert resized(whole, 224).any(axis=1).all() and resized(whole, 224).sum() in (224, 448)


@pytest.fixture
def tiles(tmp_path):
    """A folder of one's own as MVTec AD, its holes 3 x 200 px with a mask each, but for the last."""
    root = tmp_path / "tiles"
    for file in ("train/good/0", "train/good/1", "test/good/0", "test/hole/0", "test/hole/1", "test/hole/2"):
        picture(root / f"{file}.png", (200, 200))
    for number in range(2):
        mask(root / f"ground_truth/hole/{number}_mask.png", (200, 200), (0, 90 + number, 200, 91 + number))
    return root


def test_masks_of_a_folder_of_ones_own_keep_thin_defects(tiles, tmp_path):
    get("my/tiles", tiles, True, tmp_path / "data")
    data = prepare("my/tiles", data_root=tmp_path / "data")
    rows = np.flatnonzero(data.table["mask"] != "")
    assert masks_of(data, rows, EDGE).any(axis=(1, 2)).all() and len(rows) == 2


def test_a_mask_of_an_anomalous_image_that_marks_nothing_is_remarked(tiles, tmp_path):
    mask(tiles / "ground_truth/hole/1_mask.png", (200, 200), None)
    said = get("my/tiles", tiles, True, tmp_path / "data")
    assert "ground_truth/hole/1_mask.png: marks nothing of test/hole/1.png" in said


def test_a_mask_that_marks_a_normal_image_is_refused_and_an_empty_one_is_not(tiles, tmp_path):
    mask(tiles / "ground_truth/good/0_mask.png", (200, 200), None)
    get("my/tiles", tiles, True, tmp_path / "data")
    mask(tiles / "ground_truth/good/0_mask.png", (200, 200))
    with pytest.raises(Incomplete, match=r"good/0_mask\.png: marks 0\.01% of test/good/0\.png, a normal image"):
        get("my/tiles", tiles, True, tmp_path / "data")


def test_an_ambiguous_mask_is_refused_when_a_set_is_prepared(tiles, tmp_path):
    Image.effect_noise((200, 200), 60).save(tiles / "ground_truth/hole/0_mask.png")
    with pytest.raises(Incomplete, match=r"hole/0_mask\.png: not a plain mask: .* above 0 or .* write 0 for normal"):
        get("my/tiles", tiles, True, tmp_path / "data")


def test_masks_of_normal_images_alone_are_none():
    table = pd.DataFrame({"mask": ["a.png", ""], "label": [0, 1]})
    assert not has_masks(table) and has_masks(table.assign(label=1))
