"""One rule for the many ways in which a mask is written: it is read as it is meant, or refused by name."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from devnetlib.data.images import load_image
from devnetlib.data.layouts.files import read_mask
from devnetlib.errors import Misuse

SIZE = (48, 40)
MARKED = np.zeros(SIZE[::-1], bool)
MARKED[10:20, 12:24] = True
ONES, WHITE = MARKED.astype(np.uint8), np.where(MARKED, 255, 0).astype(np.uint8)
CLASSES = ONES * np.where(np.arange(SIZE[0]) < 18, 1, 2).astype(np.uint8)
EVERYWHERE = np.full_like(WHITE, 255)
SOFT = Image.fromarray(WHITE).resize((192, 160)).resize(SIZE, Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def layers(*bands: np.ndarray) -> Image.Image:
    """An image of grey or colour, the last band its opacity."""
    return Image.merge({2: "LA", 4: "RGBA"}[len(bands)], [Image.fromarray(band) for band in bands])


def paletted(indices: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(indices, "P")
    image.putpalette([channel for colour in colours for channel in colour])
    return image


def bmp(indices: np.ndarray, greys: tuple[int, ...], top_down: bool = False, bits: int = 8) -> bytes:
    """A BMP file of eight or four bits a pixel with a palette of greys, its rows padded to four bytes."""
    rows = indices if top_down else indices[::-1]
    packed = rows if bits == 8 else (rows[:, ::2] << 4) | np.pad(rows[:, 1::2], ((0, 0), (0, rows.shape[1] % 2)))
    data = b"".join(row.tobytes() + bytes(-len(row.tobytes()) % 4) for row in packed)
    height, width = indices.shape
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in greys)
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, 0, 0, 0, 0, len(greys), 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


def png(colour: int, values: np.ndarray) -> bytes:
    """A PNG file of big-endian 16-bit values (height, width, channels), as Pillow writes none."""
    from tests.data.test_hostile import png as packed

    return packed(*SIZE, bits=16, colour=colour, data=b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))


def array(values: np.ndarray) -> bytes:
    held = io.BytesIO()
    np.save(held, values)
    return held.getvalue()


def turned() -> Image.Exif:
    tags = Image.Exif()
    tags[274] = 3
    return tags


RIGHT: dict[str, Callable[[], bytes]] = {
    "one bit.png": lambda: saved(Image.fromarray(MARKED), "png"),
    "one bit, group 4.tif": lambda: saved(Image.fromarray(MARKED), "tiff", compression="group4"),
    "white.png": lambda: saved(Image.fromarray(WHITE), "png"),
    "one.png": lambda: saved(Image.fromarray(ONES), "png"),
    "237.bmp": lambda: saved(Image.fromarray(ONES * 237), "bmp"),
    "254 and 255.png": lambda: saved(Image.fromarray(WHITE - (CLASSES == 1)), "png"),
    "50 and 100.png": lambda: saved(Image.fromarray(CLASSES * 50), "png"),
    "classes.png": lambda: saved(Image.fromarray(CLASSES), "png"),
    "colours.png": lambda: saved(layers(WHITE, 0 * WHITE, 0 * WHITE, EVERYWHERE).convert("RGB"), "png"),
    "16 bits, one.png": lambda: saved(Image.fromarray(ONES.astype(np.uint16)), "png"),
    "16 bits.tif": lambda: saved(Image.fromarray(WHITE.astype(np.uint16) * 257), "tiff"),
    "32 bits.tif": lambda: saved(Image.fromarray(ONES.astype(np.int32) * 70_000), "tiff"),
    "a half.tif": lambda: saved(Image.fromarray(MARKED * np.float32(0.5)), "tiff"),
    "a millionth.tif": lambda: saved(Image.fromarray(MARKED * np.float32(1e-6)), "tiff"),
    "opaque on the defect alone.png": lambda: saved(layers(*3 * [EVERYWHERE], WHITE), "png"),
    "black, opaque on the defect.png": lambda: saved(layers(*3 * [0 * WHITE], WHITE), "png"),
    "grey, opaque on the defect.png": lambda: saved(layers(EVERYWHERE, ONES), "png"),
    "opaque everywhere.png": lambda: saved(layers(WHITE, EVERYWHERE), "png"),
    "shown in both.png": lambda: saved(layers(*4 * [WHITE]), "png"),
    "black is transparent.png": lambda: saved(Image.fromarray(WHITE), "png", transparency=0),
    "black is transparent, 16 bits.png": lambda: saved(Image.fromarray(WHITE.astype(np.uint16)), "png", transparency=0),
    "palette.png": lambda: saved(paletted(CLASSES, (0, 0, 0), (128, 0, 0), (0, 128, 0)), "png"),
    "white is index 0.png": lambda: saved(paletted(ONES, (255, 255, 255), (0, 0, 0)), "png"),
    "red is index 0.png": lambda: saved(paletted(1 - ONES, (255, 0, 0), (0, 0, 0)), "png"),
    "white palette, transparent.png": lambda: saved(
        paletted(ONES, (255, 255, 255), (255, 255, 255)), "png", transparency=b"\0"
    ),
    "black palette.png": lambda: saved(paletted(ONES, (0, 0, 0), (0, 0, 0)), "png"),
    "grey.gif": lambda: saved(Image.fromarray(WHITE), "gif"),
    "cmyk.tif": lambda: saved(Image.fromarray(WHITE).convert("RGB").convert("CMYK"), "tiff"),
    "quality 50.jpg": lambda: saved(Image.fromarray(WHITE), "jpeg", quality=50),
    "turned by a text, which turns nothing.jpg": lambda: saved(Image.fromarray(WHITE), "jpeg", exif=turned()).replace(
        b"\x01\x12\0\x03", b"\x01\x12\0\x02"
    ),
    "red, quality 75.jpg": lambda: saved(
        layers(WHITE, 0 * WHITE, 0 * WHITE, EVERYWHERE).convert("RGB"), "jpeg", quality=75
    ),
    "jpeg inside.tif": lambda: saved(Image.fromarray(WHITE), "tiff", compression="jpeg"),
    "lossy.webp": lambda: saved(Image.fromarray(WHITE).convert("RGB"), "webp", quality=50),
    "8 bits, black and white.bmp": lambda: bmp(ONES, (0, 255)),
    "8 bits, black and white, from the top.bmp": lambda: bmp(ONES, (0, 255), top_down=True),
    "4 bits, black and white.bmp": lambda: bmp(ONES, (0, 255), bits=4),
    "4 bits, greys.bmp": lambda: bmp(ONES * 15, tuple(range(16)), bits=4),
    "as pillow writes it.bmp": lambda: saved(paletted(ONES, (0, 0, 0), (255, 255, 255)), "bmp"),
    "true or false.npy": lambda: array(MARKED),
    "half precision.npy": lambda: array(MARKED.astype(np.float16) / 2),
    "one channel.npy": lambda: array(CLASSES[..., None]),
}

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "inverted.png": (
        lambda: saved(Image.fromarray(255 - WHITE), "png"),
        r"inverted.* 93\.75% of the image and 100\.00% of its edge",
    ),
    "inverted opacity.png": (lambda: saved(layers(EVERYWHERE, 255 - WHITE), "png"), r"inverted.* 93\.75%"),
    "all one.png": (lambda: saved(Image.fromarray(0 * WHITE + 1), "png"), r"inverted.* 100\.00%"),
    "antialiased.png": (lambda: saved(SOFT, "png"), r"8\.75% above 0 or 6\.25% from half of its maximum on"),
    "antialiased opacity.png": (
        lambda: saved(Image.merge("LA", (SOFT.point(lambda _: 255), SOFT)), "png"),
        "above 0 or",
    ),
    "antialiased.gif": (lambda: saved(SOFT, "gif"), "above 0 or"),
    "two greys.png": (
        lambda: saved(Image.fromarray(WHITE - 155 * (CLASSES == 1).astype(np.uint8)), "png"),
        r"6\.25% above 0 or 3\.12% from half of its maximum on",
    ),
    "background of one.png": (lambda: saved(Image.fromarray(np.maximum(WHITE, 1)), "png"), r"100\.00% above 0"),
    "scores.tif": (lambda: saved(Image.fromarray(np.float32(SOFT) / 255), "tiff"), "above 0 or"),
    "not a number.tif": (lambda: saved(Image.fromarray(np.where(MARKED, np.float32("nan"), 0)), "tiff"), "no number"),
    "negative.tif": (lambda: saved(Image.fromarray(-MARKED.astype(np.float32)), "tiff"), "a negative value"),
    "black at index 1.png": (
        lambda: saved(paletted(CLASSES, (0, 0, 0), (0, 0, 0), (255, 0, 0)), "png"),
        r"3\.12% by its colours or 6\.25% by the indices",
    ),
    "white is transparent.png": (
        lambda: saved(Image.fromarray(WHITE), "png", transparency=255),
        r"6\.25% by its colours or 93\.75% by its opacity",
    ),
    "transparent everywhere.png": (
        lambda: saved(layers(*3 * [WHITE], 0 * WHITE), "png"),
        r"6\.25% by its colours or 0\.00% by its opacity",
    ),
    "dark.jpg": (lambda: saved(Image.fromarray(ONES), "jpeg"), r"0\.00% from half of its range on"),
    "half as bright.jpg": (lambda: saved(Image.fromarray(WHITE // 2), "jpeg"), "from half of its range on"),
    "grey and white.jpg": (lambda: saved(Image.fromarray(CLASSES * 120), "jpeg"), "from half of its range on"),
    "two pictures.tif": (
        lambda: saved(Image.fromarray(WHITE), "tiff", save_all=True, append_images=[Image.fromarray(ONES)]),
        "2 pictures in one file",
    ),
    "turned.jpg": (lambda: saved(Image.fromarray(WHITE), "jpeg", exif=turned()), "orientation tag"),
    "16 bits a colour.png": (lambda: png(2, np.repeat(ONES[..., None], 3, axis=2)), "16 bits a channel"),
    "16 bits and opacity.png": (lambda: png(4, np.stack([ONES, EVERYWHERE], axis=2)), "16 bits a channel"),
    "beyond its palette.bmp": (lambda: bmp(ONES * 7, (0, 255)), "number 7 in a palette of 2 colours"),
    "three channels.npy": (lambda: array(np.stack(3 * [WHITE], axis=2)), r"shape \(40, 48, 3\)"),
    "objects.npy": (lambda: array(np.array([{}], object)), "allow_pickle"),
    "empty.npy": (lambda: b"", "No data left"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_mask_is_read_as_it_is_meant(tmp_path, name):
    (tmp_path / name).write_bytes(RIGHT[name]())
    assert np.array_equal(read_mask(tmp_path / name, SIZE), MARKED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_mask_that_can_be_read_in_two_ways_or_in_none_is_refused_by_name(tmp_path, name):
    content, told = REFUSED[name]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(Misuse, match=rf"{name}: .*{told}"):
        read_mask(tmp_path / name, SIZE)


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff"])
def test_a_black_mask_marks_nothing_in_any_format(tmp_path, kind):
    (tmp_path / "mask").write_bytes(saved(Image.fromarray(0 * WHITE), kind))
    assert not read_mask(tmp_path / "mask", SIZE).any()


def test_a_large_object_that_leaves_the_edge_of_its_image_free_is_no_inverted_mask(tmp_path):
    large = np.pad(np.ones((36, 44), bool), 2)
    Image.fromarray(large).save(tmp_path / "flip.png")
    assert large.mean() > 0.5 and np.array_equal(read_mask(tmp_path / "flip.png", SIZE), large)


def test_a_bmp_image_of_black_and_white_in_8_bits_keeps_its_pixels_and_is_grey(tmp_path):
    noise = np.random.default_rng(0).integers(0, 2, (31, 31), dtype=np.uint8)
    (tmp_path / "cell.bmp").write_bytes(bmp(noise, (0, 255)))
    image = load_image(tmp_path / "cell.bmp", 31)
    assert image.mode == "L" and np.array_equal(np.asarray(image), noise * 255)


def test_every_real_mask_of_kolektorsdd_marks_the_indices_above_0_that_its_bytes_hold(raw):
    root, marked = raw("kolektorsdd"), 0
    for path in sorted(root.glob("kos*/*_label.bmp")):
        content = path.read_bytes()
        start, width, height = (int.from_bytes(content[place : place + 4], "little") for place in (10, 18, 22))
        rows = np.frombuffer(content, np.uint8, offset=start).reshape(height, -1)[::-1, :width]
        assert np.array_equal(read_mask(path, (width, height)), rows > 0)
        marked += bool(rows.any())
    assert marked == 52
