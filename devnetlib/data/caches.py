"""What can be made again: banks, maps and saliency maps, one array file each, made whole or not at all, checked, listed
and cleared.

<data root>/cache/banks/<digest of the image table>-<pixels>px.npy
<data root>/cache/maps/<data set>/<digest of the image table>-<pixels>px-<everything else they depend on>.npy
<data root>/cache/saliency/<data set>/<digest of the image table>-<everything else they depend on>.npy
"""

import fcntl
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from devnetlib.data.manifests import datasets, default_data_root, load_card
from devnetlib.data.prepare import cache_folder, prepare, subsets_at_hand
from devnetlib.errors import Incomplete, Misuse, Unwritable, unwritable
from devnetlib.writing import UNFINISHED, atomic_write, writer_lives

SEAL = 4  # bytes at the end of a file: the CRC-32 of all before them, which readers of .npy files pass over
CHUNK = 1 << 24


def cached_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Memory-map an .npy file, making its array first where it is missing or damaged; as `cached_file`."""
    return cached_file(path, lambda: write_whole(path, make()))


def cached_file(path: Path, write: Callable[[], None]) -> np.ndarray:
    """Memory-map an .npy file, having it written first where it is missing or damaged, which is said.

    A bit that has flipped is damage, too: a file is read through once a process and compared with its checksum.
    Raises Unwritable where the disk has no room for it.
    """
    try:
        return read_whole(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError) as error:
        tqdm.write(f"{path}: damaged cache ({error}), made again", file=sys.stderr)
    write()
    return read_whole(path)


def read_whole(path: Path) -> np.ndarray:
    """The array of a file whose checksum is right, memory-mapped; ValueError or OSError for any other."""
    found = path.stat()
    if not sound(path, found.st_ino, found.st_size, found.st_mtime_ns):
        raise ValueError("its checksum differs")
    return np.load(path, mmap_mode="c")


@cache
def sound(path: Path, file: int, size: int, changed: int) -> bool:
    """Whether the checksum of a file is right; found out once a process for each state of the file."""
    total, left = 0, size - SEAL
    with path.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(left, CHUNK))):
            total, left = zlib.crc32(chunk, total), left - len(chunk)
        return stream.read() == total.to_bytes(SEAL, "little")


def write_whole(path: Path, array: np.ndarray) -> None:
    """Write an array and its checksum; as `write_file`."""
    write_file(path, array.nbytes, lambda stream: np.save(stream, array))


def write_file(path: Path, needed: int, write: Callable[[BinaryIO], None]) -> None:
    """Have a file of `needed` bytes or more written and put its checksum behind them, whole or not at all; Unwritable,
    and nothing is left behind, where that fails."""

    def sealed(temporary: Path) -> None:
        check_room(path, needed)
        with temporary.open("x+b") as stream:
            write(stream)
            seal(stream)

    try:
        atomic_write(path, sealed)
    except OSError as error:
        mend = "make room ('python -m devnetlib cache clear'), or name another folder with --data-root"
        raise unwritable(path, error, mend) from None


def seal(stream: BinaryIO) -> None:
    """Put the checksum of an open file at its end."""
    stream.seek(0)
    total = 0
    while chunk := stream.read(CHUNK):
        total = zlib.crc32(chunk, total)
    stream.write(total.to_bytes(SEAL, "little"))
    stream.flush()


def check_room(path: Path, needed: int) -> None:
    """Raise OSError, before a byte is written, where the disk cannot hold so many bytes."""
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise OSError(f"{megabytes(needed)} are needed, {megabytes(free)} are free")


def megabytes(count: int) -> str:
    """Bytes in MB, for people."""
    return f"{count / 1e6:.1f} MB"


@dataclass(frozen=True)
class Entry:
    """A cached file: whose it is, and what it depends on."""

    path: Path
    kind: str  # bank, maps, saliency, or unfinished: left by a process that has ended
    dataset: str | None  # None: no data set at hand has such an image table, so nothing reads it any more
    depends_on: str

    def as_json(self) -> dict[str, str | int | None]:
        """What a program may want to know."""
        told = {"kind": self.kind, "dataset": self.dataset, "depends_on": self.depends_on}
        return told | {"bytes": self.path.stat().st_size, "path": str(self.path)}


def entries(data_root: Path | None = None) -> list[Entry]:
    """Every file of the cache that can be told, by kind, data set and name; what a living process is making is not."""
    folder = cache_folder(data_root or default_data_root())
    owners = owners_of_tables(data_root) if folder.is_dir() else {}
    finished = [
        entry_of(path, kind, owners)
        for kind, place in (("bank", "banks"), ("maps", "maps"), ("saliency", "saliency"))
        for path in (folder / place).rglob("*.npy")
    ]
    left = [entry_of(path, "unfinished", owners) for path in folder.rglob(f"*{UNFINISHED}") if not being_made(path)]
    return sorted(finished + left, key=lambda entry: (entry.dataset or "", entry.kind, entry.path))


def entry_of(path: Path, kind: str, owners: dict[str, str]) -> Entry:
    """What is known of a cached file by its name."""
    digest, *depends_on = path.name.removeprefix(".").split(".npy")[0].split("-")
    return Entry(path, kind, owners.get(digest), ", ".join([*depends_on, f"image table {digest}"]))


def being_made(path: Path) -> bool:
    """Whether a living process may still be writing an unfinished file: by the writer that its name tells or, where it
    tells none, by its lock.

    Earlier versions told no writer and locked what they wrote. Where locks are refused they could write nothing, so
    that what lies there was left behind.
    """
    if (lives := writer_lives(path)) is not None:
        return lives
    try:
        with path.open("r+b") as stream:  # some network file systems lock only what is open for writing
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # gone meanwhile, or no locks here
        return False
    return False


def owners_of_tables(data_root: Path | None) -> dict[str, str]:
    """The data set behind the digest of an image table, for every reading of what is at hand."""
    owners = {}
    for name in [*datasets(), *subsets_at_hand(data_root or default_data_root())]:
        with suppress(Misuse, Incomplete):  # a data set that is not at hand
            for reading in load_card(name, data_root).readings:
                owners[prepare(name, reading, data_root).digest] = name
    return owners


def clear(dataset: str | None = None, data_root: Path | None = None) -> dict[str, int]:
    """Remove what is cached of one data set, or all of it; how many files and bytes. It is made again when needed."""
    removed = {"files": 0, "bytes": 0}
    for entry in entries(data_root):
        if dataset in (None, entry.dataset):
            try:
                size = entry.path.stat().st_size
                entry.path.unlink()
            except FileNotFoundError:  # another process was faster
                continue
            except OSError as error:
                raise Unwritable(f"{entry.path}: not removed ({error.strerror}); remove it yourself") from None
            removed = {"files": removed["files"] + 1, "bytes": removed["bytes"] + size}
    return removed


def lines(found: list[Entry]) -> Iterator[str]:
    """One line an entry, and their sum."""
    total = 0
    for entry in found:
        size = entry.path.stat().st_size
        total += size
        yield f"{megabytes(size):>12}  {entry.kind:10}  {entry.dataset or '(no data set at hand)'}  {entry.depends_on}"
    yield f"{megabytes(total):>12}  in all"
