"""The leak census, as it is read: which images of a data set are nearly the same, which of them fall on both sides of a
partition, and what AUROC is without those. Needs the committed files alone: no image, no torch.

`near_images.py` makes it from the pixels.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devnetlib.data.layouts.files import joined
from devnetlib.data.manifests import MANIFESTS, in_reading, read_table, table_digest
from devnetlib.data.prepare import rows_of
from devnetlib.data.splits import Partition, draw_partition
from devnetlib.errors import Incomplete, Misuse
from devnetlib.metrics import auroc
from devnetlib.report.selection import cell, published
from devnetlib.report.statistics import Difference, paired
from devnetlib.report.tables import CONFIDENCE
from devnetlib.study.results import PUBLISHED, REPOSITORY, Scores, read_partition
from devnetlib.study.runs import DRAWS, splits_of

CENSUS = REPOSITORY / "book" / "evidence" / "census.json"
AGAIN = "run 'python -m devnetlib census --output book/evidence/census.json'"
LEAST = 2, 11  # normal images and anomalies of a data set that is counted
Pair = tuple[str, str, int]  # two ids, and in how many bits their hashes differ


@dataclass(frozen=True)
class Census:
    """What the pixels of a data set in one reading say; everything else follows from its image table."""

    dataset: str
    reading: str
    image_table: str  # digest
    hash: str  # `imagehash`'s name of the perceptual hash
    bits: int  # of a hash
    within: int  # bits in which the two of a pair differ at most
    near: tuple[Pair, ...]
    probes: Mapping[str, float]  # mean AUROC over the published splits and draws

    @property
    def name(self) -> str:
        """The data set, and behind a colon its reading where that is not the card's default."""
        default = in_reading(self.dataset)[1]
        return self.dataset if self.reading == default else f"{self.dataset}:{self.reading}"

    @property
    def groups(self) -> dict[str, str]:
        """The group of every image that has a partner."""
        return groups_of(self.near)

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return asdict(self) | {"near": [list(pair) for pair in self.near], "probes": dict(sorted(self.probes.items()))}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Census":
        return cls(**(stored | {"near": tuple((a, b, bits) for a, b, bits in stored["near"])}))


