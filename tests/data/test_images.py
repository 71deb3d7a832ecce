"""Pixels: what is read faithfully, what is refused by name, the bank on disk."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from devnetlib.data.caches import cached_array
from devnetlib.data.images import decode, image_bank, load_image, sizes_of
from devnetlib.data.layouts import formats
from devnetlib.data.layouts.files import open_image, perceptual_hash
from devnetlib.errors import Misuse

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 20), dtype=np.uint8)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


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


def test_more_pixels_than_are_read_are_refused_by_their_number_before_they_are_unpacked(file, monkeypatch):
    monkeypatch.setattr(formats, "MOST_PIXELS", 479)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("unpacked"))
    assert "20 x 24 = 480 pixels, 479 at most are read" in refusal(file(png(Image.fromarray(GREY))))


def test_a_scan_that_pillow_takes_for_a_bomb_is_read_without_a_warning_and_its_limit_stays(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("png", "tiff", "gif"):
        Image.fromarray(GREY).save(held := io.BytesIO(), kind)
        with warnings.catch_warnings(action="error"):
            assert load_image(file(held.getvalue(), f"scan.{kind}"), 16).size == (16, 16)
    assert Image.MAX_IMAGE_PIXELS == 100


def deep_png(colour: int, channels: int) -> bytes:
    """A PNG file of 8 x 8 px with 16 bits a channel, all 300, which Pillow reads as 1."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress((b"\0" + struct.pack(">H", 300) * channels * 8) * 8)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def deep_tiff(channels: int) -> bytes:
    """A TIFF file of 8 x 8 px with 16 bits a channel, all 300."""
    data = struct.pack("<H", 300) * 64 * channels
    tags = [(256, 8), (257, 8), (258, 16), (259, 1), (262, 2), (273, 138), (277, channels), (278, 8), (279, len(data))]
    entries = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags]
    entries[2] = struct.pack("<HHII", 258, 3, channels, 130)  # where the bits of each channel stand
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4)
    return head.ljust(130, b"\0") + struct.pack("<H", 16) * 4 + data


def deep_jpeg2000() -> bytes:
    """A codestream of three components whose header says 16 bits each."""
    Image.new("RGB", (8, 8)).save(held := io.BytesIO(), "jpeg2000", no_jp2=True)
    whole = bytearray(held.getvalue())
    whole[42:51:3] = bytes([15] * 3)
    return bytes(whole)


DEEP = {
    "rgb.png": deep_png(2, 3),
    "rgba.png": deep_png(6, 4),
    "grey and alpha.png": deep_png(4, 2),
    "rgb.tif": deep_tiff(3),
    "rgba.tif": deep_tiff(4),
    "rgb.ppm": b"P6 8 8 65535\n" + struct.pack(">H", 300) * 192,
    "twelve bits.ppm": b"P6 8 8 4095\n" + struct.pack(">H", 300) * 192,
    "plain.ppm": b"P3 8 8 1023\n" + b"300 " * 192,
    "rgb.j2k": deep_jpeg2000(),
    "grey.png": deep_png(0, 1),
    "grey.pgm": b"P5 8 8 1023\n" + struct.pack(">H", 300) * 64,
}


@pytest.mark.parametrize("name", DEEP)
def test_channels_of_more_than_8_bits_are_refused_instead_of_being_made_dark(file, name):
    assert "fit into 8 bits; convert the file" in refusal(file(DEEP[name], name))


@pytest.mark.parametrize(
    "shallow", [b"P6 8 8 15\n" + bytes([7] * 192), b"P5 8 8 255\n" + bytes(64), b"P4 8 8\n" + bytes(8)]
)
def test_channels_of_8_bits_and_fewer_are_read(file, shallow):
    assert load_image(file(shallow, "shallow.ppm"), 4).size == (4, 4)


@pytest.mark.parametrize(("flag", "bits"), [(0, 8), (0x40, 12), (0x60, 12)])
def test_a_deeper_avif_is_known_by_its_codec_configuration(file, flag, bits):
    opened = SimpleNamespace(filename=file(b"\0\0\0\x0cav1C\x81\0" + bytes([flag]) + b"\0", "deep.avif"), format="AVIF")
    assert formats.bits_of(opened) == bits


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff", "avif"])
def test_several_pictures_in_one_file_are_refused_instead_of_reading_the_first(file, kind):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(held := io.BytesIO(), kind, save_all=True, append_images=frames[1:])
    assert "2 pictures in one file, expected one" in refusal(file(held.getvalue(), f"two.{kind}"))


def test_a_cameras_file_is_read_by_its_picture_and_its_previews_are_counted(file):
    picture = Image.fromarray(GREY)
    picture.save(held := io.BytesIO(), "mpo", save_all=True, append_images=[picture.resize((4, 4))])
    path = file(held.getvalue(), "camera.jpg")
    assert open_image(path).size == (20, 24) and formats.further_pictures(path) == 1


