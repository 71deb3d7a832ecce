"""Partitions: which images train, which carry labels, which are tested. Pure functions of an image table and numbers.

Three axes never move one another: `split` says which normals train, `draw` which anomalies are labelled, and the seed
(not used here) initialisation and batches. Needs the standard library and NumPy only, so that stored results can be
read anywhere.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from devnetlib.errors import Misuse, unknown


@dataclass(frozen=True)
class Partition:
    """Row ids of one partition, each list sorted. `made_of` names what it was drawn from and how."""

    made_of: dict[str, Any]
    train: tuple[str, ...]  # normal images
    labelled: tuple[str, ...]  # images trained as anomalies
    polluting: tuple[str, ...]  # anomalies hidden among `train`
    test: tuple[str, ...]
    test_label: tuple[int, ...]
    test_defect: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored; `test` by column."""
        test = {"id": self.test, "label": self.test_label, "defect": self.test_defect}
        lists = {"train": self.train, "labelled": self.labelled, "polluting": self.polluting}
        return (
            {"made_of": self.made_of}
            | {name: list(ids) for name, ids in lists.items()}
            | {"test": {k: list(v) for k, v in test.items()}}
        )

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Partition":
        test = stored["test"]
        lists = (stored["train"], stored["labelled"], stored["polluting"], test["id"], test["label"], test["defect"])
        return cls(stored["made_of"], *map(tuple, lists))

    @property
    def digest(self) -> str:
        """16 hex digits that name the content."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]


def derived_seed(*purpose: Any) -> int:
    """A seed in [0, 2^63) from what it is for, so that no purpose moves the numbers of another."""
    text = json.dumps(purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def split_normals(normals: np.ndarray, split: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide sorted normals 3:1 into (train, test).

    The permutation is NumPy's `RandomState(split)`, as scikit-learn's `train_test_split` draws it, so that split 42
    over sorted names is the division that the released code makes.
    """
    order = np.random.RandomState(split).permutation(len(normals))
    tested = math.ceil(len(normals) / 4)
    return np.sort(normals[order[tested:]]), np.sort(normals[order[:tested]])


def general(table: Any, anomalies: int, split: int, labels: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Sec. 6.5: `anomalies` drawn at random are labelled, all others are tested. Returns ids (train, labelled,
    test)."""
    ids, label = np.asarray(table["id"]), np.asarray(table["label"])
    normal, anomalous = np.sort(ids[label == 0]), np.sort(ids[label == 1])
    if not 0 <= anomalies < len(anomalous):
        most = len(anomalous) - 1
        found = f"{anomalies} labelled anomalies of {len(anomalous)}"
        raise Misuse(f"{found}: one at least must be left to test; choose 0 to {most}")
    train, tested = split_normals(normal, split)
    drawn = labels.permutation(anomalous)[:anomalies]
    return train, np.sort(drawn), np.sort(np.r_[tested, np.setdiff1d(anomalous, drawn)])


PROTOCOLS: dict[str, Callable[..., tuple[np.ndarray, ...]]] = {"general": general}


def draw_partition(
    table: Any,
    *,
    dataset: str,
    reading: str,
    protocol: str = "general",
    anomalies: int = 10,
    split: int = 0,
    draw: int = 0,
) -> Partition:
    """The partition of an image table (columns `id`, `label`, `defect`) that the numbers name.

    Raises Misuse for an unknown protocol and for more anomalies than there are.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    labels = np.random.default_rng(derived_seed(dataset, reading, protocol, "labels", draw))
    train, labelled, test = PROTOCOLS[protocol](table, anomalies, split, labels)
    made_of = {
        "dataset": dataset,
        "reading": reading,
        "protocol": protocol,
        "anomalies": anomalies,
        "split": split,
        "draw": draw,
    }
    rows = {
        row_id: (int(label), defect)
        for row_id, label, defect in zip(table["id"], table["label"], table["defect"], strict=True)
    }
    columns = (tuple(map(str, ids)) for ids in (train, labelled, (), test))
    return Partition(made_of, *columns, tuple(rows[i][0] for i in test), tuple(rows[i][1] for i in test))


def shuffled(partition: Partition) -> Partition:
    """The same partition with as many training normals, drawn anew for each draw, in the place of the labelled
    anomalies.

    The test set stays as it is, so that results can be paired; the true labelled anomalies are not used at all.
    """
    made_of = partition.made_of
    rng = np.random.default_rng(
        derived_seed(made_of["dataset"], made_of["reading"], made_of["protocol"], "shuffled", made_of["draw"])
    )
    drawn = set(rng.choice(partition.train, size=len(partition.labelled), replace=False).tolist())
    train = tuple(row_id for row_id in partition.train if row_id not in drawn)
    return replace(partition, made_of=made_of | {"treatment": "shuffled"}, train=train, labelled=tuple(sorted(drawn)))
