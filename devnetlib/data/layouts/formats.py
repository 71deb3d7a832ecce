"""Which image files are read: still pictures of 8 bits a channel or less, in formats that a signature tells apart.

Pillow reads more formats and reduces deeper pictures to 8 bits in silence; here such a file is refused by name.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from PIL import Image

from devnetlib.errors import Misuse

FORMATS = {  # Pillow's name of a format, and how the names of its files end
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "QOI": (".qoi",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
MOST_PIXELS = 2**30  # of one picture: a line camera's scan has some 10^8, and this many take a gigabyte in grey
LOCK, LIMITS = Lock(), []  # on Pillow's limit, which is global, and what it was for everyone who lifts it now


@contextmanager
def of_any_size() -> Iterator[None]:
    """Lift Pillow's limit for a while: it warns from 89 and refuses from 179 million pixels on, as suits a server, not
    scans of one's own."""
    with LOCK:
        LIMITS.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with LOCK:
            Image.MAX_IMAGE_PIXELS = LIMITS.pop()  # the first is restored by the last


@contextmanager
def still(path: Path) -> Iterator[Image.Image]:
    """An image file, opened but not decoded.

    Raises Misuse for more than `MOST_PIXELS` pixels, for several pictures in one file (pages, an animation) and for
    channels that Pillow would reduce to 8 bits; of a camera's file with previews (MPO) the first is the picture. Raises
    whatever Pillow raises for a file that is no image.
    """
    with of_any_size(), Image.open(path, formats=list(FORMATS)) as image:
        (width, height), pictures = image.size, getattr(image, "n_frames", 1)
        if width * height > MOST_PIXELS:
            told = f"{width} x {height} = {width * height:,} pixels, {MOST_PIXELS:,} at most are read; cut it"
        elif pictures > 1 and image.format != "MPO":
            told = f"{pictures} pictures in one file, expected one; save each as a file of its own"
        elif image.mode[0] not in "IF" and (bits := bits_of(image)) > 8:  # I and F hold them all
            told = f"{bits} bits a channel do not fit into 8 bits; convert the file to 8-bit grey or RGB"
        else:
            yield image
            return
        raise Misuse(f"{path}: {told}")


def further_pictures(path: Path) -> int:
    """How many pictures a camera's file holds besides the one that is read."""
    if path.suffix.lower() not in FORMATS["JPEG"]:
        return 0
    with still(path) as image:
        return getattr(image, "n_frames", 1) - 1


def bits_of(image: Image.Image) -> int:
    """Bits a channel of an image file that is open, as the file states them; 8 for a format that has no more."""
    return BITS[image.format](image) if image.format in BITS else 8


def jpeg2000_bits(image: Image.Image) -> int:
    """The most bits of any component by the marker SIZ that begins the codestream."""
    head = Path(image.filename).read_bytes().partition(b"\xff\x4f\xff\x51")[2]
    components = head[38 : 38 + 3 * int.from_bytes(head[36:38], "big") : 3]
    return max((component & 0x7F) + 1 for component in components)


def avif_bits(image: Image.Image) -> int:
    """8, or 12 where a codec configuration (box av1C) says that there are more, 10 or 12."""
    configurations = Path(image.filename).read_bytes().split(b"av1C")[1:]
    return 12 if any(len(each) > 2 and each[2] & 0x40 for each in configurations) else 8


BITS: dict[str, Callable[[Image.Image], int]] = {
    "AVIF": avif_bits,
    "JPEG2000": jpeg2000_bits,
    "PNG": lambda image: 16 if any(";16" in str(tile.args) for tile in image.tile) else 8,
    "PPM": lambda image: max([8, *(16 for tile in image.tile if isinstance(tile.args, tuple) and tile.args[-1] > 255)]),
    "TIFF": lambda image: max(image.tag_v2.get(258, (1,))),
}
