"""Image files: still pictures of 8 bits a channel are read, however large; what Pillow would reduce is refused."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageFile

from devnetlib.data.images import load_image
from devnetlib.data.layouts import formats
from devnetlib.data.layouts.files import image_size, open_image, perceptual_hash
from devnetlib.errors import Misuse

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 20), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **more: object) -> bytes:
    """An image as the bytes of a file."""
    held = io.BytesIO()
    image.save(held, kind, **more)
    return held.getvalue()


@pytest.fixture
def file(tmp_path):
    """`file(bytes, name)` -> the path of a file with that content."""

    def write(content: bytes, name: str = "cell7.png") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def refusal(path: Path) -> str:
    """The line with which an image file is refused."""
    with pytest.raises(Misuse, match=path.name) as caught:
        load_image(path, 16)
    return str(caught.value)


def test_more_pixels_than_are_read_are_refused_by_their_number_before_they_are_unpacked(file, monkeypatch):
    monkeypatch.setattr(formats, "MOST_PIXELS", 479)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("unpacked"))
    assert "20 x 24 = 480 pixels, 479 at most are read" in refusal(file(encoded(Image.fromarray(GREY), "png")))


def test_a_scan_that_pillow_takes_for_a_bomb_is_read_without_a_warning_and_its_limit_stays(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("png", "tiff", "gif", "webp", "bmp"):
        path = file(encoded(Image.fromarray(GREY).convert("RGB"), kind), f"scan.{kind}")
        with warnings.catch_warnings(action="error"):
            assert load_image(path, 16).size == (16, 16)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_pillows_limit_is_what_it_was_when_the_last_of_several_readers_is_done():
    limit, readers = Image.MAX_IMAGE_PIXELS, [formats.of_any_size() for _ in range(3)]
    for reader in readers:
        reader.__enter__()
    for reader in readers:
        assert Image.MAX_IMAGE_PIXELS is None
        reader.__exit__(None, None, None)
    assert limit == Image.MAX_IMAGE_PIXELS


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
    whole = bytearray(encoded(Image.new("RGB", (8, 8)), "jpeg2000", no_jp2=True))
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
    held = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "2 pictures in one file, expected one" in refusal(file(held, f"two.{kind}"))


def test_a_cameras_file_is_read_by_its_picture_and_its_previews_are_counted(file):
    picture = Image.fromarray(GREY)
    held = encoded(picture, "mpo", save_all=True, append_images=[picture.resize((4, 4))])
    path = file(held, "camera.jpg")
    assert open_image(path).size == (20, 24) and formats.further_pictures(path) == 1


def test_a_program_that_a_decoder_would_run_is_no_image(file):
    assert "not a readable image" in refusal(
        file(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage", "a.png")
    )


def test_of_a_transparent_pixel_the_colour_in_the_file_counts(file):
    assert np.asarray(load_image(file(encoded(Image.new("RGBA", (2, 2), (9, 8, 7, 0)), "png")), 1)).tolist() == [
        [[9, 8, 7]]
    ]


def test_near_duplicates_of_16_bits_are_hashed_by_their_whole_range():
    shown = [np.kron(RNG.integers(0, 256, (8, 8)), np.ones((8, 8), int)) for _ in range(2)]
    shallow = perceptual_hash(Image.fromarray(shown[0].astype(np.uint8)))
    same, other = (perceptual_hash(Image.fromarray((200 * each + 300).astype(np.uint16))) for each in shown)
    assert np.mean(same == shallow) > 0.95 and np.mean(same == other) < 0.7


@pytest.mark.parametrize("whole", [0.3, 0.9])
def test_a_jpeg_of_which_zeros_follow_an_unfinished_copy_is_refused_and_not_read_as_grey(tmp_path, whole):
    Image.effect_noise((64, 48), 80).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: int(whole * len(content))].ljust(len(content), b"\0"))
    with pytest.raises(Misuse, match=r"a\.jpg: not a readable image \(its end is missing\)"):
        open_image(tmp_path / "a.jpg")


def test_a_jpeg_behind_which_a_telephone_puts_a_film_is_read(tmp_path):
    image = Image.effect_noise((64, 48), 80)
    image.save(tmp_path / "a.jpg")
    plain = np.asarray(open_image(tmp_path / "a.jpg"))
    with (tmp_path / "a.jpg").open("ab") as file:
        file.write(b"\0\0\0\x18ftypmp42 \xff\xda and so on")
    assert np.array_equal(open_image(tmp_path / "a.jpg"), plain)


def test_a_png_in_which_a_bit_has_flipped_is_refused(tmp_path):
    Image.effect_noise((3, 3), 80).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[-14] ^= 1  # in the checksum of the pixels
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(Misuse, match=r"a\.png: not a readable image"):
        open_image(tmp_path / "a.png")


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(("tag", "way"), [(3, "ROTATE_180"), (6, "ROTATE_270"), (7, "TRANSVERSE"), (8, "ROTATE_90")])
def test_a_tiff_that_a_tag_turns_is_read_upright_however_its_pixels_are_packed(file, compression, tag, way):
    stored = Image.fromarray(GREY)
    path = file(encoded(stored, "tiff", compression=compression, tiffinfo={274: tag}), "scan.tif")
    upright = np.asarray(stored.transpose(Image.Transpose[way]))
    assert np.array_equal(np.asarray(open_image(path)), upright) and image_size(path) == upright.shape[::-1]
