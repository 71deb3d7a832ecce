"""Every file below a folder, and what became of those that were not read."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from devnetlib.data.layouts.formats import SUFFIXES

LEFT_BEHIND = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # by file managers
NAMED = 3  # files that a remark names of many


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted by name, with links to files and folders followed. What leads to no file (a
    link to nothing, or to a folder that it lies in) is given itself; OSError for a folder that cannot be listed."""
    return walk(folder, frozenset(map(identity, (*folder.absolute().parents, *folder.resolve().parents))))


def walk(folder: Path, around: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """As `files_below`, inside folders that are given by what they are."""
    around |= {identity(folder)}
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if path.is_dir() and identity(path) not in around:
            yield from walk(path, around)
        else:
            yield path


def identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from all others, whichever way leads to it."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def left_behind(inner: Path) -> bool:
    """Whether a path within a release is hidden, or what a file manager leaves behind."""
    return any(part.startswith(".") or part in LEFT_BEHIND for part in inner.parts)


def not_read(folder: Path, read: Iterable[Path], why: Callable[[Path], str]) -> list[str]:
    """A line for every kind of file below a folder that is not among those `read`: how many, the first by name (their
    path within the folder), and the reason; `why` gives that of an image. Files of one kind differ in name alone."""
    kinds, read = {}, set(read)
    for path in files_below(folder):
        if path not in read:
            inner = path.relative_to(folder)
            reason, kind = reason_of(path, inner) or (why(path), inner.parts[0])
            kinds.setdefault((reason, kind), []).append(inner.as_posix())
    return [kind_line(files, reason) for (reason, _), files in kinds.items()]


def reason_of(path: Path, inner: Path) -> tuple[str, str] | None:
    """Why a file is no image that could be read, and its kind; None for one that could."""
    if left_behind(inner):
        return "hidden, or left behind by a file manager", ""
    if path.is_dir():
        return "a link to a folder that it lies in", ""
    if not path.is_file():
        return "a link to nothing" if path.is_symlink() else "no file", ""
    if path.suffix.lower() not in SUFFIXES:
        return "no image by its name", path.suffix.lower()
    return None


def kind_line(files: list[str], reason: str) -> str:
    """The remark on files of one kind."""
    if len(files) == 1:
        return f"{files[0]}: {reason}, not read"
    return f"{len(files)} files ({', '.join(files[:NAMED])}{', ...' * (len(files) > NAMED)}): {reason}, not read"
