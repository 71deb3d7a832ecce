"""A folder of your own: both forms are read, and what is wrong with one is said by name."""

import re
import shutil

import pytest
from PIL import Image
from trees import mask, picture

from devnetlib.data.images import load_image
from devnetlib.data.intake import get
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
    with pytest.raises(Misuse, match=r"a second mask of test/hole/1\.png, beside ground_truth/hole/1"):
        folder.read(divided)


@pytest.mark.parametrize("twin", ["0.jpg", "0_mask.png"])
def test_a_mask_that_fits_two_images_is_given_to_neither_and_both_are_named(divided, twin):
    picture(divided / "test/hole" / twin)
    with pytest.raises(Misuse, match=rf"0_mask\.png: a mask, but it fits .*test/hole/{twin}"):
        folder.read(divided)


def test_a_name_that_ends_as_a_masks_does_may_be_an_images(divided):
    (divided / "test/hole/0.png").rename(divided / "test/hole/0_mask.png")
    assert folder.read(divided).set_index("id")["mask"]["test/hole/0_mask.png"] == "ground_truth/hole/0_mask.png"


@pytest.mark.parametrize("name", ["d_mask.png", "d_mask_1.png", "d_GT.bmp", "d-label.png", "d.seg.png"])
@pytest.mark.parametrize("part", ["anomaly", "normal"])
def test_a_mask_that_lies_beside_its_image_is_never_read_as_one_more_image(plain, part, name):
    picture(plain / part / "d.png")
    mask(plain / part / name)
    with pytest.raises(Misuse, match=rf"{part}/{re.escape(name)}: named as the mask of d beside it, among"):
        folder.read(plain)


@pytest.mark.parametrize("name", ["test/hole/1_mask.png", "test/hole/1_LABEL.bmp", "train/good/0_gt.png"])
def test_a_mask_beside_its_image_is_not_taken_for_an_image(divided, name):
    mask(divided / name)
    with pytest.raises(Misuse, match=rf"{name}: named as the mask of \d beside it, among the images; move the masks"):
        folder.read(divided)


@pytest.mark.parametrize("inside", ["anomaly/masks", "anomaly/crack/Ground_Truth"])
def test_a_folder_of_masks_is_no_class_of_defects(plain, inside):
    mask(plain / inside / "e.png")
    with pytest.raises(Misuse, match=rf"{inside}/e\.png: in a folder of masks, among the images"):
        folder.read(plain)


def test_a_mask_named_by_its_ending_alone_fits_the_image_of_that_name(divided):
    path = mask(divided / "ground_truth/hole/_mask.png")
    with pytest.raises(Misuse, match=r"/_mask\.png: a mask, but there is no anomalous image test/hole/_mask"):
        folder.read(divided)
    picture(divided / "test/hole/_mask.png")
    assert folder.read(divided).set_index("id")["mask"]["test/hole/_mask.png"] == "ground_truth/hole/_mask.png"
    assert path.is_file()


def test_a_mask_with_a_bar_in_its_name_is_refused_since_it_would_be_two(divided):
    (divided / "test/hole/0.png").rename(divided / "test/hole/0|1.png")
    (divided / "ground_truth/hole/0_mask.png").rename(divided / "ground_truth/hole/0|1_mask.png")
    with pytest.raises(Misuse, match=r"0\|1_mask\.png: a mask with \| in its path"):
        folder.read(divided)


@pytest.mark.parametrize("name", ["Good", "GOOD", "good "])
def test_normal_images_in_other_letters_are_not_taken_for_a_class_of_defects(divided, name):
    picture(divided / "test" / name / "9.png")
    with pytest.raises(Misuse, match=rf"test/{name}: a class named as the normal images are, test/good; rename one"):
        folder.read(divided)


