"""The published scores as they were last read, with what tables ask of every run, so that nine notebooks and a book do
not each parse ten thousand files and measure them.

What is remembered holds for exactly the files it was read from, by name, size and time of change, and for the code that
read them. `verify-results` never looks here.
"""

import gc
import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from devnetlib import metrics, pixel_metrics
from devnetlib.data import splits
from devnetlib.metrics import auroc, average_precision, f1_max
from devnetlib.study import results, runs
from devnetlib.study.results import PUBLISHED, REPOSITORY, Scores, read_all, stored_paths
from devnetlib.writing import atomic_write

MEMORY = REPOSITORY / "book" / "_build" / "published.pickle"  # where git does not look
READERS = (results, runs, splits, metrics, pixel_metrics)  # the modules whose classes and values are stored
MEASURED = (auroc, average_precision, f1_max)


def recall(root: Path = PUBLISHED, memory: Path = MEMORY, apply: Callable[..., Iterable] = map) -> list[Scores]:
    """All scores under a results folder, as `collect` gives them, and as fast as nothing there has changed. What has
    is read folder by folder by `apply`, such as the `map` of an executor.

    Raises DamagedScores as `collect` does; a memory that is damaged or cannot be written is done without.
    """
    state = state_of(root)
    if (known := read(state, memory)) is not None:
        return known
    folders = [list(paths) for _, paths in groupby(stored_paths(root), attrgetter("parent"))]
    found = list(chain.from_iterable(apply(partial(read_measured, root), folders)))
    with suppress(OSError):
        write(state, found, memory)
    return found


def read_measured(root: Path, paths: list[Path]) -> list[Scores]:
    """The scores in these files, each with its values of `MEASURED`."""
    found = read_all(root, paths)
    for scores in found:
        for metric in MEASURED:
            scores.measure(metric)
    return found


def state_of(root: Path) -> bytes:
    """64 hex digits over the names, sizes and times of all files under a folder, and of the code that reads them."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for line in (*map(Path.read_text, (Path(module.__file__) for module in READERS)), *listing(root)):
        digest.update(os.fsencode(line))  # a name may be no text
    return digest.hexdigest().encode()


def listing(folder: Path | str) -> Iterator[str]:
    """A line a file under a folder, in an order of its own: folders as they come, each sorted."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                yield from listing(entry.path)
            else:
                try:
                    found = entry.stat()
                except FileNotFoundError:  # a link that leads nowhere, as editors leave them, or gone meanwhile
                    continue
                yield f"{entry.path} {found.st_size} {found.st_mtime_ns}\n"


def read(state: bytes, memory: Path) -> list[Scores] | None:
    """What was stored in that state; None where nothing was, or it is not whole."""
    try:
        stored = memory.read_bytes()
    except OSError:
        return None
    head, content = stored[: 2 * len(state)], stored[2 * len(state) :]
    if head != state + digest_of(content):
        return None
    with uncollected():
        return pickle.loads(content)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles among objects, which takes as long as reading a hundred thousand of them; they stay
    to the end, and are not searched later either."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def digest_of(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def write(state: bytes, found: list[Scores], memory: Path) -> None:
    """Store what was read; several notebooks do so at once."""
    content = pickle.dumps(found, protocol=pickle.HIGHEST_PROTOCOL)
    atomic_write(memory, lambda file: file.write_bytes(state + digest_of(content) + content))
