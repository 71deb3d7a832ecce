"""Yours beside published: the same runs, of the same images, from the same weights, compared one by one."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devnetlib.metrics import auroc
from devnetlib.report.selection import Cell
from devnetlib.study.results import PUBLISHED, DamagedScores, Scores, read, scores_path


@dataclass(frozen=True)
class Matched:
    """The runs of yours that are published, too."""

    runs: int
    published: float  # mean AUROC of the published ones
    largest_difference: float  # of the AUROC of a run, without its sign


def matched(published: Cell, yours: Cell) -> Matched | None:
    """What the runs of two cells that are the same come to; None without any."""
    places = published.runs.keys() & yours.runs.keys()
    pairs = [(published.runs[place], yours.runs[place]) for place in places]
    values = [(one.measure(auroc), other.measure(auroc)) for one, other in pairs if same(one, other)]
    if not values:
        return None
    mean = sum(theirs for theirs, _ in values) / len(values)
    return Matched(len(values), mean, max(abs(theirs - ours) for theirs, ours in values))


def same(published: Scores, yours: Scores) -> bool:
    """Whether two scores are of one run, on the same images."""
    tables = {scores.origin.get("image_table") for scores in (published, yours)}
    return published.run == yours.run and published.partition == yours.partition and len(tables) == 1


def published_auroc(scores: Scores, root: Path = PUBLISHED) -> float | None:
    """AUROC of the same run as published, read from its file alone; None where there is none that can be read."""
    path = scores_path(root, scores.run)
    with suppress(DamagedScores):  # which is for `verify-results` to tell
        if path.is_file() and same(found := read(path, root), scores):
            return found.measure(auroc)
    return None
