"""What the runs of a mean must share: a mean over anything else would be nobody's."""

from collections import Counter
from collections.abc import Iterable, Mapping

from devnetlib.errors import Misuse
from devnetlib.study.results import Scores

SHARED = ("device", "precision", "threads", "compiler", "image_table")  # of an origin, by all runs of a cell
APART = "keep each kind in a results folder of its own (--results)"


class Mixture(Misuse):
    """Runs that are of one row and do not belong in one mean; one line that tells them apart."""


def made(scores: Scores) -> tuple[str, ...]:
    """What the runs of a cell must share beside what was asked: their training, and of their origin `SHARED`."""
    told = vars(scores.run.training) | {name: scores.origin.get(name) for name in SHARED}
    return tuple(f"{name} {value}" for name, value in told.items() if value is not None)


def refuse_mixture(row: str, kinds: Mapping[tuple[str, ...], int]) -> None:
    """Mixture that tells by what the runs of a row differ, unless they are of one kind."""
    if len(kinds) < 2:
        return
    common = set.intersection(*map(set, kinds))
    words = {kind: ", ".join(word for word in kind if word not in common) for kind in kinds}
    told = "; ".join(f"{runs} with {words[kind]}" if words[kind] else f"{runs} without" for kind, runs in kinds.items())
    raise Mixture(f"{row}: runs of several kinds are not averaged: {told}; {APART}")


def refuse_mixtures(every: Iterable[Scores]) -> None:
    """Mixture for the first row whose runs from the same seed and weights are not of one kind."""
    rows: dict[tuple[object, ...], Counter[tuple[str, ...]]] = {}
    for scores in every:
        run = scores.run
        asked = run.protocol, run.anomalies, run.contamination, run.seed, run.weights, run.revision
        rows.setdefault((run.dataset, run.reading, run.row, run.profile, *asked), Counter())[made(scores)] += 1
    for (dataset, reading, row, profile, *_), kinds in rows.items():
        refuse_mixture(f"{dataset} ({reading}), {row}, profile {profile}", kinds)
