"""SDD: thirds of commutators, masks that decide, copies that share a group; on a small tree and on the real files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devnetlib.data.layouts import kolektorsdd
from devnetlib.data.manifests import MANIFESTS, load_card, read_as, read_table, write_table
from devnetlib.data.prepare import counts
from devnetlib.data.splits import draw_partition
from devnetlib.errors import Misuse

RNG = np.random.default_rng(0)
WIDTH, HEIGHT = 10, 32  # thirds of 10, 11 and 11 rows


def add(root: Path, part: str, *marked: int, value: int = 1, surface: np.ndarray | None = None) -> None:
    """Write an image and its palette mask, `value` in one pixel of each of the rows named."""
    file = root / f"{part}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    surface = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8) if surface is None else surface
    Image.fromarray(surface).save(file)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[list(marked), 4] = value
    image = Image.fromarray(mask, "P")
    image.putpalette([0, 0, 0, 0, 0, 0, 255, 0, 0])  # index 1 is as black as index 0
    image.save(root / f"{part}_label.bmp")


@pytest.fixture
def release(tmp_path):
    root = tmp_path / "release"
    add(root, "kos01/Part0")
    add(root, "kos01/Part1", 12)
    add(root, "kos02/Part0", 9, 10, value=2)
    return root


def labels(root: Path) -> dict[str, str]:
    table = kolektorsdd.read(root)
    return dict(zip(table["id"], table["label"], strict=True))


def test_thirds_are_cut_at_a_third_and_two_thirds_of_the_height_rounded_down_and_leave_no_row_out(release):
    first = kolektorsdd.read(release).iloc[:3]
    assert first["id"].tolist() == ["kos01_Part0_0", "kos01_Part0_1", "kos01_Part0_2"]
    assert first["y"].tolist() == ["0", "10", "21"] and first["height"].tolist() == ["10", "11", "11"]
    assert set(first["x"]) == {"0"} and set(first["width"]) == {"10"} and set(first["file"]) == {"kos01/Part0.jpg"}


def test_a_third_is_anomalous_if_its_mask_has_any_index_above_0_and_other_thirds_of_the_image_are_normal(release):
    anomalous = {name for name, label in labels(release).items() if label == "1"}
    assert anomalous == {"kos01_Part1_1", "kos02_Part0_0", "kos02_Part0_1"}


def test_only_anomalous_thirds_name_a_mask_and_a_defect(release):
    for row in kolektorsdd.read(release).itertuples():
        named = f"{row.file.removesuffix('.jpg')}_label.bmp" if row.label == "1" else ""
        assert row.mask == named and bool(row.defect) == (row.label == "1")


def test_the_commutator_is_the_group_and_two_with_the_same_image_are_one(release):
    (release / "kos07").mkdir()
    for name in ("Part0.jpg", "Part0_label.bmp"):
        (release / "kos07" / name).write_bytes((release / "kos02" / name).read_bytes())
    table = kolektorsdd.read(release)
    groups = {
        commutator: set(table.loc[table["id"].str.startswith(commutator), "group"])
        for commutator in ("kos01", "kos02", "kos07")
    }
    assert groups == {"kos01": {"kos01"}, "kos02": {"kos02"}, "kos07": {"kos02"}}


def test_a_missing_mask_is_named_and_counts_as_no_defect(release):
    (release / "kos01" / "Part1_label.bmp").unlink()
    table = kolektorsdd.read(release)
    assert table.loc[table["file"] == "kos01/Part1.jpg", "label"].tolist() == ["0", "0", "0"]
    assert kolektorsdd.remarks(release, table) == ["kos01/Part1.jpg: no mask, taken as free of defects"]


def test_a_mask_without_an_image_is_named(release):
    (release / "kos01" / "Part0.jpg").unlink()
    (remark,) = kolektorsdd.remarks(release, kolektorsdd.read(release))
    assert remark == "kos01/Part0_label.bmp: a mask without an image, not used"


def test_copies_whose_masks_differ_are_named_with_both_sizes(release):
    surface = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    add(release, "kos03/Part0", 3, surface=surface)
    add(release, "kos04/Part0", 3, 4, 5, surface=surface)
    assert kolektorsdd.remarks(release, kolektorsdd.read(release)) == [
        "kos03/Part0.jpg and kos04/Part0.jpg: the same bytes, but 1 and 3 defect pixels in the masks"
    ]


def test_an_untouched_release_calls_for_no_remark(release):
    assert kolektorsdd.remarks(release, kolektorsdd.read(release)) == []


def test_a_mask_of_another_size_is_refused_by_name(release):
    Image.new("L", (WIDTH, HEIGHT + 1)).save(release / "kos01" / "Part0_label.bmp")
    with pytest.raises(Misuse, match=r"Part0_label\.bmp: a mask of \(10, 33\) px for an image of \(10, 32\) px"):
        kolektorsdd.read(release)


@pytest.mark.parametrize("name", ["Part1.jpg", "Part1_label.bmp"])
@pytest.mark.parametrize("kept", [0, 30])
def test_a_truncated_image_or_mask_is_refused_by_name(release, name, kept):
    damaged = release / "kos01" / name
    damaged.write_bytes(damaged.read_bytes()[:kept])
    with pytest.raises(Misuse, match=rf"kos01/{name}: not a readable image"):
        kolektorsdd.read(release)


def test_stray_files_change_nothing(release):
    before = kolektorsdd.read(release)
    (release / "labels.csv").write_text("stray")
    (release / "kos01" / "Thumbs.db").write_bytes(b"stray")
    assert kolektorsdd.read(release).equals(before)


@pytest.mark.parametrize("nested", ["", "KolektorSDD", "a/b"])
def test_the_release_is_found_in_the_folder_or_in_one_inside_it(release, tmp_path, nested):
    place = tmp_path / "given" / nested
    place.parent.mkdir(parents=True, exist_ok=True)
    release.rename(place)
    assert kolektorsdd.find(tmp_path / "given") == place


def test_a_folder_without_the_release_or_without_any_mask_is_refused_in_one_line(release, tmp_path):
    (tmp_path / "empty").mkdir()
    for mask in release.glob("*/*_label.bmp"):
        mask.unlink()
    for folder in (tmp_path / "empty", release, tmp_path / "absent"):
        with pytest.raises(
            Misuse, match=r"expected folders kosNN with files PartM\.jpg and PartM_label\.bmp"
        ) as caught:
            kolektorsdd.find(folder)
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def committed():
    return read_table(MANIFESTS / "kolektorsdd.csv")


def test_the_committed_table_counts_what_the_card_says_for_both_readings(committed):
    card = load_card("kolektorsdd").facts
    assert counts(read_as(committed)) == card["counts"]["code"]
    table1 = kolektorsdd.table1(committed).groupby(["label", "split"]).size().to_dict()
    assert table1 == {("0", "train"): 594, ("0", "test"): 286, ("1", "test"): 54}


def test_the_reading_table1_keeps_its_division_whatever_the_order_of_the_rows(committed):
    first, turned = kolektorsdd.table1(committed), kolektorsdd.table1(committed.iloc[::-1])
    assert first.equals(turned.iloc[::-1]) and set(first["id"]) < set(committed["id"])


def test_a_partition_of_the_reading_table1_has_the_printed_sizes(committed):
    table = kolektorsdd.table1(committed)
    table = table.assign(label=table["label"].astype(int))
    partition = draw_partition(table, dataset="kolektorsdd", reading="table1", anomalies=10)
    assert len(partition.train) == 594 and sum(partition.test_label) == 44
    assert len(partition.test) == 286 + 44


def test_two_of_the_52_defects_cross_a_cut_and_47_groups_keep_the_copies_together(committed):
    defective = committed[committed["label"] == "1"].groupby("file").size()
    assert len(defective) == 52 and defective[defective > 1].index.tolist() == ["kos03/Part2.jpg", "kos15/Part3.jpg"]
    images = committed.drop_duplicates("file")
    copies = images[images["sha256"].duplicated(keep=False)]
    assert len(copies) == 32 and copies["sha256"].nunique() == 16
    assert set(copies["group"]) == {"kos01", "kos27"} and images["group"].nunique() == 47


def test_the_committed_table_is_what_the_reader_makes_of_the_real_files(raw, committed, tmp_path):
    root = kolektorsdd.find(raw("kolektorsdd"))
    table = kolektorsdd.read(root)
    write_table(table, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == (MANIFESTS / "kolektorsdd.csv").read_bytes()
    remarks = kolektorsdd.remarks(root, table)
    assert sum("the same bytes" in remark for remark in remarks) == 16
    assert [remark for remark in remarks if "defect pixels" in remark] == [
        "kos01/Part5.jpg and kos26/Part5.jpg: the same bytes, but 1143 and 1706 defect pixels in the masks",
        "kos27/Part0.jpg and kos34/Part0.jpg: the same bytes, but 4087 and 2988 defect pixels in the masks",
    ]
