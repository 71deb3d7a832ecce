"""AITEX: tiles are crops of untouched strips, masks decide, and every oddity of the release is reported, not fatal."""

import shutil

import numpy as np
import pytest
from PIL import Image
from trees import mask, picture, printed_counts

from devnetlib.data.images import image_bank
from devnetlib.data.layouts import aitex
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse

WHOLE = (4096, 256)


@pytest.fixture
def fabrics(tmp_path):
    """Two clean strips of two fabrics; 0001 with a defect in tiles 2 and 3, 0044 with two masks, 0100 with none."""
    root = tmp_path / "aitex"
    for fabric in ("2306881-210020u", "2306894-210033u"):
        picture(root / "NODefect_images" / fabric / "0001_000_05.png", WHOLE)
    defective, masks = root / "Defect_images" / "Defect_images", root / "Mask_images" / "Mask_images"
    for name in ("0001_002_00", "0044_019_04", "0100_025_08"):
        picture(defective / f"{name}.png", WHOLE)
    mask(masks / "0001_002_00_mask.png", WHOLE, (760, 5, 780, 9))
    mask(masks / "0044_019_04_mask1.png", WHOLE, (0, 0, 1, 1))
    mask(masks / "0044_019_04_mask2.png", WHOLE, (4095, 255, 4096, 256))
    return root


def anomalies(table):
    """Ids of the anomalous tiles."""
    return table.loc[table["label"] == "1", "id"].tolist()


def test_a_clean_strip_gives_sixteen_normal_tiles_side_by_side(fabrics):
    table = aitex.read(fabrics)
    strip = table[table["group"] == "2306881-210020u_0001_000_05"]
    assert strip["x"].tolist() == [str(x) for x in range(0, 4096, 256)]
    assert (strip[["y", "width", "height", "label"]] == ["0", "256", "256", "0"]).all(axis=None)
    assert set(strip["file"]) == {"NODefect_images/2306881-210020u/0001_000_05.png"}
    assert (table["label"] == "0").sum() == 32 and table["id"].is_unique and table["id"].is_monotonic_increasing


def test_a_clean_strip_whose_name_has_another_form_is_read_all_the_same(fabrics):
    picture(fabrics / "NODefect_images" / "2306881-210020u" / "0018_00_01.png", WHOLE)
    table = aitex.read(fabrics)
    tiles = table[table["group"] == "2306881-210020u_0018_00_01"]
    assert len(tiles) == 16 and set(tiles["label"]) == {"0"}


def test_tiles_with_a_pixel_of_a_mask_are_anomalous_and_the_others_of_their_strip_are_dropped(fabrics):
    table = aitex.read(fabrics)
    cut = table[table["group"] == "0001_002_00"]
    assert cut[["id", "x", "defect"]].values.tolist() == [
        ["0001_002_00_02", "512", "Broken_end"],
        ["0001_002_00_03", "768", "Broken_end"],
    ]
    assert set(cut["mask"]) == {"Mask_images/Mask_images/0001_002_00_mask.png"}
    assert len(table) == 32 + 2 + 2


def test_one_pixel_decides(fabrics):
    path = fabrics / "Mask_images" / "Mask_images" / "0001_002_00_mask.png"
    for x, tile in ((255, "00"), (256, "01"), (4095, "15")):
        mask(path, WHOLE, (x, 100, x + 1, 101))
        assert anomalies(aitex.read(fabrics))[0] == f"0001_002_00_{tile}"


def test_two_masks_of_one_strip_are_merged_and_reported(fabrics):
    table = aitex.read(fabrics)
    assert anomalies(table)[2:] == ["0044_019_04_00", "0044_019_04_15"]
    joined = "Mask_images/Mask_images/0044_019_04_mask1.png|Mask_images/Mask_images/0044_019_04_mask2.png"
    assert set(table.loc[table["group"] == "0044_019_04", "mask"]) == {joined}
    assert "Defect_images/Defect_images/0044_019_04.png: 2 masks, merged" in aitex.remarks(fabrics, table)


def test_a_strip_without_a_mask_is_left_out_and_reported(fabrics):
    table = aitex.read(fabrics)
    assert not table["file"].str.contains("0100_025_08").any()
    assert aitex.remarks(fabrics, table) == [
        "Defect_images/Defect_images/0044_019_04.png: 2 masks, merged",
        "Defect_images/Defect_images/0100_025_08.png: no mask 0100_025_08_mask.png, so it is not known which tiles are "
        "defective: not read",
    ]


def test_a_strip_of_3796_pixels_ends_in_a_narrower_tile(fabrics):
    picture(fabrics / "Defect_images" / "Defect_images" / "0094_027_05.png", (3796, 256))
    mask(fabrics / "Mask_images" / "Mask_images" / "0094_027_05_mask.png", (3796, 256), (3700, 0, 3796, 9))
    table = aitex.read(fabrics)
    tile = table.set_index("id").loc["0094_027_05_14"]
    assert tile[["x", "y", "width", "height"]].tolist() == ["3584", "0", "212", "256"]
    assert "Defect_images/Defect_images/0094_027_05.png: 3796 px wide, its last tile is narrower" in aitex.remarks(
        fabrics, table
    )


