"""Small trees in the layout of a raw release, for the tests of the readers."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]  # left, upper, right, lower


def picture(path: Path, size: tuple[int, int] = (8, 8), mode: str = "L", content: str | None = None) -> Path:
    """An image of noise that its path (or `content`) decides, so that two files differ unless they are asked to be
    alike."""
    noise = np.random.default_rng(zlib.crc32((content or path.as_posix()).encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise.integers(1, 256, size[::-1], np.uint8)).convert(mode).save(path)
    return path


def scan(seed: int, side: int = 64) -> Image.Image:
    """A smooth grey picture of its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def mask(path: Path, size: tuple[int, int] = (8, 8), marked: Box | None = (1, 1, 3, 3), mode: str = "L") -> Path:
    """A black mask, opaque where its mode has transparency, white in the box `marked`."""
    image = Image.new(mode, size, {"L": 0, "LA": (0, 255), "RGB": (0, 0, 0), "RGBA": (0, 0, 0, 255)}[mode])
    if marked:
        image.paste({"L": 255, "LA": (255, 255)}.get(mode, (255,) * len(mode)), marked)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def array(path: Path, shape: tuple[int, ...] = (64, 64, 6), content: str | None = None) -> Path:
    """An .npy file of whole numbers from 0 to 255 that its path (or `content`) decides."""
    noise = np.random.default_rng(zlib.crc32((content or path.as_posix()).encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, noise.integers(0, 256, shape, np.uint8))
    return path


def printed_counts(dataset: str, subset: str = "all") -> dict[str, int]:
    """What the paper's Table I prints for a data set."""
    table = Path(__file__).parents[1] / "book" / "paper" / "table1.csv"
    columns, *rows = [line.split(",") for line in table.read_text().splitlines()]
    (row,) = [dict(zip(columns, row, strict=True)) for row in rows if row[:2] == [dataset, subset]]
    return {name: int(row[name]) for name in ("train_normal", "test_normal", "test_anomaly")}
