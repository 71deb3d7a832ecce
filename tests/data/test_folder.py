"""A folder of your own: both forms are read, and what is wrong with one is said by name."""

import re
import shutil

import pytest
from trees import mask, picture

from devnetlib.data.layouts import folder
from devnetlib.errors import Misuse

GOOD = ("train/good/0.png", "train/good/1.jpg", "test/good/0.png")
BAD = ("test/hole/0.png", "test/hole/1.png", "test/cut/0.bmp")


@pytest.fixture
def divided(tmp_path):
    """The form of MVTec AD, with masks for the holes."""
    root = tmp_path / "tiles"
    for file in (*GOOD, *BAD):
        picture(root / file)
    mask(root / "ground_truth/hole/0_mask.png")
    mask(root / "ground_truth/hole/1.png")  # without the ending of MVTec AD
    return root


@pytest.fixture
def plain(tmp_path):
    """The form of two folders, one anomaly of which has a class."""
    root = tmp_path / "tiles"
    for file in ("normal/a.png", "normal/b.JPG", "normal/line 1/c.tiff", "anomaly/d.png", "anomaly/crack/e.jpeg"):
        picture(root / file)
    return root


def test_the_form_of_mvtec_gives_split_label_class_and_masks_by_name(divided):
    table = folder.read(divided).set_index("id")
    assert sorted(table.index) == list(table.index) == sorted([*GOOD, *BAD])
    assert table.loc[list(GOOD), "split"].tolist() == ["train", "train", "test"]
    assert table.loc[list(BAD), ["split", "label", "defect"]].to_numpy().tolist() == [
        ["test", "1", "hole"],
        ["test", "1", "hole"],
        ["test", "1", "cut"],
    ]
    masks = table["mask"][table["mask"] != ""].to_dict()
    assert masks == {"test/hole/0.png": "ground_truth/hole/0_mask.png", "test/hole/1.png": "ground_truth/hole/1.png"}


def test_two_folders_give_labels_and_no_division(plain):
    table = folder.read(plain).set_index("id")
    assert set(table["split"]) == {""} and set(table["mask"]) == {""}
    assert table["defect"][table["label"] == "1"].to_dict() == {
        "anomaly/d.png": "anomaly",
        "anomaly/crack/e.jpeg": "crack",
    }
    assert table.index[table["label"] == "0"].tolist() == ["normal/a.png", "normal/b.JPG", "normal/line 1/c.tiff"]


def test_the_same_folder_gives_the_same_table_and_no_remark(plain):
    assert folder.read(plain).equals(folder.read(plain))
    assert folder.remarks(plain, folder.read(plain)) == []


def test_either_form_is_found_itself_or_further_in(divided):
    assert folder.find(divided) == folder.find(divided.parent) == divided


@pytest.mark.parametrize("lost", ["train", "test", "train/good"])
def test_a_folder_of_neither_form_is_refused_with_both(divided, lost):
    shutil.rmtree(divided / lost)
    with pytest.raises(Misuse, match=r"expected train/good with test/good and test/<class>, or normal with anomaly"):
        folder.find(divided)


@pytest.mark.parametrize(
    ("emptied", "told"),
    [
        ("train/good", "no image in train/good"),
        ("test/good", "no image in test/good"),
        ("test/hole test/cut ground_truth", "no image in test/<class>"),
    ],
)
def test_a_part_without_images_is_named_in_the_form_of_mvtec(divided, emptied, told):
    for name in emptied.split():
        shutil.rmtree(divided / name)
        (divided / name).mkdir()
    with pytest.raises(Misuse, match=told):
        folder.read(divided)


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("normal/a.png normal/b.JPG", "fewer than two images in normal"),
        ("anomaly/d.png anomaly/crack/e.jpeg", "no image in anomaly"),
    ],
)
def test_a_part_with_too_few_images_is_named_in_the_form_of_two_folders(plain, lost, told):
    for name in lost.split():
        (plain / name).unlink()
    with pytest.raises(Misuse, match=told):
        folder.read(plain)


def test_two_images_that_differ_in_their_suffix_alone_are_two_samples(plain):
    picture(plain / "normal/a.jpg")
    assert {"normal/a.png", "normal/a.jpg"} <= set(folder.read(plain)["id"])


def test_masks_that_fit_no_image_or_not_its_size_are_refused_by_name(divided):
    extra = mask(divided / "ground_truth/hole/7_mask.png")
    with pytest.raises(Misuse, match=r"hole/7_mask\.png: a mask, but there is no anomalous image test/hole/7"):
        folder.read(divided)
    extra.unlink()
    mask(divided / "ground_truth/hole/0_mask.png", size=(9, 8))
    with pytest.raises(Misuse, match=r"hole/0_mask\.png: 9 x 8 px, expected 8 x 8 px as test/hole/0"):
        folder.read(divided)


def test_a_second_mask_of_one_image_is_refused(divided):
    mask(divided / "ground_truth/hole/1_mask.png")
    with pytest.raises(Misuse, match=r"a second mask of test/hole/1, beside ground_truth/hole/1"):
        folder.read(divided)


def test_a_mask_of_one_image_of_two_that_share_a_stem_is_given_to_one_alone(divided):
    picture(divided / "test/hole/0.jpg")
    assert (folder.read(divided)["mask"] == "ground_truth/hole/0_mask.png").sum() == 1


def test_what_is_missing_or_not_read_is_remarked(divided):
    picture(divided / "test/stray.png")
    picture(divided / "other/stray.png")
    shutil.copy(divided / "train/good/0.png", divided / "test/good/copy.png")
    assert folder.remarks(divided, folder.read(divided)) == [
        "test/cut/0.bmp: no mask; no pixel of it is measured",
        "other/stray.png: in no folder of the layout, not read",
        "test/stray.png: in no folder of the layout, not read",
        "byte-identical files: groups 1, surplus copies 1",
    ]


def test_byte_identical_images_share_a_group(plain):
    shutil.copy(plain / "normal/a.png", plain / "anomaly/f.png")
    table = folder.read(plain).set_index("id")
    assert table.loc["normal/a.png", "group"] == table.loc["anomaly/f.png", "group"]


def test_what_a_file_manager_leaves_behind_is_no_image(plain):
    (plain / "normal/._a.png").write_bytes(b"left behind")
    (plain / "normal/Thumbs.db").write_bytes(b"left behind")
    assert len(folder.read(plain)) == 5


@pytest.mark.parametrize(("form", "division"), [("divided", "release"), ("plain", "3:1")])
def test_the_card_of_a_folder_says_how_it_is_divided_and_keeps_to_the_schema(request, form, division):
    import json

    import jsonschema

    from devnetlib.data.manifests import MANIFESTS

    found = {"train_normal": 2, "test_normal": 1, "test_anomaly": 2}
    facts = folder.facts("my/tiles", folder.read(request.getfixturevalue(form)), found)
    jsonschema.validate(facts, json.loads((MANIFESTS / "card.schema.json").read_text()))
    assert facts["division"] == division and facts["counts"] == {"all": found}
    assert re.search(r"data prepare my/tiles --from FOLDER", facts["obtain"][-1])