def read(path: Path) -> list[Census]:
    """The stored census of every data set and reading in a file; Incomplete where it is not whole."""
    try:
        return [Census.from_json(stored) for stored in json.loads(path.read_text())["sets"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Incomplete(f"{path}: not a whole census ({error}); delete it and {AGAIN}") from None


@cache
def committed() -> tuple[Census, ...]:
    """The census that the book shows; Incomplete where it is not whole or another image table has been committed
    since."""
    found = tuple(read(CENSUS))
    for census in found:
        if table_digest(committed_table(census.dataset, census.reading)) != census.image_table:
            raise Incomplete(f"{CENSUS}: {census.name} was counted from another image table; {AGAIN}")
    return found


def committed_table(dataset: str, reading: str) -> pd.DataFrame:
    """The rows of the committed image table in a reading."""
    return rows_of(dataset, reading, read_table(MANIFESTS / f"{dataset}.csv"))


def groups_of(near: Iterable[Pair]) -> dict[str, str]:
    """For every image of a pair the smallest id of those that pairs join it to, directly or through others."""
    pairs = [(a, b) for a, b, _ in near]
    names = sorted({name for pair in pairs for name in pair})
    place = {name: number for number, name in enumerate(names)}
    return dict(zip(names, joined(names, [(place[a], place[b]) for a, b in pairs]), strict=True))


def partnered(partition: Partition, groups: Mapping[str, str]) -> NDArray[np.bool_]:
    """Which test images (N,) share a group with an image that trains, as normal or as anomaly. `groups` may leave out
    images that stand alone; an image table's column `group` by `id` will do, too."""
    trained = {groups.get(name) for part in (partition.train, partition.labelled, partition.polluting) for name in part}
    return np.array([name in groups and groups[name] in trained for name in partition.test], dtype=bool)


def without_duplicates(scores: Scores, partition: Partition, groups: Mapping[str, str]) -> float:
    """AUROC in [0, 1] on the test images that share a group with no training image; ValueError where these are of one
    class only."""
    alone = ~partnered(partition, groups)
    return auroc(scores.values[alone], partition.labels[alone])


def published_partitions(table: pd.DataFrame, dataset: str, reading: str) -> Iterator[Partition]:
    """The partitions of the published splits and draws with ten labelled anomalies; of split 0 alone where the release
    divides the images. Misuse where the images are too few for them."""
    check_enough(table, dataset)
    splits = range(1) if (table["split"] != "").any() else splits_of(dataset)
    for split in splits:
        for draw in DRAWS:
            yield draw_partition(table, dataset=dataset, reading=reading, split=split, draw=draw)


def check_enough(table: pd.DataFrame, dataset: str) -> None:
    """Misuse for a data set with fewer images than a partition of the census needs."""
    found = [int((table["label"] == label).sum()) for label in (0, 1)]
    if any(count < least for count, least in zip(found, LEAST, strict=True)):
        raise Misuse(
            f"{dataset}: a census needs {LEAST[0]} normal images and {LEAST[1]} anomalies, ten of which its partitions "
            f"label; found {found[0]} and {found[1]}"
        )


@dataclass(frozen=True)
class Leaks:
    """How many images of a data set have copies, and how many of these a partition tears apart."""

    images: int
    identical_groups: int  # of images with the same bytes
    identical_images: int
    near_pairs: int
    near_groups: int
    near_images: int
    mixed_pairs: int  # of a normal and an anomalous image
    ungrouped_pairs: int  # that the image table's column `group` does not hold together
    normals: float  # tested, mean over the published partitions
    anomalies: float
    normals_partnered: float  # of those tested, with a partner that trains
    anomalies_partnered: float


def leaks(census: Census, table: pd.DataFrame) -> Leaks:
    """The counts of a data set, from its census and the image table of its reading."""
    groups, rows = census.groups, table.set_index("id")
    content = table[["sha256", "x", "y", "width", "height"]].agg("|".join, axis=1)
    copies = content[content.duplicated(keep=False)]
    tested = np.array(
        [
            [np.sum(of_class), np.sum(of_class & partnered(partition, groups))]
            for partition in published_partitions(table, census.dataset, census.reading)
            for of_class in (np.equal(partition.test_label, value) for value in (0, 1))
        ]
    ).reshape(-1, 2, 2)
    (normals, normals_partnered), (anomalies, anomalies_partnered) = tested.mean(axis=0).tolist()
    return Leaks(
        images=len(table),
        identical_groups=copies.nunique(),
        identical_images=len(copies),
        near_pairs=len(census.near),
        near_groups=len(set(groups.values())),
        near_images=len(groups),
        mixed_pairs=apart(census.near, rows["label"]),
        ungrouped_pairs=apart(census.near, rows["group"]),
        normals=normals,
        anomalies=anomalies,
        normals_partnered=normals_partnered,
        anomalies_partnered=anomalies_partnered,
    )


def apart(near: Iterable[Pair], column: "pd.Series[Any]") -> int:
    """How many pairs differ in a column of the image table, given by id."""
    return sum(column[a] != column[b] for a, b, _ in near)


@dataclass(frozen=True)
class Effect:
    """Mean AUROC of a method over the published cells, on all test images and on those without a partner that trains,
    and the paired difference, without less all."""

    everything: float
    without: float
    difference: Difference


def effect(census: Census, method: str, profile: str = "quick") -> Effect | None:
    """What the near copies do to a method's published AUROC; None where not every cell is published."""
    runs = cell(published(), census.dataset, method, profile, reading=census.reading)
    if not runs.complete:
        return None
    groups = census.groups

    def value(scores: Scores) -> float:
        return without_duplicates(scores, read_partition(PUBLISHED, census.dataset, scores.partition), groups)

    everything = runs.values()
    without = np.array([[value(runs.runs[split, draw]) for draw in DRAWS] for split in runs.splits])
    difference = paired(without, everything, CONFIDENCE)
    return Effect(float(everything.mean()), float(without.mean()), difference)
