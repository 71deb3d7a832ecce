"""A corpus of hostile and broken images, masks and archives: each is refused by name, in one line, with status 1, and
the data root stays as it was."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devnetlib.__main__ import main
from devnetlib.data import archives
from devnetlib.data.prepare import prepare, verify
from tests.encoding import SIGNATURE, chunk, encoded, png, png_of, tiff_of
from tests.trees import mask, picture

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 2**16, (40, 40, 4), dtype=np.uint16)
FORMATS = {"png": "png", "jpg": "jpeg", "bmp": "bmp", "tif": "tiff"}


def broken_images() -> dict[str, bytes]:
    """Files that are named as images and are none, or not ones that 8 bits can hold; by name."""
    found = {}
    for suffix, kind in FORMATS.items():
        whole = encoded(Image.fromarray(NOISE), kind)
        cuts = {f"cut to {share:.0%}": whole[: int(share * len(whole))] for share in (0.05, 0.3, 0.6, 0.9)}
        others = {"empty": b"", "one byte": whole[:1], "zeros": bytes(len(whole)), "a signature": whole[:8]}
        others |= {"a web page": b"<!DOCTYPE html><title>404</title>", "a pointer": b"version https://git-lfs/spec/v1"}
        found |= {f"{name}.{suffix}": content for name, content in (cuts | others).items()}
    deep = {name: Image.fromarray(NOISE.astype(kind)) for name, kind in (("16 bits", "uint16"), ("32 bits", "int32"))}
    return found | {
        **{f"{name}.tif": encoded(image, "tiff") for name, image in deep.items()},
        "fractions.tif": encoded(Image.fromarray(NOISE.astype(np.float32)), "tiff"),
        "16 bits.png": encoded(deep["16 bits"], "png"),
        **{f"16 bits, {n} channels.png": png_of(DEEP[..., :n], 16) for n in (2, 3, 4)},
        "16 bits, 3 channels.tif": tiff_of(DEEP[..., :3]),
        "16 bits, big endian.tif": tiff_of(DEEP[..., 0], ">"),
        "16 bits.pgm": b"P5 40 40 65535\n" + DEEP[..., 0].astype(">u2").tobytes(),
        "16 bits, 3 channels.ppm": b"P6 40 40 1023\n" + (DEEP[..., :3] // 64).astype(">u2").tobytes(),
        "larger than memory.png": png(100_000, 100_000),
        "without width.png": png(0, 40),
        "pixels missing.png": png(40, 40, data=bytes(100)),
        "unknown depth.png": png(40, 40, bits=7, data=bytes(1640)),
        "unknown colour.png": png(40, 40, colour=5, data=bytes(1640)),
        "wrong checksum.png": png(40, 40, data=bytes(1640), checksum=1),
        "no pixels.png": SIGNATURE + chunk(b"IEND", b""),
    }


def doubtful_masks() -> dict[str, bytes]:
    """Masks that may mean one thing or another, or nothing; by name."""
    white = np.zeros((40, 40), np.uint8)
    white[9:19, 9:29] = 255
    opaque = np.dstack([white, white, white, white.T])
    soft = Image.fromarray(white).resize((50, 50), Image.Resampling.BICUBIC).resize((40, 40), Image.Resampling.BICUBIC)
    unknown = white.astype(np.float32)
    unknown[0, 0] = np.nan
    return {
        "inverted.png": encoded(Image.fromarray(255 - white), "png"),
        "white.png": encoded(Image.fromarray(np.full_like(white, 255)), "png"),
        "opaque where all is well.png": encoded(Image.fromarray(np.dstack([white | 255] * 3 + [255 - white])), "png"),
        "colour and transparency disagree.png": encoded(Image.fromarray(opaque), "png"),
        "soft.png": encoded(soft, "png"),
        "levels.png": encoded(Image.fromarray(white // 255 * np.arange(40, dtype=np.uint8) * 5), "png"),
        "not a number.tif": tiff_of(unknown),
        "below zero.tif": tiff_of(white.astype(np.float32) - 1),
        "cut.png": encoded(Image.fromarray(white), "png")[:60],
        "empty.png": b"",
    }


def zipped(*members: tuple[str, bytes], mode: int = 0) -> bytes:
    """A zip of (name, content); `mode` is what Unix says of its files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return held.getvalue()


