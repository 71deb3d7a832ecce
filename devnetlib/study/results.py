"""What a run leaves behind: one scores file a run, one partition file for all runs that share it (NumPy only).

    <results>/<profile>/<dataset>/<key>.json        Scores
    <results>/partitions/<dataset>/<digest>.json    Partition

Metrics are never stored; they are computed on reading. Files are written to a temporary name and renamed, so that
whatever bears a final name is whole. Only files that bear a key's name, in such a folder, are scores.
"""

import hashlib
import json
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from devnetlib.data.splits import Partition
from devnetlib.errors import unwritable
from devnetlib.pixel_metrics import as_now
from devnetlib.study.forms import check_content, check_partition
from devnetlib.study.runs import PROFILES, Run
from devnetlib.writing import atomic_write

REPOSITORY = Path(__file__).parents[2]
YOURS = REPOSITORY / "results"
# What of a run makes its partition; stored partitions name a contamination only where their protocol has one.
AXES = ("dataset", "reading", "protocol", "anomalies", "contamination", "split", "draw")
SHUFFLED = {"shuffled"}  # the methods that are trained on the partition with shuffled labels
PUBLISHED = REPOSITORY / "book" / "results"
KEY = re.compile(r"\w+-\S+-n\S+-split\S+-draw\S+-seed\S+-[0-9a-f]{12}")
Metric = Callable[[ArrayLike, ArrayLike], float]  # of scores and labels


UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class DamagedScores(ValueError):
    """A scores or partition file that is not what its name says; the message names it and the mend."""


