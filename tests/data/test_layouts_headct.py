"""HeadCT: labels from a file whose header has a blank, order and mode that give them away; on a small tree and on the
real files."""

import numpy as np
import pytest
from PIL import Image

from devnetlib.data.layouts import headct
from devnetlib.data.manifests import MANIFESTS, load_card, read_as, read_table, write_table
from devnetlib.data.prepare import counts
from devnetlib.errors import Misuse
from tests.trees import scan

IMAGES = "head_ct/head_ct"


@pytest.fixture
def release(tmp_path):
    """Two slices with a haemorrhage, two without, one of them RGBA."""
    root = tmp_path / "release"
    (root / IMAGES).mkdir(parents=True)
    for number in range(4):
        scan(number).convert("RGBA" if number == 3 else "RGB").save(root / IMAGES / f"{number:03d}.png")
    (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,1\n2,0\n3,0\n")
    return root


def test_labels_come_from_the_file_whose_header_has_a_blank_after_the_comma(release):
    table = headct.read(release)
    assert table["id"].tolist() == ["000", "001", "002", "003"] and table["label"].tolist() == ["1", "1", "0", "0"]
    assert table["file"].tolist() == [f"{IMAGES}/{name}.png" for name in table["id"]]
    assert table["defect"].tolist() == ["haemorrhage", "haemorrhage", "", ""]


def test_the_order_of_the_label_file_changes_nothing(release):
    before = headct.read(release)
    (release / "labels.csv").write_text("id, hemorrhage\n3,0\n1,1\n0,1\n2,0\n")
    assert headct.read(release).equals(before)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "id, hemorrhage\n",
        "number,label\n0,1\n",
        "id, hemorrhage\n0,2\n",
        "id, hemorrhage\nx,1\n",
        "id, hemorrhage\n0,\n",
        "id, hemorrhage\n0,1\n0,0\n",
        "id, hemorrhage\n0,1,2,3\n4\n",
        "\x00\x01",
    ],
)
def test_a_label_file_of_another_form_is_refused_by_name_in_one_line(release, content):
    (release / "labels.csv").write_text(content)
    with pytest.raises(Misuse, match=r'labels\.csv: expected the header "id, hemorrhage"') as caught:
        headct.read(release)
    assert "\n" not in str(caught.value)


def test_a_picture_stored_twice_in_other_bytes_shares_a_group(release):
    scan(2, 150).save(release / IMAGES / "004.png")
    with (release / "labels.csv").open("a") as file:
        file.write("4,0\n")
    table = headct.read(release)
    assert table["group"].tolist() == ["000", "001", "002", "003", "002"] and table["sha256"].is_unique
    assert headct.remarks(release, table)[-1] == "2 files share 1 pictures, the same or nearly"


def test_a_missing_image_and_one_without_a_label_are_named_and_left_out(release):
    (release / IMAGES / "001.png").rename(release / IMAGES / "009.png")
    table = headct.read(release)
    assert table["id"].tolist() == ["000", "002", "003"]
    assert headct.remarks(release, table)[:2] == [
        f"{IMAGES}/001.png: named in labels.csv, missing",
        f"{IMAGES}/009.png: no label in labels.csv, not used",
    ]


def test_a_truncated_image_is_refused_by_name(release):
    damaged = release / IMAGES / "002.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(Misuse, match=r"002\.png: not a readable image"):
        headct.read(release)


def test_the_release_is_found_inside_its_archives_folder_and_nothing_else_passes(release, tmp_path):
    assert headct.find(tmp_path) == headct.find(release) == release
    (release / "labels.csv").unlink()
    with pytest.raises(Misuse, match=r"found head_ct, expected labels\.csv beside head_ct/head_ct/NNN\.png"):
        headct.find(release)


@pytest.fixture(scope="module")
def committed():
    return read_table(MANIFESTS / "headct.csv")


def test_the_committed_table_counts_what_the_card_says(committed):
    assert counts(read_as(committed)) == load_card("headct").facts["counts"]["all"]


def test_the_order_of_the_ids_gives_the_label_away(committed):
    assert committed["label"].tolist() == ["1"] * 100 + ["0"] * 100


def test_no_files_are_identical_and_seven_pairs_look_alike(committed):
    assert committed["sha256"].is_unique
    near = committed[committed["group"].duplicated(keep=False)].groupby("group")["id"].agg(tuple)
    same = {("009", "065"), ("010", "066"), ("011", "061"), ("105", "187"), ("188", "189"), ("198", "199")}
    assert set(near) == same | {("107", "108")}  # the last are neighbouring slices


def test_the_committed_table_is_what_the_reader_makes_of_the_real_files(raw, tmp_path):
    write_table(headct.read(headct.find(raw("headct"))), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == (MANIFESTS / "headct.csv").read_bytes()


def test_all_twelve_rgba_files_are_normal_and_opaque_and_two_of_them_have_the_same_pixels(raw, committed):
    root, opened = headct.find(raw("headct")), {}
    for row in committed.itertuples():
        with Image.open(root / row.file) as image:
            if image.mode == "RGBA":
                opened[row.id] = (row.label, np.asarray(image))
    assert list(opened) == [str(number) for number in range(188, 200)]
    assert all(label == "0" and (pixels[..., 3] == 255).all() for label, pixels in opened.values())
    assert np.array_equal(opened["188"][1], opened["189"][1])
