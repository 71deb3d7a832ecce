"""From a heap of scores to arrays: the runs of one row of a table, as (splits, draws)."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devnetlib import embedded
from devnetlib.data.manifests import in_reading
from devnetlib.data.prepare import known
from devnetlib.metrics import auroc
from devnetlib.report.remembered import recall, state_of
from devnetlib.study.mixtures import APART, Mixture, made, refuse_mixture
from devnetlib.study.results import PUBLISHED, Metric, Scores, collect, strangers, told_of_strangers
from devnetlib.study.runs import DRAWS, REVISION, SPLITS, Run, splits_of

Shelf = tuple[str, str, str, str, int, float]
Images = tuple[tuple[tuple[str, str], tuple[str, str | None] | None], ...]
IMAGENET = "4484c29594189ae1"  # how runs name torchvision's ResNet-18 up to stage 3
WEIGHTS = {
    IMAGENET: "ImageNet (ResNet-18, layers 1-3)",
    "random": "random",
    "none": "none",
}


def weights_title(name: str) -> str:
    """What the reader calls the weights of that name; unknown ones keep their digits."""
    if name in embedded.names().values():
        return embedded.TITLE
    return WEIGHTS.get(name, f"weights {name}")


class Stored(tuple[Scores, ...]):
    """A heap of scores that is sorted once, for a page asks it hundreds of times."""

    @cached_property
    def shelves(self) -> dict[Shelf, list[Scores]]:
        """The scores by data set, method, profile, protocol, number of labels and contamination."""
        found: dict[Shelf, list[Scores]] = {}
        for scores in self:
            run = scores.run
            shelf = run.dataset, run.method, run.profile, run.protocol, run.anomalies, run.contamination
            found.setdefault(shelf, []).append(scores)
        return found

    @cached_property
    def weights(self) -> dict[tuple[str, str, str], Counter[str]]:
        """How many runs start from which weights, by data set, reading and profile; those without any do not count."""
        found: dict[tuple[str, str, str], Counter[str]] = {}
        for run in (scores.run for scores in self if scores.run.weights != "none"):
            found.setdefault((run.dataset, run.reading, run.profile), Counter())[run.weights] += 1
        return found


@cache
def published() -> Stored:
    """All published scores of the images that are known here."""
    every = recall()
    return _of_images(every, PUBLISHED, _known_images(every))


def yours(root: Path, data_root: Path | None = None) -> Stored:
    """All scores that were made on this machine of the images that are known here, in `data_root` where they are
    prepared, read again where a file or a table has changed. What is left out, and what cannot be held against images,
    is told once."""
    state = state_of(root)
    return _yours(root, state, _known_images(_collected(root, state), data_root))


@lru_cache(maxsize=1)
def _collected(root: Path, state: bytes) -> list[Scores]:
    if others := strangers(root):
        print(told_of_strangers(others), file=sys.stderr)
    return collect(root)


@lru_cache(maxsize=1)
def _yours(root: Path, state: bytes, images: Images) -> Stored:
    return _of_images(_collected(root, state), root, images)


def _known_images(every: Iterable[Scores], data_root: Path | None = None) -> Images:
    """The digests of image table and masks of each data set and reading, None where they are not known here."""
    names = sorted({(scores.run.dataset, scores.run.reading) for scores in every})
    found = ((name, known(*name, data_root)) for name in names)
    return tuple((name, images and (images.digest, images.mask_digest)) for name, images in found)


def _of_images(every: Iterable[Scores], root: Path, images: Images) -> Stored:
    """Those of the scores that are of these images, and those whose images are not known."""
    digests, kept, others = dict(images), [], Counter()
    for scores in every:
        name = scores.run.dataset, scores.run.reading
        if (found := scores.of_images(*digests[name]) if digests[name] else scores) is None:
            others[name] += 1
        else:
            kept.append(found)
    for (dataset, reading), count in others.items():
        told = f"runs of other images than those of its table: {count}, left out; execute them again"
        print(f"{root}: {dataset} ({reading}): {told}", file=sys.stderr)
    for dataset, reading in (name for name, digest in images if digest is None):
        print(f"{root}: {dataset} ({reading}) is not at hand, so that its images are not checked", file=sys.stderr)
    return Stored(kept)


def shown(request: Any) -> Stored:
    """The scores that a chapter shows for a request (`study.parameters.Request`): published, or yours where it asks for
    fresh ones or for what nobody published."""
    known = {scores.run.dataset for scores in published()}
    strange = {in_reading(dataset)[0] for dataset in request.datasets} - known
    mine = request.fresh or request.profile != "quick" or strange
    return yours(request.results) if mine else published()


@dataclass(frozen=True)
class Cell:
    """The runs of one row on one data set, by (split, draw)."""

    runs: Mapping[tuple[int, int], Scores]
    splits: Sequence[int] = SPLITS  # that are published of the cell
    draws: Sequence[int] = DRAWS

    def values(self, metric: Metric = auroc) -> NDArray[np.float64]:
        """The metric of every run, (S, D); NaN where a run is missing."""
        rows = [[_measured(metric, self.runs.get((split, draw))) for draw in self.draws] for split in self.splits]
        return np.array(rows, dtype=float)

    @property
    def complete(self) -> bool:
        """Whether every published split and draw is there."""
        return all((split, draw) in self.runs for split in self.splits for draw in self.draws)

    @property
    def any(self) -> Scores:
        """One of the runs."""
        return next(iter(self.runs.values()))


def where_both(first: Cell, second: Cell) -> tuple[Cell, Cell]:
    """Two cells, each on the splits and draws that both publish."""
    splits = [split for split in first.splits if split in second.splits]
    draws = [draw for draw in first.draws if draw in second.draws]
    return tuple(replace(runs, splits=splits, draws=draws) for runs in (first, second))


def in_common(first: Cell, second: Cell) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUROC of two cells on the splits and draws that both publish, each (S, D)."""
    return tuple(runs.values() for runs in where_both(first, second))