@pytest.mark.parametrize("masks", ["ground_truth", "masks"])
@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("anomaly/d.png", ["d_mask.png", "d.bmp", "anomaly/d_mask.tif"]),
        ("anomaly/crack/e.jpeg", ["crack/e_mask.png", "e_mask.png", "e.png", "anomaly/crack/e.png"]),
    ],
)
def test_masks_beside_two_folders_are_paired_by_class_and_name(plain, masks, image, found):
    for name in found:
        path = mask(plain / masks / name)
        table = folder.read(plain).set_index("id")
        assert table["mask"][table["mask"] != ""].to_dict() == {image: f"{masks}/{name}"}
        path.unlink()


def test_masks_beside_two_folders_that_fit_none_or_several_images_are_named(plain, tmp_path):
    picture(plain / "anomaly/hole/e.png")
    for name in ("e_mask.png", "normal/a.png", "crack/d.png", "d.png"):
        mask(plain / "ground_truth" / name)
    said = get("my/tiles", plain, False, tmp_path / "root")
    assert "3 files (ground_truth/crack/d.png, ground_truth/e_mask.png, ground_truth/normal/a.png): " in said[-1]
    assert said[-1].endswith("a mask that fits no anomalous image, or several, not read")


def test_every_file_is_read_or_counted_in_a_remark_with_the_reason(divided, tmp_path_factory):
    for name in ("test/stray.png", "other/stray.png", "train/Good/0.png", "train/Good/1.webp", "normal/0.png"):
        picture(divided / name)
    (divided / "train/good/loop").symlink_to(divided)
    (divided / "test/hole/lost.png").symlink_to("nowhere")
    for name in (".git/1", ".git/2", "__MACOSX/._a.png", "train/good/Thumbs.db", "notes", "a.txt", "b.TXT", "a.heic"):
        (divided / name).parent.mkdir(exist_ok=True)
        (divided / name).write_text("no image")
    picture(divided.parent / "tiles 2/train/good/0.png")
    said = get("my/tiles", divided.parent, False, tmp_path_factory.mktemp("root"))
    assert said == [
        "test/cut/0.bmp: no mask; no pixel of it is measured",
        "4 files (tiles/.git/1, tiles/.git/2, tiles/__MACOSX/._a.png, ...): hidden, or left behind by a file manager, "
        "not read",
        "tiles/a.heic: no image by its name, not read",
        "2 files (tiles/a.txt, tiles/b.TXT): no image by its name, not read",
        "5 files (tiles/normal/0.png, tiles/other/stray.png, tiles/test/stray.png, ...): in no folder of the layout, "
        "not read",
        "tiles/notes: no image by its name, not read",
        "tiles/test/hole/lost.png: a link to nothing, not read",
        "tiles/train/good/loop: a link to a folder that it lies in, not read",
        "tiles 2/train/good/0.png: outside tiles, which is the set, not read",
    ]


def test_links_to_folders_and_files_are_read_and_one_that_leads_back_ends(plain, tmp_path):
    for number in range(3):
        picture(tmp_path / f"elsewhere/dent/{number}.png")
    (plain / "anomaly/dent").symlink_to(tmp_path / "elsewhere/dent")
    (plain / "normal/d.png").symlink_to(tmp_path / "elsewhere/dent/0.png")
    (plain / "normal/loop").symlink_to(plain / "normal")
    table = folder.read(plain)
    assert (table["defect"] == "dent").sum() == 3 and "normal/d.png" in set(table["id"]) and len(table) == 9


@pytest.mark.parametrize(
    "suffix", ["webp", "gif", "pgm", "ppm", "pbm", "jfif", "jpe", "jp2", "j2k", "qoi", "avif", "TIF"]
)
def test_an_image_is_read_whatever_still_picture_its_name_says(plain, suffix):
    Image.new("RGB", (8, 8), (9, 8, 7)).save(plain / f"normal/z.{suffix}")
    assert f"normal/z.{suffix}" in set(folder.read(plain)["id"])
    assert load_image(plain / f"normal/z.{suffix}", 4).size == (4, 4)


def test_byte_identical_files_and_missing_masks_are_remarked(divided):
    shutil.copy(divided / "train/good/0.png", divided / "test/good/copy.png")
    assert folder.remarks(divided, folder.read(divided)) == [
        "test/cut/0.bmp: no mask; no pixel of it is measured",
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