def test_transparency_counts_neither_in_a_strip_nor_in_a_mask(fabrics):
    strip = fabrics / "Defect_images" / "Defect_images" / "0001_002_00.png"
    before = aitex.read(fabrics)
    picture(strip, WHOLE, mode="LA")
    for mode in ("LA", "RGBA", "RGB"):
        mask(fabrics / "Mask_images" / "Mask_images" / "0001_002_00_mask.png", WHOLE, (760, 5, 780, 9), mode)
        assert anomalies(aitex.read(fabrics)) == anomalies(before)
    assert Image.open(strip).mode == "LA"


def test_files_in_a_folder_unused_are_reported_and_not_read(fabrics):
    before = aitex.read(fabrics)
    for place in ("Defect_images/Defect_images", "Mask_images/Mask_images", "NODefect_images", "."):
        picture(fabrics / place / "unused" / "0200_002_00.png", WHOLE)
    table = aitex.read(fabrics)
    assert table.equals(before)
    unused = [line for line in aitex.remarks(fabrics, table) if line.endswith("in a folder unused, not read")]
    assert len(unused) == 4 and unused[-1].startswith("unused/0200_002_00.png")


@pytest.mark.parametrize("name", ["NODefect_images", "NoDefect_images", "nodefect_images"])
@pytest.mark.parametrize("nested", [False, True])
def test_every_spelling_and_nesting_of_the_folders_gives_the_same_tiles(fabrics, name, nested):
    before = aitex.read(fabrics)
    (fabrics / "NODefect_images").rename(fabrics / "clean")
    place = fabrics / name / name if nested else fabrics / name
    place.parent.mkdir(exist_ok=True)
    (fabrics / "clean").rename(place)
    for outer in ("Defect_images", "Mask_images"):  # no longer nested
        shutil.move(fabrics / outer / outer, fabrics / "inner")
        (fabrics / outer).rmdir()
        (fabrics / "inner").rename(fabrics / outer)
    assert aitex.find(fabrics.parent) == fabrics
    table = aitex.read(fabrics)
    assert table["id"].tolist() == before["id"].tolist() and table["sha256"].tolist() == before["sha256"].tolist()


def test_oddities_of_names_and_masks_are_reported(fabrics):
    defective, masks = fabrics / "Defect_images" / "Defect_images", fabrics / "Mask_images" / "Mask_images"
    for name in ("0300_099_00", "notes", "0301_030_00"):
        picture(defective / f"{name}.png", WHOLE)
    mask(masks / "0301_030_00_mask.png", WHOLE, None)
    mask(masks / "0999_002_00_mask.png", WHOLE)
    table = aitex.read(fabrics)
    said = aitex.remarks(fabrics, table)
    assert "Defect_images/Defect_images/0300_099_00.png: no code of a defect in its name, not read" in said
    assert "Defect_images/Defect_images/notes.png: no code of a defect in its name, not read" in said
    assert "Defect_images/Defect_images/0301_030_00.png: its mask is empty: not read" in said
    assert "Mask_images/Mask_images/0999_002_00_mask.png: a mask of no strip" in said
    assert len(table) == 36


def test_tiles_of_byte_identical_strips_share_a_group(fabrics):
    for fabric in ("2306881-210020u", "2306894-210033u"):
        picture(fabrics / "NODefect_images" / fabric / "0002_000_05.png", WHOLE, content="the same")
    table = aitex.read(fabrics)
    assert table.groupby("group").size()["2306881-210020u_0002_000_05"] == 32
    assert "byte-identical files: groups 1, surplus copies 1" in aitex.remarks(fabrics, table)


def test_a_tile_decodes_to_its_part_of_the_strip(fabrics):
    table = aitex.read(fabrics)
    row = table.index[table["id"] == "0001_002_00_03"]
    strip = np.asarray(Image.open(fabrics / table["file"][row[0]]))
    assert np.array_equal(image_bank(table.loc[row], fabrics, 256, fabrics / "cache")[0, 0], strip[:, 768:1024])


def test_a_mask_of_another_size_is_refused_by_name(fabrics):
    mask(fabrics / "Mask_images" / "Mask_images" / "0001_002_00_mask.png", (4096, 255))
    with pytest.raises(Misuse, match=r"0001_002_00_mask\.png: a mask of \(4096, 255\) px"):
        aitex.read(fabrics)


@pytest.mark.parametrize("place", ["NODefect_images/2306881-210020u", "Mask_images/Mask_images"])
def test_a_file_without_content_is_named(fabrics, place):
    path = sorted((fabrics / place).iterdir())[0]
    path.write_bytes(b"")
    with pytest.raises(Misuse, match=f"{path.name}: not a readable image"):
        aitex.read(fabrics)


@pytest.mark.parametrize("folder", ["NODefect_images", "Defect_images", "Mask_images"])
def test_a_missing_and_an_empty_folder_are_refused(fabrics, folder):
    shutil.rmtree(fabrics / folder)
    (fabrics / folder).mkdir()
    with pytest.raises(Misuse, match=f"{folder}: no strip in it"):
        aitex.read(fabrics)
    (fabrics / folder).rmdir()
    with pytest.raises(Misuse, match="expected NODefect_images, Defect_images and Mask_images side by side"):
        aitex.find(fabrics)


def test_the_card_has_the_counts_of_table_1_which_are_141_clean_strips():
    counts = load_card("aitex").facts["counts"]
    assert counts == {"tiles": printed_counts("AITEX")}
    assert counts["tiles"]["train_normal"] + counts["tiles"]["test_normal"] == 141 * 16
