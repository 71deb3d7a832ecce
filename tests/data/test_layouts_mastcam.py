"""Mastcam: arrays of six bands, the release's own division, every novel tile once."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from trees import array, printed_counts

from devnetlib.data.images import load_image
from devnetlib.data.layouts import mastcam
from devnetlib.data.layouts.arrays import open_npy
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse


@pytest.fixture
def mars(tmp_path):
    """3 training and 2 test tiles, 2 drill holes, 1 vein, and the folder `all` with copies of the three."""
    root = tmp_path / "mars"
    for number in range(3):
        array(root / "train_typical" / f"mcam0000{number}_tile{number}.npy")
    for number in range(2):
        array(root / "test_typical" / f"mcam0001{number}_tile.npy")
    for file in ("drill-hole/mcam00020_1", "drill-hole/mcam00020_2", "veins/mcam00021_1"):
        novel = array(root / "test_novel" / f"{file}.npy")
        (root / "test_novel" / "all").mkdir(exist_ok=True)
        shutil.copy(novel, root / "test_novel" / "all")
    return root


def test_the_release_divides_and_the_folder_all_is_passed_over(mars):
    table = mastcam.read(mars)
    assert table.groupby(["split", "label"]).size().to_dict() == {
        ("train", "0"): 3,
        ("test", "0"): 2,
        ("test", "1"): 3,
    }
    assert table.loc[table["label"] == "1", "defect"].tolist() == ["drill-hole", "drill-hole", "veins"]
    assert mastcam.remarks(mars, table) == []


def test_with_and_without_the_folder_all_the_table_is_the_same(mars):
    before = mastcam.read(mars)
    shutil.rmtree(mars / "test_novel" / "all")
    assert mastcam.read(mars).equals(before)


def test_a_tile_in_two_classes_stands_once_and_is_reported(mars):
    shutil.copy(mars / "test_novel/veins/mcam00021_1.npy", mars / "test_novel/drill-hole/renamed.npy")
    table = mastcam.read(mars)
    assert (table["label"] == "1").sum() == 3 and table["sha256"].is_unique
    assert table.set_index("id")["defect"]["test_novel-drill-hole-renamed"] == "drill-hole"
    assert mastcam.remarks(mars, table) == [
        "the same novel tile several times, kept once: "
        "test_novel/drill-hole/renamed.npy, test_novel/veins/mcam00021_1.npy"
    ]


def test_a_tile_in_all_alone_is_reported_and_not_read(mars):
    array(mars / "test_novel" / "all" / "lone.npy")
    table = mastcam.read(mars)
    assert mastcam.remarks(mars, table) == ["test_novel/all/lone.npy: in no class, not read"]


def test_tiles_of_one_sequence_share_a_group_and_copies_join_two(mars):
    group = mastcam.read(mars).set_index("id")["group"]
    assert group["test_novel-drill-hole-mcam00020_1"] == group["test_novel-drill-hole-mcam00020_2"] == "mcam00020"
    shutil.copy(mars / "train_typical/mcam00002_tile2.npy", mars / "test_novel/veins/mcam00020_9.npy")
    table = mastcam.read(mars)
    joined = table.set_index("id")["group"]
    assert joined["test_novel-drill-hole-mcam00020_1"] == joined["train_typical-mcam00002_tile2"] == "mcam00002"
    assert any("normal and anomalous" in line for line in mastcam.remarks(mars, table))


def test_sequences_set_aside_and_other_shapes_are_read_and_reported(mars):
    array(mars / "train_typical" / "mcam01052_tile.npy")
    array(mars / "train_typical" / "mcam00009_tile.npy", shape=(64, 60, 6))
    table = mastcam.read(mars)
    assert len(table) == 10
    assert mastcam.remarks(mars, table) == [
        "1 tiles of shape (64, 60, 6), not (64, 64, 6)",
        "1 tiles of mcam01052 and mcam06606, which the release's authors leave out",
    ]


def test_the_first_three_bands_are_red_green_and_blue(tmp_path):
    values = np.full((64, 64, 6), [10.9, 20, 255, 1000, -5, np.nan])
    np.save(tmp_path / "tile.npy", values)
    opened = open_npy(tmp_path / "tile.npy")
    assert opened.mode == "RGB" and opened.size == (64, 64)
    assert opened.getpixel((5, 9)) == (10, 20, 255)
    assert load_image(tmp_path / "tile.npy", 16).getpixel((3, 3)) == (10, 20, 255)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((64, 64)),
        np.zeros((64, 64, 2)),
        np.zeros((0, 64, 6)),
        np.full((64, 64, 6), 256.0),
        np.full((64, 64, 6), -1),
        np.full((64, 64, 6), np.nan),
        np.full((64, 64, 6), 1j),
        np.full((2, 2, 3), {"an": "object"}, dtype=object),
    ],
    ids=["flat", "two bands", "empty", "too large", "negative", "no number", "complex", "pickled objects"],
)
def test_an_array_that_is_no_picture_is_refused_by_name(mars, values):
    np.save(mars / "train_typical" / "bad.npy", values)
    with pytest.raises(Misuse, match=r"train_typical/bad\.npy: not a readable image"):
        mastcam.read(mars)


class Trap:
    """An object that leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_pickled_object_in_an_array_file_is_never_run(mars, tmp_path):
    np.save(mars / "train_typical" / "bad.npy", np.full((2, 2, 3), Trap(tmp_path / "sprung"), dtype=object))
    with pytest.raises(Misuse, match=r"train_typical/bad\.npy: not a readable image"):
        mastcam.read(mars)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("length", [0, 40, 4000])
def test_a_truncated_array_is_refused_by_name(mars, length):
    path = mars / "test_novel" / "veins" / "mcam00021_1.npy"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(Misuse, match=r"veins/mcam00021_1\.npy: not a readable image"):
        mastcam.read(mars)


def test_the_folder_is_found_and_an_incomplete_one_refused(mars):
    assert mastcam.find(mars.parent) == mars
    shutil.rmtree(mars / "test_typical")
    with pytest.raises(Misuse, match="found test_novel, train_typical, expected train_typical, test_typical"):
        mastcam.find(mars)


def test_an_empty_folder_is_refused(mars):
    for path in (mars / "test_typical").iterdir():
        path.unlink()
    with pytest.raises(Misuse, match=r"holds no \.npy file"):
        mastcam.read(mars)


def test_the_card_expects_451_novel_tiles_as_table_1_prints():
    counts = load_card("mastcam").facts["counts"]
    assert counts == {"first_three": printed_counts("Mastcam")}
    assert counts["first_three"]["test_anomaly"] == 451 and load_card("mastcam").facts["division"] == "release"
