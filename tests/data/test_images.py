"""Pixels: what is read faithfully, what is refused by name, the bank on disk, rotation with black corners."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from devnetlib.data.images import cached_array, decode, gather, image_bank, load_image, normalise, rotate, to_unit
from devnetlib.data.layouts.files import open_image
from devnetlib.errors import Misuse
from devnetlib.study.training import Pixels

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 20), dtype=np.uint8)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


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


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert "not a readable image" in refusal(file(png(Image.fromarray(GREY))))


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
    bank = decode(toy.table.iloc[:6], toy.root, 48)
    assert bank.shape == (6, 1, 48, 48) and bank.dtype == np.uint8
    for number, name in enumerate(toy.table["file"][:6]):
        assert np.array_equal(bank[number, 0], np.asarray(load_image(toy.root / name, 48)))


def test_one_coloured_image_makes_the_bank_a_coloured_one(tmp_path, toy):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.new("RGB", (8, 8), (200, 10, 30)).save(tmp_path / "red.png")
    bank = decode(toy.table.iloc[:2].assign(file=["grey.png", "red.png"]), tmp_path, 16)
    assert bank.shape == (2, 3, 16, 16) and bank[1, :, 0, 0].tolist() == [200, 10, 30]
    assert np.array_equal(bank[0, 0], bank[0, 2])


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
    bank = decode(table, tmp_path, 10)
    for number, part in enumerate([GREY[:8], GREY[8:24, 3:15]]):
        expected = Image.fromarray(part).resize((10, 10), Image.Resampling.BILINEAR)
        assert np.array_equal(bank[number, 0], np.asarray(expected))


def test_no_pixel_beyond_a_crop_weighs_in(tmp_path, toy):
    halves = np.repeat(np.array([0, 255], np.uint8), 12)[:, None].repeat(20, axis=1)
    Image.fromarray(halves).save(tmp_path / "halves.png")
    dark, bright = decode(crops(toy, "halves.png", (0, 0, 20, 12), (0, 12, 20, 12)), tmp_path, 5)
    assert (dark == 0).all() and (bright == 255).all()


def test_a_file_that_several_rows_share_is_opened_once_and_the_rows_keep_their_order(tmp_path, toy, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "devnetlib.data.images.open_image", lambda path: (opened.append(path.name), open_image(path))[1]
    )
    for name, value in (("one.png", 10), ("two.png", 20)):
        Image.new("L", (8, 8), value).save(tmp_path / name)
    table = pd.concat([crops(toy, name, (0, 0, 8, 4), (0, 4, 8, 4)) for name in ("one.png", "two.png")])
    bank = decode(table.iloc[[0, 2, 1, 3]], tmp_path, 4)
    assert bank[:, 0, 0, 0].tolist() == [10, 20, 10, 20] and sorted(opened) == ["one.png", "two.png"]


@pytest.mark.parametrize("box", [(0, 0, 21, 4), (0, 20, 20, 5), (-1, 0, 4, 4), (0, 0, 0, 4)])
def test_a_crop_that_its_file_does_not_hold_is_refused_by_name(tmp_path, toy, box):
    Image.fromarray(GREY).save(tmp_path / "strip.png")
    with pytest.raises(Misuse, match=r"strip\.png: \(20, 24\) px do not hold the crop"):
        decode(crops(toy, "strip.png", box), tmp_path, 4)


def test_an_array_file_is_read_by_its_first_three_channels(tmp_path):
    np.save(tmp_path / "six.npy", np.full((4, 4, 6), [1, 2, 3, 4, 5, 6], np.uint8))
    assert np.asarray(load_image(tmp_path / "six.npy", 2))[0, 0].tolist() == [1, 2, 3]


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


def test_normalisation_is_imagenets():
    grey = normalise(to_unit(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)))
    assert grey.shape == (1, 3, 2, 2)
    torch.testing.assert_close(grey[0, :, 0, 0], torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 33), (24, 40)])
def test_a_batch_is_rotated_as_torchvision_rotates_each_of_its_images(height, width):
    from torchvision.transforms.functional import rotate as reference

    degrees = torch.tensor([0.0, 13.7, -37.2, 90.0, -90.0, 121.9, 180.0, -179.3, 45.0])
    images = torch.from_numpy(np.random.default_rng(2).random((len(degrees), 3, height, width), dtype=np.float32))
    expected = torch.stack([reference(image, angle.item()) for image, angle in zip(images, degrees, strict=True)])
    assert torch.equal(rotate(images, degrees), expected)


def test_an_anticlockwise_quarter_turn_moves_the_upper_right_corner_to_the_upper_left():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 0, 8] = 1
    turned = rotate(image, torch.tensor([90.0]))
    assert turned[0, 0, 0, 0] == 1 and turned.sum() == 1


def test_training_images_have_corners_that_were_black_before_normalisation():
    bank = np.full((40, 1, 32, 32), 255, np.uint8)
    angles = np.random.default_rng(5).uniform(-180, 180, 40)
    images, places = Pixels(bank, torch.device("cpu"), 180.0, np.random.default_rng(5)).augmented(np.arange(40))
    black, white = (normalise(torch.full((1, 3, 1, 1), value)).flatten() for value in (0.0, 1.0))
    oblique = np.abs(angles % 90 - 45) < 30
    assert oblique.sum() > 10 and places.tolist() == list(range(40))
    for corner in (images[oblique][:, :, y, x] for y in (0, -1) for x in (0, -1)):
        torch.testing.assert_close(corner, black.expand_as(corner))
    centre = images[:, :, 16, 16]
    torch.testing.assert_close(centre, white.expand_as(centre))


def test_without_rotation_training_images_are_the_test_images():
    bank = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    pixels, rows = Pixels(bank, torch.device("cpu"), 0.0, np.random.default_rng(0)), np.array([3, 1])
    assert torch.equal(pixels.augmented(rows)[0], pixels.plain(rows))
    assert torch.equal(gather(bank, rows, torch.device("cpu")), torch.from_numpy(bank[[3, 1]]))
