"""BrainMRI: suffixes in any case, two readings, copies and near copies in one group; on a small tree and on the real
files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devnetlib.data.images import load_image
from devnetlib.data.layouts import brainmri
from devnetlib.data.manifests import MANIFESTS, load_card, read_as, read_table, write_table
from devnetlib.data.prepare import counts
from devnetlib.errors import Misuse
from tests.trees import scan


@pytest.fixture
def release(tmp_path):
    """Every suffix of the release, in both folders."""
    root = tmp_path / "release"
    for seed, name in enumerate(["no/1 no.jpeg", "no/N1.JPG", "no/no 2.jpg", "yes/Y1.jpg", "yes/Y2.JPG", "yes/Y1.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        scan(seed).save(root / name, "png" if name.endswith("png") else "jpeg")
    return root


def groups(root: Path) -> dict[str, str]:
    table = brainmri.read(root)
    return dict(zip(table["file"], table["group"], strict=True))


def test_files_of_every_suffix_and_case_are_read_and_the_folder_is_the_label(release):
    table = brainmri.read(release)
    assert dict(zip(table["file"], table["label"], strict=True)) == {
        "no/1 no.jpeg": "0",
        "no/N1.JPG": "0",
        "no/no 2.jpg": "0",
        "yes/Y1.jpg": "1",
        "yes/Y1.png": "1",
        "yes/Y2.JPG": "1",
    }
    assert table["id"].is_unique and table["id"].is_monotonic_increasing
    assert set(table.loc[table["label"] == "1", "defect"]) == {"tumour"}


def test_the_reading_of_the_released_loader_drops_jpg_in_capitals_and_jpeg(release):
    kept = brainmri.official_loader(brainmri.read(release))
    assert kept["file"].tolist() == ["no/no 2.jpg", "yes/Y1.jpg", "yes/Y1.png"]


def test_unlike_pictures_are_groups_of_their_own(release):
    table = brainmri.read(release)
    assert table["group"].tolist() == table["id"].tolist()


def test_byte_identical_files_share_a_group_named_by_the_first(release):
    (release / "yes" / "Y9.jpg").write_bytes((release / "yes" / "Y1.jpg").read_bytes())
    found = groups(release)
    assert found["yes/Y9.jpg"] == found["yes/Y1.jpg"] == "yes-Y1.jpg" and len(set(found.values())) == 6


def test_the_same_picture_at_another_size_and_quality_shares_the_group_through_a_chain(release):
    scan(3, 150).save(release / "yes" / "Y7.jpg", quality=60)
    (release / "yes" / "Y8.jpg").write_bytes((release / "yes" / "Y7.jpg").read_bytes())
    found = groups(release)
    assert {name for name, group in found.items() if group == "yes-Y1.jpg"} == {
        "yes/Y1.jpg",
        "yes/Y7.jpg",
        "yes/Y8.jpg",
    }


def test_a_copy_in_the_other_folder_shares_the_group_too(release):
    (release / "no" / "copy.png").write_bytes((release / "yes" / "Y1.png").read_bytes())
    assert groups(release)["no/copy.png"] == groups(release)["yes/Y1.png"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_png_data_under_the_name_jpg_is_read_in_every_mode_of_the_release(release, mode):
    scan(20).convert(mode).save(release / "no" / "No15.jpg", "png")
    assert "no/No15.jpg" in groups(release)
    pixels = np.asarray(load_image(release / "no" / "No15.jpg", 64).convert("L")).astype(int)
    assert np.abs(pixels - np.asarray(scan(20))).max() <= 1


def test_files_that_are_no_images_are_named_and_not_used(release):
    for stray in ("yes/Thumbs.db", "no/._N1.JPG"):
        (release / stray).write_bytes(b"stray")
    table = brainmri.read(release)
    assert len(table) == 6
    for stray in ("yes/Thumbs.db", "no/._N1.JPG"):
        assert f"{stray}: not an image of this release, not used" in brainmri.remarks(release, table)


def test_two_empty_folders_are_refused_in_one_line(tmp_path):
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
    with pytest.raises(Misuse, match="the folders of the release are there, but no image; unpack it again"):
        brainmri.read(brainmri.find(tmp_path))


def test_an_empty_image_is_refused_by_name(release):
    (release / "yes" / "Y2.JPG").write_bytes(b"")
    with pytest.raises(Misuse, match=r"yes/Y2\.JPG: not a readable image"):
        brainmri.read(release)


def test_the_folder_itself_is_taken_before_a_second_copy_inside_it(release, tmp_path):
    (release / "brain_tumor_dataset" / "no").mkdir(parents=True)
    (release / "brain_tumor_dataset" / "yes").mkdir()
    assert brainmri.find(release) == release
    assert brainmri.find(tmp_path) == release


def test_a_folder_that_lacks_one_of_the_two_is_refused_in_one_line(tmp_path):
    (tmp_path / "yes").mkdir()
    with pytest.raises(Misuse, match=r"found yes, expected the folders yes and no; unpack") as caught:
        brainmri.find(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def committed():
    return read_table(MANIFESTS / "brainmri.csv")


def test_the_committed_table_counts_what_the_card_says_for_both_readings(committed):
    card = load_card("brainmri").facts
    assert counts(read_as(committed)) == card["counts"]["all"]
    loaded = brainmri.official_loader(read_as(committed))
    assert counts(loaded) == card["counts"]["official_loader"]
    assert loaded["label"].value_counts().to_dict() == {0: 86, 1: 87}


def test_47_files_are_copies_88_with_the_near_ones_and_none_spans_both_labels(committed):
    copies = committed[committed["sha256"].duplicated(keep=False)]
    near = committed[committed["group"].duplicated(keep=False)]
    assert (len(copies), copies["sha256"].nunique()) == (47, 22) and (len(near), near["group"].nunique()) == (88, 38)
    assert (committed.groupby("group")["label"].nunique() == 1).all()
    assert (committed.groupby("sha256")["group"].nunique() == 1).all()
    group = committed.loc[committed["id"] == "yes-Y30.jpg", "group"].item()
    four = committed.loc[committed["group"] == group, "id"]
    assert {"yes-Y30.jpg", "yes-Y38.jpg", "yes-Y54.jpg", "yes-Y70.jpg"} <= set(four)


def test_the_committed_table_is_what_the_reader_makes_of_the_real_files(raw, tmp_path):
    write_table(brainmri.read(brainmri.find(raw("brainmri"))), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes() == (MANIFESTS / "brainmri.csv").read_bytes()


def test_the_modes_and_the_misnamed_files_are_as_the_card_says(raw, committed):
    root = brainmri.find(raw("brainmri"))
    modes, misnamed = {}, 0
    for row in committed.itertuples():
        with Image.open(root / row.file) as image:
            modes.setdefault(image.mode, []).append(row.label)
            misnamed += image.format == "PNG" and row.file.endswith(".jpg")
    assert {mode: len(found) for mode, found in modes.items()} == {"RGB": 217, "L": 30, "RGBA": 5, "P": 1}
    assert misnamed == 6 and set(modes["RGBA"] + modes["P"]) == {"0"}