def tarred(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """A tar.gz of one empty member."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return held.getvalue()


def hostile_archives() -> dict[str, bytes]:
    """Archives that would leave their folder, fill the disk or are not whole; by name."""
    whole = zipped(*((f"normal/{number}.png", NOISE.tobytes()) for number in range(3)))
    names = [
        "../escaped.png",
        "/escaped.png",
        "a/../../escaped.png",
        "..\\escaped.png",
        "C:/escaped.png",
        "a\nb.png",
        "a" * 300,
    ]
    kinds = {"a link": tarfile.SYMTYPE, "a hard link": tarfile.LNKTYPE, "a disk": tarfile.BLKTYPE}
    kinds |= {"a terminal": tarfile.CHRTYPE, "a pipe": tarfile.FIFOTYPE}
    found = {f"outside {number}.zip": zipped((name, b"x")) for number, name in enumerate(names)}
    found |= {f"outside {number}.tar.gz": tarred(name) for number, name in enumerate(names)}
    found |= {f"{name}.tar.gz": tarred("normal", kind, "../..") for name, kind in kinds.items()}
    found |= {f"cut to {share:.0%}.zip": whole[: int(share * len(whole))] for share in (0.1, 0.5, 0.9)}
    return found | {
        "a link.zip": zipped(("normal", b"../.."), mode=0o120777),
        "a bomb.zip": zipped(("zeros", bytes(2**24))),
        "empty.zip": b"",
        "text.tar.gz": b"no archive",
        "archives in it.zip": zipped(("release.zip", whole)),
        "no release in it.zip": zipped(("readme.txt", b"hello")),
    }


IMAGES, MASKS, ARCHIVES = broken_images(), doubtful_masks(), hostile_archives()


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """A folder of your own with masks."""
    for file in ("train/good/0", "train/good/1", "test/good/0", "test/hole/0"):
        picture(tmp_path / f"tiles/{file}.png", (40, 40))
    mask(tmp_path / "tiles/ground_truth/hole/0.png", (40, 40))
    return tmp_path / "tiles"


@pytest.fixture
def refusal(tmp_path: Path, tiles: Path, capsys: pytest.CaptureFixture) -> Callable[[Path], str]:
    """`refusal(source)`: the one line with which a source is refused where the same set is prepared already; nothing
    may have changed."""
    root = tmp_path / "root"

    def prepared_from(source: Path) -> int:
        return main(["data", "prepare", "my/tiles", "--from", str(source), "--data-root", str(root)])

    def state() -> dict[Path, tuple[int, int]]:
        files = {path: path.stat() for path in tmp_path.rglob("*")}
        return {path: (found.st_size, found.st_mtime_ns) if path.is_file() else (0, 0) for path, found in files.items()}

    def refused(source: Path) -> str:
        before = state()
        capsys.readouterr()
        assert prepared_from(source) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert state() == before and verify(prepare("my/tiles", data_root=root)) == []
        return line

    assert prepared_from(tiles) == 0
    return refused


def test_the_corpus_has_ninety_entries_and_more():
    assert len(IMAGES) + len(MASKS) + len(ARCHIVES) >= 90 and len(set(IMAGES.values())) >= 0.8 * len(IMAGES)


@pytest.mark.parametrize("name", IMAGES)
def test_a_broken_image_is_refused_by_name(tiles, refusal, name):
    (tiles / "train" / "good" / name).write_bytes(IMAGES[name])
    assert f"train/good/{name}: " in refusal(tiles)


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_that_cannot_be_told_is_refused_by_name(tiles, refusal, name):
    (tiles / "ground_truth" / "hole" / "0.png").unlink()
    (path := tiles / "ground_truth" / "hole" / f"0{Path(name).suffix}").write_bytes(MASKS[name])
    assert f"ground_truth/hole/{path.name}: " in refusal(tiles)


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_by_name(tmp_path, refusal, monkeypatch, name):
    monkeypatch.setattr(archives, "SMALL", 2**20)
    (tmp_path / name).write_bytes(ARCHIVES[name])
    assert name in refusal(tmp_path / name)
    assert not list(tmp_path.parent.rglob("escaped*"))


def test_a_mask_of_another_size_and_a_mask_of_no_image_are_refused_by_name(tiles, refusal):
    mask(tiles / "ground_truth/hole/0.png", (41, 40))
    assert "ground_truth/hole/0.png: 41 x 40 px, expected 40 x 40 px" in refusal(tiles)
    mask(tiles / "ground_truth/hole/0.png", (40, 40))
    mask(tiles / "ground_truth/hole/1.png", (40, 40))
    assert "ground_truth/hole/1.png: a mask, but there is no anomalous image" in refusal(tiles)


def test_a_disk_that_is_full_while_an_archive_is_unpacked_is_told(tmp_path, refusal, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "whole.zip").write_bytes(zipped(("normal/0.png", b"x")))
    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    assert "No space left on device; nothing was changed" in refusal(tmp_path / "whole.zip")


def test_what_is_no_file_is_passed_over_without_waiting_for_it(tmp_path, tiles):
    os.mkfifo(tiles / "train" / "good" / "2.png")
    (tiles / "train" / "good" / "3.png").mkdir()
    assert main(["data", "prepare", "my/tiles", "--from", str(tiles), "--data-root", str(tmp_path / "root")]) == 0
    assert len(prepare("my/tiles", data_root=tmp_path / "root").table) == 4
