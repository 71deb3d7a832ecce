"""One published run in a results folder of its own."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from devnetlib.data.splits import Partition
from devnetlib.study.results import PUBLISHED, Scores, partition_path, read, scores_path
from devnetlib.study.runs import Run

COMMITTED = "elpv", "headct", "brainmri", "kolektorsdd"  # whose partitions can be drawn again


@cache
def published() -> list[Path]:
    return [path for name in COMMITTED for path in sorted((PUBLISHED / "quick" / name).glob("*.json"))]


@cache
def partitions(dataset: str) -> list[Path]:
    return sorted((PUBLISHED / "partitions" / dataset).glob("*.json"))


@dataclass
class Stored:
    """A results folder with one published run in it: its scores, their partition, and where both lie."""

    root: Path
    path: Path
    whole: Scores
    scores: dict[str, Any]
    partition: Partition

    def put(self, name: str | None = None) -> None:
        """Write the scores, here or under another name."""
        path = self.root / name if name else self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.scores, separators=(",", ":")), encoding="utf-8")

    def put_partition(self, partition: Partition) -> None:
        """Put the scores on another partition, which is whole."""
        path = partition_path(self.root, self.whole.run.dataset, partition.digest)
        path.write_text(json.dumps(partition.as_json()))
        self.scores["partition"] = partition.digest
        self.put()

    def relabel(self, **facts: Any) -> None:
        """Let the scores be those of another run, under its name."""
        run = Run.from_json(self.scores["run"] | facts)
        self.scores["run"] = run.as_json()
        self.path.unlink()
        self.path = scores_path(self.root, run)
        self.put()


def stored(folder: Path, source: Path) -> Stored:
    scores = json.loads(source.read_text())
    dataset, digest = scores["run"]["dataset"], scores["partition"]
    path, partition = folder / source.relative_to(PUBLISHED), partition_path(PUBLISHED, dataset, digest)
    for copied, original in ((path, source), (partition_path(folder, dataset, digest), partition)):
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(original.read_bytes())
    return Stored(folder, path, read(path, folder), scores, Partition.from_json(json.loads(partition.read_text())))
