"""Files of images byte by byte: what Pillow does not write, and what nobody should."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # a PNG's type of colour by its channels


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    """An image as the bytes of a file."""
    held = io.BytesIO()
    image.save(held, kind, **more)
    return held.getvalue()


def chunk(name: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A part of a PNG file, with a checksum of its own where one is given."""
    right = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", right if checksum is None else checksum)


def png(
    width: int, height: int, bits: int = 8, colour: int = 0, data: bytes = b"", checksum: int | None = None
) -> bytes:
    """A PNG file with this header and these packed pixels, whether or not they go together."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0), checksum)
    return SIGNATURE + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Rows (H,W) of numbers below 2**bits as bytes (H,B), the first number in the highest bits."""
    spread = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
    return np.packbits(spread.reshape(len(values), -1), axis=1)


def png_of(values: np.ndarray, bits: int) -> bytes:
    """A PNG of numbers below 2**bits, (H,W) or (H,W,C) with grey, grey and alpha, RGB or RGBA."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    flat = values.reshape(len(values), -1)
    rows = flat.astype(">u2").view(np.uint8) if bits == 16 else packed(flat, bits)
    return png(values.shape[1], len(values), bits, COLOURS[channels], np.pad(rows, ((0, 0), (1, 0))).tobytes())


def tiff_of(values: np.ndarray, order: str = "<") -> bytes:
    """An uncompressed TIFF of (H,W) or (H,W,3) of any number type, little (<) or big endian (>)."""
    height, width, channels = (*values.shape, 1)[:3]
    raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = {256: width, 257: height, 258: 8 * values.dtype.itemsize, 259: 1, 262: 1 if channels == 1 else 2}
    start = 8 + 2 + 12 * 11 + 4
    bits = b"" if channels == 1 else struct.pack(f"{order}3H", *[tags[258]] * 3)
    tags |= {273: start + len(bits), 277: channels, 278: height, 279: len(raw), 284: 1, 339: kind}
    entries = b""
    for tag, value in sorted(tags.items()):
        if tag == 258 and bits:
            entries += struct.pack(f"{order}HHII", tag, 3, 3, start)
        else:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, value)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", 8) + struct.pack(f"{order}H", len(tags))
    return head + entries + struct.pack(f"{order}I", 0) + bits + raw


def bmp_of(indices: np.ndarray, palette: list[tuple[int, int, int]], bits: int = 8, top_down: bool = False) -> bytes:
    """An uncompressed BMP of indices (H,W) into a palette of (red, green, blue), bottom row first unless `top_down`."""
    height, width = indices.shape
    rows = packed(indices, bits)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    raw = (rows if top_down else rows[::-1]).tobytes()
    colours = b"".join(bytes((blue, green, red, 0)) for red, green, blue in palette)
    start = 14 + 40 + len(colours)
    signed = -height if top_down else height
    info = struct.pack("<IiiHHIIiiII", 40, width, signed, 1, bits, 0, len(raw), 0, 0, len(palette), len(palette))
    return b"BM" + struct.pack("<IHHI", start + len(raw), 0, 0, start) + info + colours + raw
