"""MVTec AD: one subset at a time, masks by name, the release's own division; the card's counts are Table I's."""

import shutil

import pytest
from trees import mask, picture, printed_counts

from devnetlib.data.layouts import mvtec
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse


@pytest.fixture
def carpet(tmp_path):
    """A subset with 3 training normals, 2 test normals, 2 holes and 1 cut, all anomalies with masks."""
    root = tmp_path / "mvtec_anomaly_detection" / "carpet"
    for file in ("train/good/000", "train/good/001", "train/good/002", "test/good/000", "test/good/001"):
        picture(root / f"{file}.png")
    for number, file in enumerate(("hole/001", "cut/000", "hole/000")):  # not in the order of their names
        picture(root / "test" / f"{file}.png")
        mask(root / "ground_truth" / f"{file}_mask.png", marked=(number, 0, number + 1, 1))
    (root / "readme.txt").write_text("readme")
    return root


def test_the_split_and_the_label_come_from_the_folders(carpet):
    table = mvtec.read(carpet).set_index("id")
    assert list(table.index) == sorted(table.index) and len(table) == 8
    assert table["split"].value_counts().to_dict() == {"train": 3, "test": 5}
    assert table[table["label"] == "1"]["defect"].to_dict() == {
        "test-cut-000": "cut",
        "test-hole-000": "hole",
        "test-hole-001": "hole",
    }
    assert (table.loc[table["label"] == "0", ["defect", "mask"]] == "").all(axis=None)


def test_masks_are_paired_by_name_not_by_position(carpet):
    (carpet / "ground_truth" / "hole" / "000_mask.png").unlink()
    table = mvtec.read(carpet).set_index("id")
    assert table.loc["test-hole-000", ["label", "mask"]].tolist() == ["1", ""]
    assert table.loc["test-hole-001", "mask"] == "ground_truth/hole/001_mask.png"
    assert mvtec.remarks(carpet, table.reset_index()) == [
        "test/hole/000.png: no mask ground_truth/hole/000_mask.png; no pixel of it is measured"
    ]


def test_a_whole_subset_gives_no_remark_and_the_same_table_each_time(carpet):
    first = mvtec.read(carpet)
    assert mvtec.remarks(carpet, first) == [] and first.equals(mvtec.read(carpet))


def test_a_mask_without_its_image_is_refused_by_name(carpet):
    (carpet / "test" / "hole" / "001.png").unlink()
    with pytest.raises(Misuse, match=r"001_mask\.png: a mask, but its image test/hole/001\.png is missing"):
        mvtec.read(carpet)


def test_a_mask_of_another_size_is_refused_with_both_sizes(carpet):
    mask(carpet / "ground_truth" / "cut" / "000_mask.png", size=(8, 9))
    with pytest.raises(Misuse, match=r"cut/000_mask\.png: 8 x 9 px, expected 8 x 8 px as test/cut/000\.png"):
        mvtec.read(carpet)


def test_a_file_that_is_no_image_is_named(carpet):
    (carpet / "ground_truth" / "cut" / "000_mask.png").write_bytes(b"")
    with pytest.raises(Misuse, match=r"cut/000_mask\.png: not a readable image"):
        mvtec.read(carpet)


def test_what_a_file_manager_left_behind_is_no_image(carpet):
    (carpet / "test" / "hole" / "._000.png").write_bytes(b"left behind")
    (carpet / "test" / "hole" / "Thumbs.db").write_bytes(b"left behind")
    assert len(mvtec.read(carpet)) == 8


def test_byte_identical_images_share_a_group_and_those_with_both_labels_are_named(carpet):
    shutil.copy(carpet / "train/good/002.png", carpet / "test/hole/001.png")
    table = mvtec.read(carpet)
    group = table.set_index("id")["group"]
    assert group["test-hole-001"] == group["train-good-002"] and group.nunique() == 7
    assert mvtec.remarks(carpet, table) == [
        "byte-identical files: groups 1, surplus copies 1",
        "byte-identical, but normal and anomalous: test/hole/001.png, train/good/002.png",
    ]


def test_a_subset_is_found_alone_in_its_family_and_further_in(carpet):
    shutil.copytree(carpet, carpet.parent / "bottle")
    for place in (carpet, carpet.parent, carpet.parent.parent):
        assert mvtec.find(place, "carpet") == carpet


def test_a_subset_alone_may_have_any_name_but_not_that_of_another_subset(carpet):
    own = carpet.rename(carpet.parent / "my_download")
    assert mvtec.find(own, "carpet") == mvtec.find(own) == own
    other = own.rename(own.parent / "bottle")
    with pytest.raises(Misuse, match="found the subset bottle, expected carpet"):
        mvtec.find(other, "carpet")


def test_a_folder_without_a_subset_is_refused_with_what_it_holds(tmp_path, carpet):
    with pytest.raises(Misuse, match="found carpet, expected tile/ with train/good"):
        mvtec.find(carpet.parent, "tile")
    shutil.rmtree(carpet / "test" / "good")  # a partial download
    with pytest.raises(Misuse, match="expected train/good and test/good"):
        mvtec.find(carpet)
    with pytest.raises(Misuse, match=r"unknown subset of mvtec 'carpets' \(did you mean 'carpet'\?\)"):
        mvtec.find(carpet, "carpets")


def test_the_card_counts_every_subset_as_table_1_does_and_the_family_is_their_sum():
    card = load_card("mvtec").facts
    assert tuple(card["subsets"]) == mvtec.SUBSETS and card["division"] == "release"
    for facts in card["subsets"].values():
        assert facts["counts"] == {"all": printed_counts(**facts["table1"])}
    total = {name: sum(facts["counts"]["all"][name] for facts in card["subsets"].values()) for name in TOTAL}
    assert total == card["counts"]["all"] == TOTAL == printed_counts("MVTec AD")


TOTAL = {"train_normal": 3629, "test_normal": 467, "test_anomaly": 1258}
