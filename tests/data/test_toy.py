"""The toy: the same images everywhere, and masks that say exactly what was drawn."""

import numpy as np
import pytest
from PIL import Image

from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.toy import DEFECTS, SIZE, toy_image


def test_an_image_is_the_same_each_time_it_is_drawn_and_another_number_gives_another():
    assert np.array_equal(toy_image(3, "hole")[0], toy_image(3, "hole")[0])
    assert not np.array_equal(toy_image(3, "hole")[0], toy_image(4, "hole")[0])


def test_a_clean_image_has_an_empty_mask():
    image, mask = toy_image(0)
    assert image.shape == mask.shape == (SIZE, SIZE) and image.dtype == np.uint8 and not mask.any()


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("number", range(0, 20, 4))
def test_the_mask_is_exactly_where_the_defect_changed_the_surface(monkeypatch, defect, number):
    image, mask = toy_image(number, defect)
    monkeypatch.setattr("devnetlib.data.toy.hole", lambda rng, size: np.zeros((size, size), bool))
    monkeypatch.setattr("devnetlib.data.toy.scratch", lambda rng, size: np.zeros((size, size), bool))
    clean, _ = toy_image(number, defect)
    assert mask.any() and np.array_equal(image[~mask], clean[~mask])
    assert (image[mask] != clean[mask]).mean() > 0.95


def test_every_defect_file_has_a_mask_of_its_size_and_no_clean_one_has(toy):
    for row in toy.table.itertuples():
        assert bool(row.mask) == (row.label == 1) == bool(row.defect)
    first = toy.table[toy.table["mask"] != ""].iloc[0]
    assert Image.open(toy.root / first["mask"]).size == Image.open(toy.root / first["file"]).size == (SIZE, SIZE)


def test_it_is_drawn_once_and_a_second_call_finds_it(tmp_path):
    root = LAYOUTS["toy"].locate(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.png")}
    assert LAYOUTS["toy"].locate(tmp_path) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.png")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
