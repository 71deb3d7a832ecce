"""Optical (DAGM 2007): ten textures pooled, the lists decide, one of two copies is read."""

import shutil

import pytest
from trees import mask, picture, printed_counts

from devnetlib.data.layouts import optical
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse


def texture(folder):
    """Train with two clean images and one defective, Test with one of each, and their lists."""
    for half, labels in (("Train", "010"), ("Test", "10")):
        lines = ["1"]
        for number, label in enumerate(labels, start=1):
            image, drawn = f"{number:04d}.PNG", f"{number:04d}_label.PNG"
            picture(folder / half / image)
            if label == "1":
                mask(folder / half / "Label" / drawn)
            lines.append(f"{number}\t{label}\t{image}\t0\t{drawn if label == '1' else '0'}")
        (folder / half / "Label" / "Labels.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def dagm(tmp_path):
    """The ten textures as the release nests them: Class1/Class1 to Class10/Class10."""
    root = tmp_path / "dagm"
    for name in optical.TEXTURES:
        texture(root / name / name)
    return root


def test_all_ten_textures_are_pooled_and_the_official_division_is_ignored(dagm):
    table = optical.read(dagm)
    assert table["label"].value_counts().to_dict() == {"0": 30, "1": 20}
    assert set(table["split"]) == {""} and table["id"].is_unique and table["id"].is_monotonic_increasing
    assert table[table["label"] == "1"]["defect"].value_counts().to_dict() == dict.fromkeys(optical.TEXTURES, 2)


def test_the_list_decides_what_is_defective_and_names_the_mask(dagm):
    table = optical.read(dagm).set_index("id")
    assert table.loc["Class10-Train-0002", ["file", "label", "defect", "mask"]].tolist() == [
        "Class10/Class10/Train/0002.PNG",
        "1",
        "Class10",
        "Class10/Class10/Train/Label/0002_label.PNG",
    ]
    assert table.loc["Class10-Test-0002", ["label", "defect", "mask"]].tolist() == ["0", "", ""]


def test_lists_with_windows_line_ends_read_alike(dagm):
    before = optical.read(dagm)
    for path in dagm.rglob("Labels.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert optical.read(dagm).equals(before)


def test_textures_may_be_nested_once(dagm):
    for name in optical.TEXTURES:
        (dagm / name).rename(dagm / "outer")
        (dagm / "outer" / name).rename(dagm / name)
        (dagm / "outer").rmdir()
    assert optical.find(dagm) == dagm
    assert "Class3/Train/0001.PNG" in set(optical.read(dagm)["file"])


def test_of_two_copies_side_by_side_one_is_read_and_the_other_reported(dagm):
    alone = optical.read(dagm)
    for name in optical.TEXTURES:
        shutil.copytree(dagm / name / name, dagm / name, dirs_exist_ok=True)
    table = optical.read(dagm)
    assert table.equals(alone)
    assert optical.remarks(dagm, table) == [
        "50 images that no Labels.txt names are not read (first: Class1/Test/0001.PNG)"
    ]


def test_of_two_copies_at_two_depths_the_higher_is_found(dagm):
    shutil.copytree(dagm, dagm / "copy")
    assert optical.find(dagm.parent) == dagm and len(optical.read(dagm)) == 50


def test_a_texture_that_is_missing_is_refused(dagm):
    shutil.rmtree(dagm / "Class7")
    with pytest.raises(Misuse, match="expected Class1 to Class10"):
        optical.find(dagm)
    with pytest.raises(Misuse, match="Class7: no Train and Test"):
        optical.read(dagm)


@pytest.mark.parametrize("file", ["Train/0001.PNG", "Train/0002.PNG", "Train/Label/0002_label.PNG"])
def test_a_listed_image_or_mask_that_is_missing_is_named(dagm, file):
    (dagm / "Class4" / "Class4" / file).unlink()
    with pytest.raises(Misuse, match=rf"Class4/{file}: missing, but .*Labels\.txt names it"):
        optical.read(dagm)


def test_a_mask_of_another_size_is_refused(dagm):
    mask(dagm / "Class4" / "Class4" / "Test" / "Label" / "0001_label.PNG", size=(9, 8))
    with pytest.raises(Misuse, match=r"0001_label\.PNG: a mask of another size than its image 0001\.PNG"):
        optical.read(dagm)


@pytest.mark.parametrize("line", ["3\t2\t0003.PNG\t0\t0", "3\t0\t0003.PNG", "0003.PNG 0"])
def test_a_line_of_another_form_is_refused_with_its_number(dagm, line):
    path = dagm / "Class2" / "Class2" / "Train" / "Label" / "Labels.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(Misuse, match=r"Labels\.txt, line 5: .*expected number, 0 or 1"):
        optical.read(dagm)


def test_the_card_has_the_counts_of_table_1():
    assert load_card("optical").facts["counts"] == {"pooled": printed_counts("Optical")}
