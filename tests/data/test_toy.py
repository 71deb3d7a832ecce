"""The toy: the same images everywhere, masks that say exactly what was drawn, files that no other is taken for."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from devnetlib.data import toy as drawing
from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.prepare import prepare, verify
from devnetlib.data.splits import draw_partition, open_set_classes
from devnetlib.data.toy import DEFECTS, SIZE, SMALLEST, toy_image
from devnetlib.errors import Incomplete
from devnetlib.metrics import auroc

# The pixels themselves, on every machine. Whoever changes the drawing pins them anew, and knows that numbers move.
PIXELS = {
    "": "f1ef4d6f8f4ab08a",
    "hole": "b13793ce56404071",
    "scratch": "95fd41d3e2a38b6e",
    "stain": "f742ccf866935e7c",
    "missing_thread": "fe0f08743bfcdb4e",
    "misprint": "f6768fa6f6ab45f7",
}


def lost(root):
    (root / "good" / "011.pgm").unlink()


def flipped(file):
    def damage(root):
        content = bytearray((root / file).read_bytes())
        content[400] ^= 1
        (root / file).write_bytes(content)

    return damage


@pytest.mark.parametrize("defect", ["", *DEFECTS])
def test_the_first_five_images_of_a_kind_have_the_pinned_pixels_and_masks(defect):
    pixels = hashlib.sha256()
    for number in range(5):
        image, mask = toy_image(number, defect)
        pixels.update(image.tobytes() + mask.tobytes())
    assert pixels.hexdigest()[:16] == PIXELS[defect]


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
    monkeypatch.setattr(drawing, "FAINTEST", 0.0)
    clean, _ = toy_image(number, defect, difficulty=1)
    assert np.array_equal(image[~mask], clean[~mask])
    assert (image[mask] != clean[mask]).mean() > 0.95


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_number_shows_the_same_scene_at_any_side(defect):
    for number in range(8):
        image, mask = toy_image(number, defect, 112)
        larger, finer = (part.reshape(112, 4, 112, 4).mean((1, 3)) for part in toy_image(number, defect, 448))
        assert np.corrcoef(image.ravel(), larger.ravel())[0, 1] > 0.9
        assert np.minimum(mask, finer).sum() / np.maximum(mask, finer).sum() > 0.7


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_covers_some_pixels_at_the_smallest_side_and_less_than_a_tenth_of_it(defect):
    for number in range(60):
        image, mask = toy_image(number, defect, SMALLEST)
        assert image.shape == (SMALLEST, SMALLEST) and 5 <= mask.sum() < 0.1 * mask.size


def contrast_of_patches(image: np.ndarray) -> float:
    """The span of the means over all patches of 8 x 8 pixels."""
    return np.ptp(np.lib.stride_tricks.sliding_window_view(image, (8, 8)).mean((2, 3)))


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_contrast_of_patches_tells_a_defect_the_worse_the_higher_the_difficulty(defect):
    count = 40
    clean = [contrast_of_patches(toy_image(number)[0]) for number in range(count)]
    labels, told = np.repeat([0, 1], count), []
    for difficulty in (0, 0.5, 1):
        images = (toy_image(number, defect, difficulty=difficulty)[0] for number in range(count))
        told.append(auroc(np.array([*clean, *map(contrast_of_patches, images)]), labels))
    assert told[0] > 0.8 and told[0] > told[1] > told[2]


def test_difficulty_leaves_the_mask_and_everything_outside_it():
    (easy, mask), (hard, same) = toy_image(5, "stain"), toy_image(5, "stain", difficulty=1)
    assert np.array_equal(mask, same) and np.array_equal(easy[~mask], hard[~mask])


@pytest.mark.parametrize(
    ("asked", "named"), [({"defect": "tear"}, "tear"), ({"size": 31}, "31"), ({"difficulty": 1.1}, "1.1")]
)
def test_what_cannot_be_drawn_is_refused_with_what_can(asked, named):
    with pytest.raises(ValueError, match=rf"{named}.*expected one of hole, .*{SMALLEST} or more, and 0 to 1"):
        toy_image(0, **asked)


def test_every_defect_file_has_a_mask_of_its_size_and_no_clean_one_has(toy):
    for row in toy.table.itertuples():
        assert bool(row.mask) == (row.label == 1) == bool(row.defect)
        if row.mask:
            assert Image.open(toy.root / row.mask).size == Image.open(toy.root / row.file).size == (SIZE, SIZE)


def test_a_file_holds_the_image_that_its_number_draws_and_the_mask_of_it(toy):
    row = toy.table[toy.table["defect"] == "misprint"].iloc[7]
    image, mask = toy_image(7, "misprint")
    assert np.array_equal(np.asarray(Image.open(toy.root / row["file"])), image)
    assert np.array_equal(np.asarray(Image.open(toy.root / row["mask"])) > 0, mask)


def test_ten_anomalies_of_any_class_can_be_labelled_under_open_set(toy):
    assert open_set_classes(toy.table, 10) == sorted(DEFECTS)
    for defect in DEFECTS:
        protocol = f"open-set:{defect}"
        partition = draw_partition(toy.table, dataset="toy", reading="all", protocol=protocol, anomalies=10)
        assert len(partition.labelled) == 10 and {*partition.test_defect} == {"", *DEFECTS} - {defect}


def test_it_is_drawn_once_and_a_second_call_finds_it(tmp_path):
    root = LAYOUTS["toy"].locate(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.pgm")}
    assert LAYOUTS["toy"].locate(tmp_path) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.pgm")} == before
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


@pytest.mark.parametrize("damage", [lost, flipped("hole/003.pgm"), flipped("masks/stain/004.pgm")])
def test_a_damaged_folder_is_refused_by_name_and_drawn_anew_once_removed(tmp_path, damage):
    root = LAYOUTS["toy"].locate(tmp_path)
    damage(root)
    with pytest.raises(Incomplete, match=rf"{root.name}: 1 of 320 files .*\d\d\d.pgm.*remove this folder"):
        prepare("toy", data_root=tmp_path)
    root.rename(tmp_path / "aside")
    assert verify(prepare("toy", data_root=tmp_path)) == []


@pytest.fixture
def redrawn():
    """`redrawn()`: forget what was drawn, so that the next use draws again; forgotten again afterwards."""

    def forget() -> None:
        LAYOUTS["toy"].files.cache_clear()
        LAYOUTS["toy"].hashes.cache_clear()

    yield forget
    forget()


def test_files_of_another_drawing_are_not_taken_for_these(tmp_path, monkeypatch, redrawn):
    older = LAYOUTS["toy"].locate(tmp_path)
    monkeypatch.setattr(drawing, "THREADS", drawing.THREADS + 1)
    redrawn()
    newer = prepare("toy", data_root=tmp_path)
    assert newer.root != older and older.is_dir() and verify(newer) == []