def test_a_program_that_a_decoder_would_run_is_no_image(file):
    assert "not a readable image" in refusal(
        file(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage", "a.png")
    )


def test_of_a_transparent_pixel_the_colour_in_the_file_counts(file):
    assert np.asarray(load_image(file(png(Image.new("RGBA", (2, 2), (9, 8, 7, 0)))), 1)).tolist() == [[[9, 8, 7]]]


def test_near_duplicates_of_16_bits_are_hashed_by_their_whole_range():
    shown = [np.kron(RNG.integers(0, 256, (8, 8)), np.ones((8, 8), int)) for _ in range(2)]
    shallow = perceptual_hash(Image.fromarray(shown[0].astype(np.uint8)))
    same, other = (perceptual_hash(Image.fromarray((200 * each + 300).astype(np.uint16))) for each in shown)
    assert np.mean(same == shallow) > 0.95 and np.mean(same == other) < 0.7


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
    bank = bank_of(toy.table.iloc[:2].assign(file=["grey.png", "red.png"]), tmp_path, 16)
    assert bank.shape == (2, 3, 16, 16) and bank[1, :, 0, 0].tolist() == [200, 10, 30]
    assert np.array_equal(bank[0, 0], bank[0, 2])


def test_a_colour_that_comes_late_in_the_table_makes_every_image_a_coloured_one(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("devnetlib.data.images.AT_ONCE", 1)
    names = [f"{number:02d}.png" for number in range(20)]
    for number, name in enumerate(names[:-1]):
        Image.new("L", (8, 8), number).save(tmp_path / name)
    Image.new("RGB", (8, 8), (200, 10, 30)).save(tmp_path / names[-1])
    bank = image_bank(toy.table.iloc[:20].assign(file=names), tmp_path, 4, tmp_path / "cache")
    assert bank[:, :, 1, 1].tolist() == [[number] * 3 for number in range(19)] + [[200, 10, 30]]


def test_the_bank_is_decoded_once_and_then_read_from_its_file(tmp_path, toy, monkeypatch):
    first = np.array(image_bank(toy.table.iloc[:4], toy.root, 32, tmp_path))
    monkeypatch.setattr("devnetlib.data.images.decode", lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(image_bank(toy.table.iloc[:4], toy.root, 32, tmp_path), first)


def crops(toy, file: str, *boxes: tuple) -> pd.DataFrame:
    """Rows of one file, each with its x, y, width and height."""
    columns = pd.DataFrame(boxes, columns=["x", "y", "width", "height"]).astype(str)
    return toy.table.iloc[: len(boxes)].assign(file=file, **columns)


def test_rows_with_a_crop_hold_what_was_cut_from_their_file_before_it_was_resized(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    table = crops(toy, "strip.png", (0, 0, 20, 8), (3, 8, 12, 16))
    bank = bank_of(table, tmp_path, 10)
    for number, part in enumerate([GREY[:8], GREY[8:24, 3:15]]):
        expected = Image.fromarray(part).resize((10, 10), Image.Resampling.BILINEAR)
        assert np.array_equal(bank[number, 0], np.asarray(expected))


def test_no_pixel_beyond_a_crop_weighs_in(tmp_path, toy):
    halves = np.repeat(np.array([0, 255], np.uint8), 12)[:, None].repeat(20, axis=1)
    Image.fromarray(halves).save(tmp_path / "halves.png")
    dark, bright = bank_of(crops(toy, "halves.png", (0, 0, 20, 12), (0, 12, 20, 12)), tmp_path, 5)
    assert (dark == 0).all() and (bright == 255).all()


def test_a_file_that_several_rows_share_is_opened_once_and_the_rows_keep_their_order(tmp_path, toy, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "devnetlib.data.images.open_image", lambda path: (opened.append(path.name), open_image(path))[1]
    )
    for name, value in (("one.png", 10), ("two.png", 20)):
        Image.new("L", (8, 8), value).save(tmp_path / name)
    table = pd.concat([crops(toy, name, (0, 0, 8, 4), (0, 4, 8, 4)) for name in ("one.png", "two.png")])
    bank = bank_of(table.iloc[[0, 2, 1, 3]], tmp_path, 4)
    assert bank[:, 0, 0, 0].tolist() == [10, 20, 10, 20] and sorted(opened) == ["one.png", "two.png"]


@pytest.mark.parametrize("box", [(0, 0, 21, 4), (0, 20, 20, 5), (-1, 0, 4, 4), (0, 0, 0, 4)])
def test_a_crop_that_its_file_does_not_hold_is_refused_by_name(tmp_path, toy, box):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    with pytest.raises(Misuse, match=r"strip\.png: \(20, 24\) px do not hold the crop"):
        bank_of(crops(toy, "strip.png", box), tmp_path, 4)


def test_an_array_file_is_read_by_its_first_three_channels(tmp_path):
    np.save(tmp_path / "six.npy", np.full((4, 4, 6), [1, 2, 3, 4, 5, 6], np.uint8))
    assert np.asarray(load_image(tmp_path / "six.npy", 2))[0, 0].tolist() == [1, 2, 3]


def test_the_size_of_an_image_is_that_of_its_crop_else_of_its_picture_or_array_file(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    np.save(tmp_path / "six.npy", np.zeros((4, 5, 6), np.uint8))
    cut = crops(toy, "strip.png", (3, 8, 12, 16), (0, 0, 20, 8))
    whole = toy.table.iloc[:2].assign(file=["strip.png", "six.npy"])
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
