"""Pixels: what is read faithfully, what is refused by name, the bank on disk."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from devnetlib.data.caches import cached_array
from devnetlib.data.images import decode, image_bank, load_image, sizes_of
from devnetlib.data.layouts.files import open_image, sha256
from devnetlib.errors import Incomplete, Misuse

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 20), dtype=np.uint8)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


def listed(table: pd.DataFrame, root: Path, files: list[str]) -> pd.DataFrame:
    """The table with other files in its rows, as they are now."""
    return table.assign(file=files, sha256=[sha256(root / file) for file in files])


def bank_of(table: pd.DataFrame, root: Path, pixels: int) -> np.ndarray:
    """All images of a table, decoded in memory."""
    file = io.BytesIO()
    decode(table, root, pixels, file)
    file.seek(0)
    return np.load(file)


@pytest.fixture
def file(tmp_path):
    """`file(bytes)` -> the path of a file with that content."""

    def write(content: bytes, name: str = "cell7.png"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def refusal(path) -> str:
    with pytest.raises(Misuse) as caught:
        load_image(path, 16)
    message = str(caught.value)
    assert path.name in message and "\n" not in message
    return message


def test_a_png_cut_at_any_byte_is_refused_by_name_or_still_reads_the_same(file):
    whole = png(Image.fromarray(GREY))
    expected, refused = np.asarray(load_image(file(whole, "whole.png"), 16)), 0
    for cut in range(len(whole)):
        path = file(whole[:cut])
        try:
            assert np.array_equal(np.asarray(load_image(path, 16)), expected)
        except Misuse as error:
            assert "cell7.png: not a readable image" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 0.8 * len(whole)


def test_an_empty_file_a_missing_one_and_a_text_are_refused_by_name(file, tmp_path):
    assert "not a readable image" in refusal(file(b""))
    assert "not a readable image" in refusal(tmp_path / "absent.png")
    assert "data verify" in refusal(file(b"not an image at all"))


def test_an_image_of_16_bits_is_refused_because_8_cannot_hold_it(file):
    deep = Image.fromarray(RNG.integers(0, 65536, (12, 12)).astype(np.uint16))
    assert "8 bits" in refusal(file(png(deep)))


@pytest.mark.parametrize(
    ("mode", "read_as"), [("L", "L"), ("1", "L"), ("LA", "L"), ("P", "RGB"), ("RGB", "RGB"), ("RGBA", "RGB")]
)
def test_eight_bit_modes_are_read_as_grey_or_rgb(file, mode, read_as):
    image = load_image(file(png(Image.fromarray(GREY).convert(mode))), 16)
    assert image.mode == read_as and image.size == (16, 16)


def test_cmyk_and_one_pixel_images_are_read(file):
    buffer = io.BytesIO()
    Image.fromarray(GREY).convert("CMYK").save(buffer, "jpeg")
    assert load_image(file(buffer.getvalue(), "cell.jpg"), 16).mode == "RGB"
    assert np.asarray(load_image(file(png(Image.new("L", (1, 1), 9))), 4)).tolist() == [[9] * 4] * 4


def test_the_bank_of_grey_images_has_one_channel_and_their_pixels_in_the_order_of_the_table(toy):
    bank = bank_of(toy.table.iloc[:6], toy.root, 48)
    assert bank.shape == (6, 1, 48, 48) and bank.dtype == np.uint8
    for number, name in enumerate(toy.table["file"][:6]):
        assert np.array_equal(bank[number, 0], np.asarray(load_image(toy.root / name, 48)))


def test_one_coloured_image_makes_the_bank_a_coloured_one(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.new("RGB", (8, 8), (200, 10, 30)).save(tmp_path / "red.png")
    bank = bank_of(listed(toy.table.iloc[:2], tmp_path, ["grey.png", "red.png"]), tmp_path, 16)
    assert bank.shape == (2, 3, 16, 16) and bank[1, :, 0, 0].tolist() == [200, 10, 30]
    assert np.array_equal(bank[0, 0], bank[0, 2])


def test_a_colour_that_comes_late_in_the_table_makes_every_image_a_coloured_one(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("devnetlib.data.images.AT_ONCE", 1)
    names = [f"{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names[:-1]):
        Image.new("L", (8, 8), number).save(tmp_path / name)
    Image.new("RGB", (8, 8), (200, 10, 30)).save(tmp_path / names[-1])
    bank = image_bank(listed(toy.table.iloc[:20], tmp_path, names), tmp_path, 4, tmp_path / "cache")
    assert bank[:, :, 1, 1].tolist() == [[number] * 3 for number in range(19)] + [[200, 10, 30]]


@pytest.mark.parametrize(
    ("damage", "told"),
    [(lambda path: path.write_bytes(png(Image.new("L", (8, 8)))), "changed"), (Path.unlink, "gone")],
    ids=["other", "none"],
)
@pytest.mark.parametrize("read", [lambda table, root: image_bank(table, root, 4, root / "cache"), sizes_of])
def test_a_file_that_is_not_the_one_the_table_lists_is_named_and_neither_decoded_nor_measured(
    tmp_path, toy, read, damage, told
):
    Image.fromarray(GREY).save(tmp_path / "one.png")
    table = listed(toy.table.iloc[:1], tmp_path, ["one.png"])
    damage(tmp_path / "one.png")
    with pytest.raises(Incomplete, match=rf"one\.png: {told} since it was prepared; .* data prepare"):
        read(table, tmp_path)
    assert not list(tmp_path.rglob("*.npy*"))


def test_the_bank_is_decoded_once_and_then_read_from_its_file(tmp_path, toy, monkeypatch):
    first = np.array(image_bank(toy.table.iloc[:4], toy.root, 32, tmp_path))
    monkeypatch.setattr("devnetlib.data.images.decode", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(image_bank(toy.table.iloc[:4], toy.root, 32, tmp_path), first)


def crops(toy, file: Path, *boxes: tuple) -> pd.DataFrame:
    """Rows of one file, each with its x, y, width and height."""
    columns = pd.DataFrame(boxes, columns=["x", "y", "width", "height"]).astype(str)
    return listed(toy.table.iloc[: len(boxes)], file.parent, [file.name] * len(boxes)).assign(**columns)


def test_rows_with_a_crop_hold_what_was_cut_from_their_file_before_it_was_resized(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    table = crops(toy, tmp_path / "strip.png", (0, 0, 20, 8), (3, 8, 12, 16))
    bank = bank_of(table, tmp_path, 10)
    for number, part in enumerate([GREY[:8], GREY[8:24, 3:15]]):
        expected = Image.fromarray(part).resize((10, 10), Image.Resampling.BILINEAR)
        assert np.array_equal(bank[number, 0], np.asarray(expected))


def test_no_pixel_beyond_a_crop_weighs_in(tmp_path, toy):
    halves = np.repeat(np.array([0, 255], np.uint8), 12)[:, None].repeat(20, axis=1)
    Image.fromarray(halves).save(tmp_path / "halves.png")
    dark, bright = bank_of(crops(toy, tmp_path / "halves.png", (0, 0, 20, 12), (0, 12, 20, 12)), tmp_path, 5)
    assert (dark == 0).all() and (bright == 255).all()


def test_a_file_that_several_rows_share_is_opened_once_and_the_rows_keep_their_order(tmp_path, toy, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "devnetlib.data.images.open_image", lambda path: (opened.append(path.name), open_image(path))[1]
    )
    for name, value in (("one.png", 10), ("two.png", 20)):
        Image.new("L", (8, 8), value).save(tmp_path / name)
    table = pd.concat([crops(toy, tmp_path / name, (0, 0, 8, 4), (0, 4, 8, 4)) for name in ("one.png", "two.png")])
    bank = bank_of(table.iloc[[0, 2, 1, 3]], tmp_path, 4)
    assert bank[:, 0, 0, 0].tolist() == [10, 20, 10, 20] and sorted(opened) == ["one.png", "two.png"]


@pytest.mark.parametrize("box", [(0, 0, 21, 4), (0, 20, 20, 5), (-1, 0, 4, 4), (0, 0, 0, 4)])
def test_a_crop_that_its_file_does_not_hold_is_refused_by_name(tmp_path, toy, box):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    with pytest.raises(Misuse, match=r"strip\.png: \(20, 24\) px do not hold the crop"):
        bank_of(crops(toy, tmp_path / "strip.png", box), tmp_path, 4)


def test_an_array_file_is_read_by_its_first_three_channels(tmp_path):
    np.save(tmp_path / "six.npy", np.full((4, 4, 6), [1, 2, 3, 4, 5, 6], np.uint8))
    assert np.asarray(load_image(tmp_path / "six.npy", 2))[0, 0].tolist() == [1, 2, 3]


def test_the_size_of_an_image_is_that_of_its_crop_else_of_its_picture_or_array_file(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    np.save(tmp_path / "six.npy", np.zeros((4, 5, 6), np.uint8))
    cut = crops(toy, tmp_path / "strip.png", (3, 8, 12, 16), (0, 0, 20, 8))
    whole = listed(toy.table.iloc[:2], tmp_path, ["strip.png", "six.npy"])
    assert sizes_of(pd.concat([cut, whole]), tmp_path) == [(12, 16), (20, 8), (20, 24), (5, 4)]


@pytest.mark.parametrize("kept", [0, 10, 100, 200])
def test_a_cached_file_that_was_cut_short_is_made_again(tmp_path, kept):
    path, array = tmp_path / "some.npy", np.arange(60.0)
    cached_array(path, lambda: array)
    path.write_bytes(path.read_bytes()[:kept])
    assert np.array_equal(cached_array(path, lambda: array), array)
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.npy"]


def test_a_cache_that_could_not_be_made_leaves_nothing_behind(tmp_path):
    def fail():
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        cached_array(tmp_path / "some.npy", fail)
    assert list(tmp_path.iterdir()) == []
