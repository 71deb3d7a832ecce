"""How well scores order images: AUROC, average precision, F1max (NumPy only).

All take `scores` (N,), larger = more anomalous, and `labels` (N,) with 1 for anomalies and 0 for normals; all return
a value in [0, 1]. They refuse scores that are not finite and labels of one class only, with a ValueError that says
which.
"""

import numpy as np
from numpy.typing import ArrayLike


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 and labels as bool, both (N,), or a ValueError saying what does not fit."""
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape}: both must be (N,)")
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{(~np.isfinite(scores)).sum()} of {scores.size} scores are not finite: they cannot be ranked"
        )
    positive, negative = labels == 1, labels == 0
    if not (positive | negative).all() or not (positive.any() and negative.any()):
        raise ValueError(f"labels {np.unique(labels).tolist()}: expected both 0 (normal) and 1 (anomaly)")
    return scores, positive


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the share of (anomaly, normal) pairs in the right order, ties counting half."""
    scores, positive = checked(scores, labels)
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = positive.sum()
    rank_sum = mid_ranks[group][positive].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * (~positive).sum()))


def confusion_by_threshold(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and false positives of the rule `score >= t` for every distinct t, falling; and the thresholds t."""
    scores, positive = checked(scores, labels)
    thresholds, group = np.unique(-scores, return_inverse=True)
    true = np.cumsum(np.bincount(group, weights=positive))
    false = np.cumsum(np.bincount(group, weights=~positive))
    return true, false, -thresholds


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates from (0, 0) to (1, 1), one point a distinct score."""
    true, false, _ = confusion_by_threshold(scores, labels)
    return np.r_[0, false / false[-1]], np.r_[0, true / true[-1]]


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Sum over thresholds of precision times the gain in recall, without interpolation. Chance level: the share of
    anomalies."""
    true, false, _ = confusion_by_threshold(scores, labels)
    return float(np.sum(np.diff(true, prepend=0) / true[-1] * true / (true + false)))


def f1_max(scores: ArrayLike, labels: ArrayLike) -> float:
    """The best F1 over all thresholds. An oracle: the threshold is chosen with the test labels."""
    true, false, _ = confusion_by_threshold(scores, labels)
    return float(np.max(2 * true / (true + false + true[-1])))
