"""A data set's folder takes its place whole, or not at all; what a killed process left beside it is cleared away.

Nothing is ever removed that this program did not make: a place that holds anything else is refused, and so is a source
that would be moved with it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devnetlib.data.layouts.files import sha256
from devnetlib.data.prepare import FACTS, FILES, read_facts
from devnetlib.errors import Incomplete, Misuse, in_a_line
from devnetlib.writing import UNFINISHED, writer, writer_lives

MADE = "made by data prepare"  # a file that says whose folder it is
PARTS = {MADE, "new", "old", "unpacked"}  # all that such a folder holds
ELSEWHERE = "choose another --data-root or my/NAME"


def check_place(place: Path) -> None:
    """Misuse, or Incomplete where it is damaged, unless the place of a data set is free or holds one as it was prepared
    and nothing else, so that it can be replaced and no file of anybody's is lost."""
    if place.is_symlink():
        raise Misuse(f"{place}: a link, which would be replaced; remove it, or {ELSEWHERE}")
    with suppress(FileNotFoundError):  # nothing is there, or another process is just putting its own there
        if (place / FACTS).is_file():
            other = stranger(place)
        else:
            other = next(place.iterdir(), None) if place.is_dir() else place if place.exists() else None
        if other:
            told = f"not as data prepare left it, which would replace {place}; nothing was changed: move that folder"
            raise Misuse(in_a_line(f"{other}: {told} elsewhere, or {ELSEWHERE}"))


def stranger(place: Path) -> Path | None:
    """The first thing in the folder of a prepared data set that was not put there when it was prepared, or has changed;
    None where there is none. Incomplete where what was put there is not known."""
    facts = read_facts(place)
    known = {place / name: digest for name, digest in facts["own"].items()}
    if facts["folder"] is None:
        known |= {place / FILES / file: digest for file, digest in facts["sha256"].items()}
    folders = {folder for path in known for folder in path.parents} | {place / FILES}
    for inside, names, files in os.walk(place):
        for path in (Path(inside) / name for name in sorted([*names, *files])):
            ours = path in folders if path.is_dir() else known.get(path) and path.is_file()
            if path.is_symlink() or not (ours or path == place / FACTS or gone(path)):
                return path
            if path in known and sha256(path) != known[path]:
                return path
    return None


def gone(path: Path) -> bool:
    """Whether a path that was listed is not there any more, as while another process puts the folder aside."""
    return not os.path.lexists(path)


def check_source(source: Path, place: Path, link: bool) -> None:
    """Misuse for a folder or archive that lies in the place of the data set, or in a folder that this program removes
    when it is done: one of unfinished work and, for files that are to be linked, the copies of a prepared set."""
    if lies_in(source, place):
        told = "is, or lies in, the place of the prepared set, which would be replaced; move the images out of it"
        raise Misuse(f"{source}: {told}, or {ELSEWHERE}")
    for folder in around(source):
        if (folder / MADE).is_file():
            raise Misuse(f"{source}: lies in {folder}, left by a prepare that was killed; name the folder it came from")
        if link and folder.name == FILES and (folder.parent / FACTS).is_file():
            told = "which go when it is prepared again"
            raise Misuse(f"{source}: lies in the copies of {folder.parent}, {told}; leave out --link")


def check_apart(source: Path, place: Path, link: bool) -> None:
    """As `check_source`, and Misuse for a folder in which the place of the data set lies."""
    check_source(source, place, link)
    if lies_in(place, source):
        told = f"{place} lies in it, where the prepared set would be put; name the folder of the images alone"
        raise Misuse(f"{source}: {told}, or {ELSEWHERE}")


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it, whichever links or mounts lead there."""
    return folder.exists() and any(each.exists() and each.samefile(folder) for each in around(path))


def around(path: Path) -> list[Path]:
    """What a path really is, and every folder around that."""
    real = Path(os.path.realpath(path))
    return [real, *real.parents]


@contextmanager
def made_whole(data_root: Path, dataset: str) -> Iterator[tuple[Path, Path]]:
    """A new folder that takes the place of the data set when all went well, and one for what is unpacked; both are gone
    afterwards, and so is every folder that was made for them in vain.

    What was prepared there before is replaced, all else is refused. Where another process was faster meanwhile, its
    result stays.
    """
    place = data_root / dataset
    made = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        work = work_folder(place)
        try:
            (work / "new").mkdir()
            yield work / "new", work / "unpacked"
            check_place(place)
            put(work, place)
        finally:
            bring_back(work, place)
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        told = f"{error.strerror or error}; nothing was changed"
        raise Incomplete(f"{error.filename or place}: {told} (--data-root names another place)") from None
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: all went well, or another process uses it
                folder.rmdir()


def work_folder(place: Path) -> Path:
    """A new hidden folder beside the place of a data set, whose name tells who works in it."""
    work = place.with_name(f".{place.name}.{writer()}{UNFINISHED}")
    work.mkdir()
    (work / MADE).touch()
    return work


def remove_abandoned(place: Path) -> list[str]:
    """Remove the work folders that killed processes left beside the place of a data set; a line for each. A set that
    one of them had put aside is put back."""
    said = []
    for work in filter(is_work, sorted(place.parent.glob(f".{place.name}.*{UNFINISHED}"))):
        if writer_lives(work) is False:
            with suppress(OSError):  # gone meanwhile, or not ours to remove
                bring_back(work, place)
                shutil.rmtree(work)
                said.append(f"{work.name}: left by a prepare that was killed; removed")
    return said


def is_work(folder: Path) -> bool:
    """Whether a folder is one that `work_folder` made, and holds nothing else."""
    return (folder / MADE).is_file() and not folder.is_symlink() and set(os.listdir(folder)) <= PARTS


def put(work: Path, place: Path) -> None:
    """Rename `new` to the place of the data set, what stood there aside, from where `bring_back` takes it."""
    with suppress(FileNotFoundError):  # the first time, or another process has it aside
        place.rename(work / "old")
    try:
        (work / "new").rename(place)
    except OSError:
        if not place.exists():
            raise


def bring_back(work: Path, place: Path) -> None:
    """Put what stood in the place of a data set back, unless something took its place."""
    if (work / "old").exists() and not place.exists():
        (work / "old").rename(place)
