"""Curves of the paper's figures: AUROC of a row against one quantity, with its interval over splits and draws."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devnetlib.report.few_images import too_few
from devnetlib.report.selection import Cell, Stored, in_common, published
from devnetlib.report.statistics import Difference, crossed, paired
from devnetlib.report.summaries import fewest_images
from devnetlib.report.tables import CONFIDENCE, MISSING, row_cell, told_cell
from devnetlib.study.questions import Question, Row, asked

FREE = "Mahalanobis, no labels"


@dataclass(frozen=True)
class Point:
    """Mean AUROC at one value of the quantity; the interval is NaN where a split or draw is missing."""

    x: float
    mean: float
    low: float
    high: float
    runs: int
    draws: int
    few: bool = False  # test images: too few to tell

    @property
    def text(self) -> str:
        """Mean and interval, or that so few test images cannot tell."""
        interval = f" [{self.low:.3f}, {self.high:.3f}]" if isfinite(self.low) else ""
        return f"{self.mean:.3f}" + (", cannot tell" if self.few else interval)


def point(x: float, runs: Cell) -> Point:
    """What the runs of a cell come to."""
    values = runs.values()
    interval = np.clip(crossed(values).interval(CONFIDENCE), 0.0, 1.0) if runs.complete else (nan, nan)
    few = too_few(*fewest_images(runs))
    return Point(x, float(np.nanmean(values)), *map(float, interval), len(runs.runs), len(runs.draws), few)


def quantity(question: Question) -> str:
    """What the settings of a question vary: `anomalies` or `contamination`."""
    return "contamination" if any(setting.contamination for setting in question.settings) else "anomalies"


def cells_along(stored: Stored, dataset: str, question: Question, row: Row, profile: str) -> dict[float, Cell]:
    """The cells of a row that have runs, by the value of the quantity."""
    cells = {
        getattr(setting, quantity(question)): told_cell(stored, dataset, question, row, profile, setting)
        for setting in question.settings_of(dataset)
    }
    return {value: runs for value, runs in cells.items() if runs.runs}


def curves(dataset: str, question: str, profile: str = "quick", stored: Stored | None = None) -> dict[str, list[Point]]:
    """The points of every row of a question that has any, over its settings; `stored` None reads the published ones."""
    of, stored = asked(question), published() if stored is None else stored
    cells = {row.title: cells_along(stored, dataset, of, row, profile) for row in of.all_rows}
    return {title: [point(x, runs) for x, runs in along.items()] for title, along in cells.items() if along}


def curve_table(dataset: str, question: str, profile: str = "quick", stored: Stored | None = None) -> pd.DataFrame:
    """The curves as text, a row a method and a column a setting; a cell without runs is marked."""
    titles = {getattr(s, quantity(asked(question))): s.title for s in asked(question).settings_of(dataset)}
    found = curves(dataset, question, profile, stored)
    lines = {title: {titles[point.x]: point.text for point in points} for title, points in found.items()}
    return pd.DataFrame.from_dict(lines, orient="index", columns=list(titles.values())).fillna(MISSING)


def top_k_curve(dataset: str, profile: str = "quick", stored: Stored | None = None) -> list[Point]:
    """AUROC of DevNet against the share of patches whose mean is the score (Fig. 6), its default among them."""
    of, stored = asked("q4"), published() if stored is None else stored
    shares = {row.options["top_k"]: row for row in of.sweep} | {0.1: of.rows[0]}
    cells = ((share, told_cell(stored, dataset, of, row, profile)) for share, row in sorted(shares.items()))
    return [point(share, runs) for share, runs in cells if runs.runs]


def row_of(rows: Iterable[Row], title: str) -> Row:
    """The row of that title."""
    return next(row for row in rows if row.title == title)


def leads_along(dataset: str, question: str, title: str, over: str = FREE) -> dict[float, Difference]:
    """The paired lead of one published row over another at every value of the quantity where both are complete."""
    of = asked(question)
    ours, theirs = (cells_along(published(), dataset, of, row_of(of.all_rows, name), "quick") for name in (title, over))
    both = [x for x in ours if x in theirs and ours[x].complete and theirs[x].complete]
    return {x: paired(*in_common(ours[x], theirs[x]), CONFIDENCE) for x in both}


def labels_that_pay(leads: Mapping[float, Difference]) -> int | None:
    """The fewest labelled anomalies from which on the lead lies above 0; None where that is shown for no number."""
    shown = [lead.above for lead in leads.values()]
    stays = [all(shown[number:]) for number in range(len(shown))]
    return next((int(n) for n, paid in zip(leads, stays, strict=True) if paid), None)


def pay_table(datasets: Iterable[str]) -> pd.DataFrame:
    """DevNet's lead over the closed form without labels by the number of labels, and from which on it is shown."""
    lines = {}
    for dataset in datasets:
        leads = leads_along(dataset, "q5", "DevNet")
        paid = labels_that_pay(leads)
        lines[dataset] = {f"{int(n)} labelled": lead.text for n, lead in leads.items()}
        lines[dataset] |= {"pay from": f"{paid} on" if paid else "not shown"}
    columns = dict.fromkeys(name for line in lines.values() for name in line if name != "pay from")
    return pd.DataFrame.from_dict(lines, orient="index", columns=[*columns, "pay from"]).fillna(MISSING)


def changes(dataset: str, question: str) -> dict[str, NDArray[np.float64]]:
    """AUROC at the last setting minus that at the first, (S, D), of every published row that is complete at both."""
    of = asked(question)
    first, *_, last = of.settings_of(dataset)
    found = {}
    for row in of.all_rows:
        start, end = (row_cell(published(), dataset, of, row, "quick", setting) for setting in (first, last))
        if start.complete and end.complete:
            found[row.title] = end.values() - start.values()
    return found


def kept_more(dataset: str, question: str, title: str = "DevNet") -> dict[str, Difference]:
    """How much more of its AUROC one row keeps than each other: the difference of their `changes`, paired."""
    found = changes(dataset, question)
    mine = found.pop(title, None)
    if mine is None:
        return {}
    # A row that is drawn less often has the first draws of the others.
    return {other: paired(mine[:, : values.shape[1]], values, CONFIDENCE) for other, values in found.items()}


def kept_more_table(datasets: Iterable[str], question: str) -> pd.DataFrame:
    """`kept_more` of DevNet as text, a row a method and a column a data set."""
    columns = {name: {other: kept.text for other, kept in kept_more(name, question).items()} for name in datasets}
    return pd.DataFrame(columns).fillna(MISSING)


def change_table(datasets: Iterable[str], question: str) -> pd.DataFrame:
    """The changes as text, a row a method and a column a data set, each with its interval."""
    columns = {
        dataset: {title: paired(values, 0.0, CONFIDENCE).text for title, values in found.items()}
        for dataset in datasets
        if (found := changes(dataset, question))
    }
    return pd.DataFrame(columns).fillna(MISSING)
