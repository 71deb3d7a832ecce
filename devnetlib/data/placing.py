"""A data set's folder takes its place whole, or not at all; what a killed process left beside it is cleared away."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devnetlib.errors import Incomplete

WORK = ".tmp"  # how the name of a folder ends in which a data set is being made


@contextmanager
def made_whole(data_root: Path, dataset: str) -> Iterator[tuple[Path, Path]]:
    """A new folder that takes the place of the data set when all went well, and one for what is unpacked; both are gone
    afterwards, and so is every folder that was made for them in vain.

    What was there before is replaced. Where another process was faster meanwhile, its result stays.
    """
    place = data_root / dataset
    made = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        work, lock = work_folder(place)
        try:
            (work / "new").mkdir()
            yield work / "new", work / "unpacked"
            put(work, place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            os.close(lock)
    except OSError as error:
        told = f"{error.strerror or error}; nothing was changed"
        raise Incomplete(f"{error.filename or place}: {told} (--data-root names another place)") from None
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: all went well, or another process uses it
                folder.rmdir()


def work_folder(place: Path) -> tuple[Path, int]:
    """A new hidden folder beside the place of a data set, and what holds its lock, which ends with this process.

    It bears its name only once it is locked, so that nobody takes it for abandoned before.
    """
    new = Path(tempfile.mkdtemp(suffix=".new", prefix=f".{place.name}.", dir=place.parent))
    lock = os.open(new, os.O_RDONLY)
    with suppress(OSError):  # a file system without locks
        fcntl.flock(lock, fcntl.LOCK_EX)
    return new.rename(new.with_suffix(WORK)), lock


def remove_abandoned(place: Path) -> list[str]:
    """Remove the work folders that killed processes left beside the place of a data set; a line for each."""
    said = []
    for work in sorted(place.parent.glob(f".{place.name}.*{WORK}")):
        with suppress(OSError):  # gone meanwhile, locked by a living process, or not ours to remove
            lock = os.open(work, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(work)
                said.append(f"{work.name}: left by a prepare that was killed; removed")
            finally:
                os.close(lock)
    return said


def put(work: Path, place: Path) -> None:
    """Rename `new` to the place of the data set, what stood there aside; bring it back if that fails."""
    with suppress(FileNotFoundError):  # the first time, or another process has it aside
        place.rename(work / "old")
    try:
        (work / "new").rename(place)
    except OSError:
        if not place.exists():
            if (work / "old").exists():
                (work / "old").rename(place)
            raise
