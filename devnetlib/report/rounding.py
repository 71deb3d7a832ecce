"""How far half precision moves a fine-tuned run, and, as a control, how far another order of sums does: published runs
beside the same ones in bf16, and beside the same ones in fp32 with one thread."""

from functools import cache

import numpy as np

from devnetlib.metrics import auroc
from devnetlib.report.selection import published
from devnetlib.report.statistics import Difference, paired
from devnetlib.report.tables import CONFIDENCE, MISSING
from devnetlib.study.results import REPOSITORY, Scores, collect

FOLDERS = REPOSITORY / "book" / "rounding"  # a results folder for each of:
WAYS = ("half_precision", "one_thread")


@cache
def repeated() -> tuple[tuple[Scores, dict[str, Scores]], ...]:
    """The published runs that were trained in any of `WAYS`, too: as published, and by way; in the order of splits."""
    others: dict[str, dict[str, Scores]] = {}
    for way in WAYS:
        for scores in collect(FOLDERS / way):
            others.setdefault(scores.run.key, {})[way] = scores
    found = [(scores, others[scores.run.key]) for scores in published() if scores.run.key in others]
    return tuple(sorted(found, key=lambda pair: pair[0].run.split))


def pairs(way: str) -> list[tuple[Scores, Scores]]:
    """Of `repeated` those of one way."""
    return [(single, others[way]) for single, others in repeated() if way in others]


def aurocs(way: str) -> tuple[np.ndarray, np.ndarray]:
    """AUROC (R,) of the R runs of `pairs`: as published, and the other way."""
    values = [[one.measure(auroc) for one in pair] for pair in pairs(way)]
    before, after = np.array(values).reshape(-1, 2).T
    return before, after


def lead(way: str) -> Difference:
    """By how much the mean AUROC lies above that of the published runs, one run a split in either."""
    before, after = (values[:, None] for values in aurocs(way))
    return paired(after, before, CONFIDENCE)


def texts(way: str) -> dict[str, str]:
    """What sentences quote: how many pairs, in how many the published run is the higher one, the mean difference, the
    largest mean loss inside its interval, and the largest difference of a pair."""
    before, after = aurocs(way)
    if not before.size:  # a fork may publish other runs
        return {"pairs": "0", "lower": "0", "lead": MISSING, "loss": MISSING, "far": MISSING}
    return {
        "pairs": str(len(before)),
        "lower": str((after < before).sum()),
        "lead": lead(way).text,
        "loss": f"{max(0.0, -lead(way).low):.3f}",
        "far": f"{np.abs(after - before).max():.3f}",
    }