@dataclass(frozen=True)
class Scores:
    """One number a test image, in the order of the partition's test list, and where they came from."""

    run: Run
    partition: str  # digest
    score: array  # of double precision: thousands of runs in tuples would take gigabytes and seconds
    origin: dict[str, Any]  # versions, device, precision, threads, seconds, peak memory, digest of the image table
    pixels: dict[str, Any] | None = None
    # From the partition, not stored: label, kind of defect and id of every test image, (N,)
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, int), compare=False)
    defects: tuple[str, ...] = field(default=(), compare=False)
    ids: tuple[str, ...] = field(default=(), compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without what is the same numbers once more."""
        return {name: value for name, value in self.__dict__.items() if name != "values"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.labels.flags.writeable = False  # which a pickle forgets

    def as_json(self) -> dict[str, Any]:
        stored = {
            "run": self.run.as_json(),
            "partition": self.partition,
            "score": list(self.score),
            "origin": self.origin,
        }
        return stored | ({"pixels": self.pixels} if self.pixels is not None else {})

    @cached_property
    def values(self) -> np.ndarray:
        """The scores as float64 (N,)."""
        return np.asarray(self.score, dtype=np.float64)

    def of_images(self, image_table: str, masks: str | None) -> "Scores | None":
        """These scores, or None where they were made from images with another table than that of this digest; without
        what they hold of pixels where the masks (None: not known) are others than those it was measured on."""
        if self.origin["image_table"] != image_table:
            return None
        unnamed = "" if self.run.dataset.startswith("my/") else masks  # as measures of releases were stored at first
        stale = self.pixels is not None and masks is not None and self.origin.get("masks", unnamed) != masks
        return replace(self, pixels=None) if stale else self

    @cached_property
    def _measures(self) -> dict[Metric, float]:
        return {}

    def measure(self, metric: Metric) -> float:
        """A metric of the scores and labels, computed once: a page asks for the same one in many places."""
        if metric not in self._measures:
            self._measures[metric] = metric(self.values, self.labels)
        return self._measures[metric]


def rounded(scores: np.ndarray) -> array:
    """Scores with the 7 significant digits that are stored."""
    return array("d", (float(f"{value:.7g}") for value in scores))


def scores_path(root: Path, run: Run) -> Path:
    return root / run.profile / run.dataset / f"{run.key}.json"


def partition_path(root: Path, dataset: str, digest: str) -> Path:
    return root / "partitions" / dataset / f"{digest}.json"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write compact JSON, whole or not at all; Unwritable, and the path as it was, where that fails."""
    text = json.dumps(content, separators=(",", ":")) + "\n"
    try:
        atomic_write(path, lambda file: file.write_text(text))
    except OSError as error:
        mend = "make room, or name another folder with --results; what is stored stays, the same command goes on"
        raise unwritable(path, error, mend) from None


def write(scores: Scores, partition: Partition, root: Path) -> Path:
    """Store scores and, once for all runs that share it, their partition. Returns the path of the scores."""
    shared = partition_path(root, scores.run.dataset, scores.partition)
    try:
        read_partition(root, scores.run.dataset, scores.partition)
    except DamagedScores:  # also where there is none yet
        write_json(shared, partition.as_json())
    path = scores_path(root, scores.run)
    write_json(path, scores.as_json())
    return path


def read_partition(root: Path, dataset: str, digest: str) -> Partition:
    """The partition of that digest; DamagedScores where it is missing, no partition, or its content has another
    digest."""
    path = partition_path(root, dataset, digest)
    try:
        partition = Partition.from_json(json.loads(path.read_text()))
        check_partition(partition)
    except UNREADABLE as error:
        raise DamagedScores(
            f"{path}: no readable partition ({error}); delete the scores that name it and run them again"
        ) from None
    if partition.digest != digest:
        raise DamagedScores(f"{path}: its content has the digest {partition.digest}; delete it and run again")
    return partition


def read(path: Path, root: Path, partitions: Callable[[Path, str, str], Partition] = read_partition) -> Scores:
    """Read one scores file under the results folder `root`; DamagedScores unless it is whole and is what its name
    says. `partitions` gives the partition of a digest."""
    try:
        stored = json.loads(path.read_text())
        scores = Scores(
            Run.from_json(stored["run"]),
            stored["partition"],
            array("d", stored["score"]),
            stored["origin"],
            as_now(stored.get("pixels"), stored["run"]["dataset"]),
        )
        check_content(scores.run, stored)
        values, own_path = scores.values, scores_path(root, scores.run)
    except UNREADABLE as error:
        raise DamagedScores(f"{path}: not a whole scores file ({error}); delete it and run it again") from None
    if own_path != path and own_path.name == path.name:
        raise DamagedScores(f"{path}: its place is {own_path}; move it there or delete it")
    if own_path != path:
        raise DamagedScores(f"{path}: its content belongs to {scores.run.key}; delete it and run it again")
    partition = partitions(root, scores.run.dataset, scores.partition)
    made_of = {axis: getattr(scores.run, axis) for axis in AXES}
    made_of |= {"treatment": "shuffled"} if scores.run.method in SHUFFLED else {}
    if made_of != {"contamination": 0.0} | partition.made_of:
        raise DamagedScores(f"{path}: its partition {scores.partition} is another run's; delete it and run it again")
    labels = partition.labels
    if values.shape != labels.shape or not np.isfinite(values).all():
        raise DamagedScores(
            f"{path}: {values.size} scores for {labels.size} test images, expected one finite each; run it again"
        )
    return replace(scores, labels=labels, defects=partition.test_defect, ids=partition.test)


def stored_paths(root: Path) -> Iterator[Path]:
    """All scores files under a results folder, sorted: those that bear a key's name in the folder of a data set below
    that of a profile."""
    found = (path for name in PROFILES for depth in ("*", "*/*") for path in (root / name).glob(f"{depth}/*.json"))
    return iter(sorted(path for path in found if KEY.fullmatch(path.stem) and not hidden(path, root)))


def strangers(root: Path) -> list[Path]:
    """All other JSON files under a results folder but the partitions, sorted; what is hidden is passed over."""
    known = set(stored_paths(root))
    found = (
        Path(folder, name) for folder, _, names in os.walk(root) for name in names if name.lower().endswith(".json")
    )
    others = (path for path in found if path.relative_to(root).parts[0] != "partitions" and not hidden(path, root))
    return sorted(path for path in others if path not in known)


def hidden(path: Path, root: Path) -> bool:
    """Whether the name of a file under a results folder, or of a folder around it, begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def told_of_strangers(paths: list[Path]) -> str:
    """One line that names files which are no scores."""
    named = ", ".join(map(str, paths[:3])) + (", ..." if len(paths) > 3 else "")
    return f"{len(paths)} files among the scores are none by their names, passed over: {named}"


def scores_digest(root: Path) -> str:
    """12 hex digits over the names and contents of all scores files under a results folder: another digit in any of
    them gives others."""
    digest = hashlib.sha256()
    for path in stored_paths(root):
        digest.update(os.fsencode(f"{path.relative_to(root).as_posix()}\n"))
        with suppress(OSError):  # what cannot be read is a fault of its file
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def collect(root: Path) -> list[Scores]:
    """All scores under a results folder; an empty list where there is none. DamagedScores names the first file that
    is not whole."""
    return read_all(root, stored_paths(root))


def read_all(root: Path, paths: Iterable[Path]) -> list[Scores]:
    """The scores in these files under a results folder, as `read` gives them."""
    remembered = cache(read_partition)  # one partition serves many runs
    return [read(path, root, remembered) for path in paths]