def _measured(metric: Metric, scores: Scores | None) -> float:
    return float("nan") if scores is None else scores.measure(metric)


def weights_of(scores: Stored, dataset: str, reading: str, profile: str) -> str:
    """The weights whose runs are shown where nobody names any, the same for all rows of a data set: ImageNet's where a
    run has them, else the embedded trunk's, else the only ones (`none` without any). Mixture for several others."""
    found = scores.weights.get((dataset, reading, profile), Counter())
    usual = [IMAGENET, *(name for _, name in sorted(embedded.names().items(), reverse=True))]
    if known := next((name for name in usual if name in found), None):
        return known
    if len(found) > 1:
        told = ", ".join(f"{runs} from {weights_title(name)}" for name, runs in found.most_common())
        raise Mixture(f"{dataset}, profile {profile}: runs from several weights are not averaged: {told}; {APART}")
    return next(iter(found), "none")


def cell(
    scores: Stored,
    dataset: str,
    method: str,
    profile: str,
    *,
    options: Mapping[str, Any] | None = None,
    reading: str | None = None,
    protocol: str = "general",
    anomalies: int = 10,
    contamination: float = 0.0,
    seed: int = 0,
    weights: str | None = None,
    splits: Sequence[int] | None = None,
    draws: Sequence[int] = DRAWS,
) -> Cell:
    """The runs that match, of these splits (None: all that are published of the data set) and draws, in a reading
    (None: the card's first), from these weights (None: those of `weights_of`) or from none at all.

    Mixture, for a mean over it would be nobody's, where they were not all trained alike, on one kind of device, in one
    precision, with as many threads, compiled or not, on the same images, or where two have one place.
    """
    reading = in_reading(dataset)[1] if reading is None else reading
    splits = splits_of(dataset, reading) if splits is None else splits
    weights = weights_of(scores, dataset, reading, profile) if weights is None else weights
    found = [
        s
        for s in scores.shelves.get((dataset, method, profile, protocol, anomalies, contamination), ())
        if (s.run.seed, s.run.revision, s.run.reading) == (seed, REVISION, reading)
        and s.run.weights in (weights, "none")
        and dict(s.run.options) == dict(options or {})
        and s.run.split in splits
        and s.run.draw in draws
    ]
    row = f"{dataset} ({reading}), {method}, profile {profile}"
    refuse_mixture(row, Counter(map(made, found)))
    runs = {(s.run.split, s.run.draw): s for s in found}
    if len(runs) < len(found):
        raise Mixture(f"{row}: {len(found)} runs in {len(runs)} places of split and draw; {APART}")
    return Cell(runs, splits, draws)


def not_stored(runs: Iterable[Run], *stored: Iterable[Scores]) -> list[Run]:
    """The runs that none of the collections holds, whatever the weights."""
    known = {_place(scores.run) for scores in chain(*stored)}
    return [run for run in runs if _place(run) not in known]


def _place(run: Run) -> tuple[Any, ...]:
    asked = run.dataset, run.reading, run.row, run.profile, run.protocol, run.anomalies, run.contamination
    return *asked, run.split, run.draw, run.seed


def seed_spread(dataset: str, method: str, profile: str = "quick") -> float | None:
    """Standard deviation of AUROC over seeds alone, pooled over the published runs from ten labels that have several
    seeds; None without any. `dataset` is a name, or `NAME:READING`."""
    name, reading = in_reading(dataset)
    weights = weights_of(published(), name, reading, profile)
    groups: dict[tuple[Run, tuple[str, ...]], list[float]] = {}
    for scores in published().shelves.get((name, method, profile, "general", 10, 0.0), ()):
        if scores.run.reading == reading and scores.run.weights in (weights, "none") and not scores.run.options:
            groups.setdefault((replace(scores.run, seed=0), made(scores)), []).append(scores.measure(auroc))
    variances = [np.var(values, ddof=1) for values in groups.values() if len(values) > 1]
    return float(np.sqrt(np.mean(variances))) if variances else None
