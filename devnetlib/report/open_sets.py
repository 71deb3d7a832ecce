"""Seen against unseen: one kind of anomaly measured by runs that had labels of it, and by runs that had none."""

import numpy as np
from numpy.typing import NDArray

from devnetlib.metrics import auroc
from devnetlib.report.curves import row_of
from devnetlib.report.selection import Cell, published
from devnetlib.report.statistics import paired
from devnetlib.report.tables import CONFIDENCE, row_cell
from devnetlib.study.questions import asked
from devnetlib.study.results import Scores


def auroc_of_kind(scores: Scores, kind: str) -> float:
    """AUROC of the normal test images against the anomalies of one kind."""
    pairs = zip(scores.labels, scores.defects, strict=True)
    chosen = np.array([not label or defect == kind for label, defect in pairs])
    return auroc(scores.values[chosen], scores.labels[chosen])


def values_of_kind(runs: Cell, kind: str) -> NDArray[np.float64]:
    """`auroc_of_kind` of every run of a complete cell, (S, D)."""
    return np.array([[auroc_of_kind(runs.runs[s, d], kind) for d in runs.draws] for s in runs.splits])


def seen_against_unseen(dataset: str, title: str, kind: str) -> dict[str, str]:
    """A published row on one kind: with ten labels among all kinds (Q1), with ten labels of the other kinds alone (Q2),
    and the paired difference with its interval."""
    mixed, others = asked("q1"), asked("q2")
    row = row_of(mixed.all_rows, title)
    setting = next(s for s in others.settings_of(dataset) if s.protocol != f"open-set:{kind}")
    seen = values_of_kind(row_cell(published(), dataset, mixed, row, "quick"), kind)
    unseen = values_of_kind(row_cell(published(), dataset, others, row, "quick", setting), kind)
    texts = {"seen among the labels": f"{seen.mean():.3f}", "unseen": f"{unseen.mean():.3f}"}
    return {"method": title, "tested": kind} | texts | {"difference": paired(seen, unseen, CONFIDENCE).text}
