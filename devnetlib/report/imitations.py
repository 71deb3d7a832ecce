"""Published scores without ImageNet weights beside those with them, paired over splits and draws, and what the embedded
trunk saves."""

from typing import Any

import pandas as pd

from devnetlib import embedded
from devnetlib.report.costs import records
from devnetlib.report.html import tag
from devnetlib.report.selection import IMAGENET, Cell, published, weights_title
from devnetlib.report.statistics import paired
from devnetlib.report.tables import CONFIDENCE, MISSING, published_datasets, row_cell
from devnetlib.study.questions import GROUPED, Row, Setting, asked

INSTEAD = {"embedded": set(embedded.names().values()), "random": {"random"}}


def imitation_records() -> pd.DataFrame:
    """A line a data set, setting and row of Q1 that is fully published with ImageNet weights and with others: mean
    AUROC with either, and the difference (others - ImageNet) with its interval."""
    question, lines = asked("q1"), []
    for dataset in published_datasets():
        for setting in question.settings_of(dataset):
            for row in question.all_rows:
                theirs = with_weights(dataset, row, setting, {IMAGENET})
                for weights, names in INSTEAD.items():
                    ours = with_weights(dataset, row, setting, names)
                    if theirs.complete and ours.complete:
                        place = f"{dataset}, grouped" if setting == GROUPED else dataset
                        lines.append((place, row.title, weights, *compared(theirs, ours)))
    columns = ["data set", "method", "weights", "ImageNet", "these", "difference"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:3])


def with_weights(dataset: str, row: Row, setting: Setting, names: set[str]) -> Cell:
    """The published runs of a row of Q1 with weights of one of these names; empty where there are none."""
    found = (row_cell(published(), dataset, asked("q1"), row, "quick", setting, weights=name) for name in names)
    return next((cell for cell in found if cell.runs and cell.any.run.weights in names), Cell({}))


def compared(theirs: Cell, ours: Cell) -> tuple[str, str, str]:
    """Means of both and the paired difference, as text."""
    first, second = theirs.values(), ours.values()
    return f"{first.mean():.3f}", f"{second.mean():.3f}", paired(second, first, CONFIDENCE).text


def moved_most() -> dict[str, str]:
    """Of the rows on ELPV the one that the embedded trunk moves most, and by how much any other moves at most."""
    found = imitation_records().reset_index()
    lines = found[(found["data set"] == "elpv") & (found["weights"] == "embedded")].set_index("method")
    if len(lines) < 2:  # a fork may publish other runs
        texts = dict.fromkeys(("row", "imagenet", "these", "difference", "others"), MISSING)
    else:
        moves = lines["difference"].str.split().str[0].astype(float).abs().sort_values()
        first = lines.loc[moves.index[-1]]
        texts = {"row": first.name, "imagenet": first["ImageNet"], "these": first["these"]}
        texts |= {"difference": first["difference"], "others": f"{moves.iloc[-2]:.3f}"}
    return {f"trunk_moved_{name}": text for name, text in texts.items()}


def scores_table_html() -> str:
    """`imitation_records` for a page: a table for either kind of weights, both means in one column, for the difference
    to be seen without scrolling."""
    records, parts = imitation_records().reset_index(), []
    for weights, names in INSTEAD.items():
        lines, title = records[records["weights"] == weights], weights_title(min(names))
        means = lines["ImageNet"] + " → " + lines["these"]
        words = (
            f"Mean AUROC of the published runs, weights ImageNet → {title}, frozen lane, ten labelled anomalies, and "
            "the difference over the same splits and draws with its 95 % interval."
        )
        columns = ["data set", "method", "mean AUROC", "difference"]
        parts.append(page_table(lines.assign(**{"mean AUROC": means})[columns], words))
    return "".join(parts)


def savings_records() -> pd.DataFrame:
    """A line a machine of the committed records and a number of images: seconds of the maps with either network, and
    how many times as fast the embedded trunk is."""
    lines = [
        (record["device"], part["images"], part["maps"], part["embedded"], part["maps"] / part["embedded"])
        for record in records()
        for part in record.get("preparing", [])
        if "embedded" in part
    ]
    return pd.DataFrame(lines, columns=["machine", "images", "ResNet-18, s", "embedded, s", "ratio"])


def savings_table_html() -> str:
    """`savings_records` for a page."""
    words = "Seconds to compute the maps of ELPV cells, 224 pixels, by ResNet-18 up to stage 3 and by the trunk."
    found = savings_records()
    if found.empty:
        return tag("p", "No machine has timed both yet: <code>make bench WORDS=--record</code> does.")
    return page_table(found, words, float_format="{:.1f}".format)


def page_table(frame: pd.DataFrame, words: str, **options: Any) -> str:
    """A table under its caption, whose first columns break their lines before the last must be scrolled to."""
    table = frame.to_html(index=False, border=0, classes="results wrapped", **options)
    return tag("p", words, class_="table-caption") + table
