"""BMP files that Pillow takes for others: four or eight bits a pixel, with a palette that it does not keep.

Pillow (13.0.0 among others) drops a palette of greys, and with it the bits a pixel: black and white are read as one bit
a pixel, so that seven of eight pixels are lost. KolektorSDD's masks come near to that, Pillow itself writes such files.
"""

from io import BytesIO
from pathlib import Path

from PIL import Image

KEPT = {"1": 1, "L": 8}  # bits a pixel that Pillow reads without a palette
STARTS = {"BMP": 14, "DIB": 0}  # bytes before the header that says how long it is
OLDEST = 12  # bytes of the header whose fields are shorter


def misread(image: Image.Image, path: Path) -> bool:
    """Whether an image that Pillow has opened, but not loaded, is a BMP file with other bits a pixel than it reads."""
    if image.format not in STARTS or image.mode not in KEPT:
        return False
    with path.open("rb") as file:
        file.seek(STARTS[image.format])
        head = file.read(16)
    place = 10 if number(head[:4]) == OLDEST else 14
    return number(head[place : place + 2]) != KEPT[image.mode]


def number(field: bytes) -> int:
    """A field of a header as a number."""
    return int.from_bytes(field, "little")


def read_again(image: Image.Image, path: Path) -> Image.Image:
    """The grey image in such a file, mode L: its first colour is made a little blue, so that Pillow keeps the palette,
    and black again once it is read.

    Raises ValueError for a pixel whose number is beyond the palette.
    """
    content, start, colours = bytearray(path.read_bytes()), STARTS[image.format], 2 if image.mode == "1" else 16
    content[start + number(content[start : start + 4])] ^= 1
    with Image.open(BytesIO(content)) as image:
        if (highest := image.getextrema()[1]) >= colours:
            raise ValueError(f"a pixel of number {highest} in a palette of {colours} colours")
        red, green, _, *others = image.getpalette()
        image.putpalette([red, green, red, *others])  # greys alone: all three are the same
        return image.convert("L")
