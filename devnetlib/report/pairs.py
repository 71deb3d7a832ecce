"""Paired differences between rows, over the same splits and draws, on every data set."""

from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd

from devnetlib.data.manifests import in_reading
from devnetlib.report.paper import measured_again, printed_value
from devnetlib.report.selection import in_common, published
from devnetlib.report.statistics import Difference, corrected_paired, paired
from devnetlib.report.tables import (
    CONFIDENCE,
    MISSING,
    published_datasets,
    row_cell,
    setting_of,
    summary,
)
from devnetlib.study.questions import QUESTIONS, Setting, asked

TESTED_OVER_TRAINED = 1 / 3  # of the normals, in every split that is drawn here


def row_differences(
    dataset: str,
    question: str,
    title: str,
    rivals: Sequence[str],
    setting: Setting | None = None,
    corrected: bool = False,
) -> dict[str, Difference]:
    """The lead of one published row over each rival on a data set; rivals whose runs are not complete are left out.
    `corrected` takes into account that the splits overlap."""
    of = asked(question)
    setting = setting or setting_of(of, dataset)
    cells = {row.title: row_cell(published(), dataset, of, row, "quick", setting) for row in of.all_rows}
    known = [name for name in rivals if cells[title].complete and cells[name].complete]
    compare = partial(corrected_paired, tested_over_trained=TESTED_OVER_TRAINED) if corrected else paired
    return {name: compare(*in_common(cells[title], cells[name]), CONFIDENCE) for name in known}


def lead_table(
    question: str, title: str, rivals: Sequence[str], corrected: bool = False, labels: int | None = None
) -> pd.DataFrame:
    """The leads of one row as text, a line a published data set and a column a rival; what is missing is marked.
    `labels` chooses the setting with so many labelled anomalies, else it is the question's first."""
    of, lines = asked(question), {}
    for dataset in filter(of.settings_of, published_datasets()):
        setting = next((one for one in of.settings_of(dataset) if one.anomalies == labels), None)
        leads = row_differences(dataset, question, title, rivals, setting, corrected)
        lines[dataset] = {f"over {name}": leads[name].text for name in rivals if name in leads}
    columns = [f"over {name}" for name in rivals]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).fillna(MISSING)


def beside_print(datasets: Iterable[str]) -> pd.DataFrame:
    """DevNet with ten labels on every data set: as printed, as measured again, and published, with the differences."""
    of, lines = asked("q1"), {}
    for dataset in datasets:
        name = in_reading(dataset)[0]
        ours = summary(row_cell(published(), dataset, of, of.rows[0], "quick"))
        theirs = {"printed": printed_value(name, "devnet"), "again": measured_again(name)}
        texts = {who: f"{pair[0]:.3f} ± {pair[1]:.3f}" if pair else MISSING for who, pair in theirs.items()}
        texts |= {"published": f"{ours.auroc:.3f} [{ours.split_low:.3f} to {ours.split_high:.3f}]" if ours else MISSING}
        for who, pair in theirs.items():
            texts[f"published − {who}"] = f"{ours.auroc - pair[0]:+.3f}" if ours and pair else MISSING
        lines[dataset] = texts
    return pd.DataFrame.from_dict(lines, orient="index")


def missing_cells(datasets: Iterable[str]) -> pd.DataFrame:
    """A line a row of a question that is not fully published under some setting: why, or how many runs there are."""
    lines = []
    for dataset in datasets:
        for name, of in QUESTIONS.items():
            for setting in of.settings_of(dataset):
                lines += missing_of(dataset, name, setting)
    return pd.DataFrame(lines, columns=["data set", "question", "setting", "row", "why"])


def missing_of(dataset: str, question: str, setting: Setting) -> Iterable[tuple[str, ...]]:
    """The lines of `missing_cells` for one table."""
    of = asked(question)
    for row in of.rows_at(setting):
        runs = row_cell(published(), dataset, of, row, "quick", setting)
        if not runs.complete:
            why = row.missing or f"not run yet: {len(runs.runs)} of {len(runs.splits) * len(runs.draws)} runs"
            yield dataset, question, setting.title, row.title, why


STEPS = {  # what is added: with it, without it
    "labels": ("Logistic regression", "Mahalanobis, no labels"),
    "top-K": ("Cross-entropy", "Logistic regression"),
    "deviation loss": ("DevNet, signed", "Cross-entropy"),
    "absolute value": ("DevNet", "DevNet, signed"),
}


def step_table() -> pd.DataFrame:
    """What each step adds, paired, on every published data set; a dash where a row is not fully published."""
    lines = {}
    for dataset in published_datasets():
        found = {step: row_differences(dataset, "q1", after, [before]) for step, (after, before) in STEPS.items()}
        lines[dataset] = {step: next((d.text for d in leads.values()), MISSING) for step, leads in found.items()}
    return pd.DataFrame.from_dict(lines, orient="index")
