"""Curves of the paper's figures: AUROC of a row against one quantity, with its interval over splits and draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

from devnetlib.report.selection import Cell, Stored, published
from devnetlib.report.statistics import Difference, crossed, paired
from devnetlib.report.tables import CONFIDENCE, row_cell
from devnetlib.study.questions import Question, Row, asked


@dataclass(frozen=True)
class Point:
    """Mean AUROC at one value of the quantity; the interval is NaN where a split or draw is missing."""

    x: float
    mean: float
    low: float
    high: float
    runs: int


def point(x: float, runs: Cell) -> Point:
    """What the runs of a cell come to."""
    values = runs.values()
    interval = crossed(values).interval(CONFIDENCE) if runs.complete else (nan, nan)
    return Point(x, float(values[values == values].mean()), *interval, len(runs.runs))


def quantity(question: Question) -> str:
    """What the settings of a question vary: `anomalies` or `contamination`."""
    return "contamination" if any(setting.contamination for setting in question.settings) else "anomalies"


def curves(dataset: str, question: str, profile: str = "quick", scores: Stored | None = None) -> dict[str, list[Point]]:
    """The points of every row of a question that has any, over its settings; `scores` None reads the published ones."""
    of, stored = asked(question), published() if scores is None else scores
    found = {}
    for row in of.all_rows:
        cells = [(s, row_cell(stored, dataset, of, row, profile, s)) for s in of.settings_of(dataset)]
        points = [point(getattr(setting, quantity(of)), runs) for setting, runs in cells if runs.runs]
        found |= {row.title: points} if points else {}
    return found


def top_k_curve(dataset: str, profile: str = "quick", scores: Stored | None = None) -> list[Point]:
    """AUROC of DevNet against the share of patches whose mean is the score (Fig. 6), its default among them."""
    of, stored = asked("q4"), published() if scores is None else scores
    shares = {row.options["top_k"]: row for row in of.sweep} | {0.1: of.rows[0]}
    cells = ((share, row_cell(stored, dataset, of, row, profile)) for share, row in sorted(shares.items()))
    return [point(share, runs) for share, runs in cells if runs.runs]


def leads_along(dataset: str, question: str, title: str, over: str, profile: str = "quick") -> dict[float, Difference]:
    """The paired lead of one published row over another at every value of the quantity where both are complete."""
    of = asked(question)
    ours, theirs = row_of(of.all_rows, title), row_of(of.all_rows, over)
    found = {}
    for setting in of.settings_of(dataset):
        pair = [row_cell(published(), dataset, of, row, profile, setting) for row in (ours, theirs)]
        if all(one.complete for one in pair):
            found[getattr(setting, quantity(of))] = paired(*(one.values() for one in pair), CONFIDENCE)
    return found


def row_of(rows: Iterable[Row], title: str) -> Row:
    """The row of that title."""
    return next(row for row in rows if row.title == title)


def labels_that_pay(dataset: str, over: str = "Mahalanobis, no labels") -> int | None:
    """The fewest labelled anomalies from which on DevNet's lead over a row without labels lies above 0; None where that
    is shown for no number."""
    leads = leads_along(dataset, "q5", "DevNet", over)
    shown = [lead.low > 0 for lead in leads.values()]
    stays = [all(shown[number:]) for number in range(len(shown))]
    return next((int(n) for n, paid in zip(leads, stays, strict=True) if paid), None)
