"""Published scores with the embedded trunk beside those with ImageNet weights, paired over splits and draws."""

import pandas as pd

from devnetlib import embedded
from devnetlib.report.html import tag
from devnetlib.report.selection import IMAGENET, Cell, published
from devnetlib.report.statistics import paired
from devnetlib.report.tables import CONFIDENCE, published_datasets, row_cell
from devnetlib.study.questions import Row, asked


def imitation_records() -> pd.DataFrame:
    """A line a data set and row of Q1 that is fully published with both: mean AUROC with either, and the difference
    (embedded - ImageNet) with its interval."""
    lines = []
    for dataset in published_datasets():
        for row in asked("q1").all_rows:
            theirs, ours = both(dataset, row)
            if theirs.complete and ours.complete:
                lines.append((dataset, row.title, *compared(theirs, ours)))
    columns = ["data set", "method", "ImageNet", "embedded", "difference"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def both(dataset: str, row: Row) -> tuple[Cell, Cell]:
    """The published runs of a row of Q1 with ImageNet weights, and with the embedded trunk."""
    trunk = set(embedded.names().values())
    found = [row_cell(published(), dataset, asked("q1"), row, "quick", weights=name) for name in (IMAGENET, *trunk)]
    theirs, ours = (
        next((runs for runs in found if runs.runs and runs.any.run.weights in names), Cell({}))
        for names in ({IMAGENET}, trunk)
    )
    return theirs, ours


def compared(theirs: Cell, ours: Cell) -> tuple[str, str, str]:
    """Means of both and the paired difference, as text."""
    first, second = theirs.values(), ours.values()
    return f"{first.mean():.3f}", f"{second.mean():.3f}", paired(second, first, CONFIDENCE).text


def scores_table_html() -> str:
    """`imitation_records` for a page."""
    words = (
        "Mean AUROC of the published runs with either, frozen lane, ten labelled anomalies, and the difference "
        "embedded − ImageNet over the same splits and draws with its 95 % interval."
    )
    frame = imitation_records().reset_index()
    return tag("p", words, class_="table-caption") + frame.to_html(index=False, border=0, classes="results")
