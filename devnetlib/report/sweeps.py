"""Fig. 4: is what is detected also localised? Detection against localisation while the threshold on the score falls."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devnetlib.report.explanations import explained_rows
from devnetlib.report.selection import Stored
from devnetlib.study.results import Scores


@dataclass(frozen=True)
class Sweep:
    """Detection against localisation as ever more test images are taken for anomalous: arrays (K,)."""

    flagged: NDArray[np.float64]  # share of the test images, those with the highest scores
    f1: NDArray[np.float64]  # of detection
    pixel_auroc: NDArray[np.float64]  # mean over the true positives that have a mask; NaN where there is none


FLAGGED = np.linspace(0.02, 1, 50)


def sweep(scores: Scores, kind: str = "gradient") -> Sweep:
    """Fig. 4 for one run: thresholds on the image score, each so that a share of `FLAGGED` lies at or above it."""
    values, labels = scores.values, scores.labels
    thresholds = np.sort(values)[::-1][np.ceil(FLAGGED * len(values)).astype(int) - 1]
    found = values >= thresholds[:, None]
    true = (found & (labels == 1)).sum(axis=1)
    f1 = 2 * true / (found.sum(axis=1) + (labels == 1).sum())
    marked = found[:, scores.pixels["images"]]
    totals = marked @ np.array(scores.pixels["maps"][kind]["auroc"])
    counts = marked.sum(axis=1)
    return Sweep(FLAGGED, f1, np.where(counts > 0, totals / np.maximum(counts, 1), np.nan))


def mean_sweep(runs: Iterable[Scores], kind: str = "gradient") -> Sweep:
    """The mean of the runs' sweeps, share by share; a run without a true positive counts only in F1."""
    sweeps = [sweep(scores, kind) for scores in runs]
    there = np.isfinite([one.pixel_auroc for one in sweeps])
    totals = np.where(there, [one.pixel_auroc for one in sweeps], 0).sum(axis=0)
    mean = np.where(there.any(axis=0), totals / np.maximum(there.sum(axis=0), 1), np.nan)
    return Sweep(FLAGGED, np.mean([one.f1 for one in sweeps], axis=0), mean)


def sweeps(stored: Stored, dataset: str, profile: str = "quick") -> dict[str, Sweep]:
    """The mean sweep of every row whose gradients were measured."""
    rows = explained_rows(stored, dataset, profile)
    gradients = {title: runs for (title, _), (_, kind, runs) in rows.items() if kind == "gradient"}
    explained = {title: [s for s in runs.runs.values() if s.pixels] for title, runs in gradients.items()}
    return {title: mean_sweep(runs) for title, runs in explained.items()}
