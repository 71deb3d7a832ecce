"""Tables: printed, published and yours side by side, as data frames, text, records and HTML."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.data.manifests import in_reading
from devnetlib.errors import unknown
from devnetlib.report.beside import matched
from devnetlib.report.few_images import too_few
from devnetlib.report.paper import printed_value
from devnetlib.report.selection import Cell, Mixture, Stored, cell, in_common, published, yours
from devnetlib.report.statistics import Difference, paired
from devnetlib.report.summaries import fewest_images, summary
from devnetlib.report.summaries import run_record as run_record
from devnetlib.report.verdicts import learned_over
from devnetlib.study.asking import settings_here
from devnetlib.study.questions import QUESTIONS, TEN_LABELS, Question, Row, Setting, asked
from devnetlib.study.results import YOURS
from devnetlib.study.runs import PROFILES

MISSING = "—"
CONTROLS_TO_PASS = ("mahalanobis", "shuffled", "grey")
CONFIDENCE = 0.95


def setting_of(question: Question, dataset: str, number: int = 0) -> Setting:
    """One of the settings of a question on a data set; Misuse where it cannot be asked of the set."""
    return settings_here(question, dataset)[number]


def row_cell(
    scores: Stored,
    dataset: str,
    question: Question,
    row: Row,
    profile: str,
    setting: Setting | None = None,
    weights: str | None = None,
) -> Cell:
    """The runs of one row of a question under a setting (None: its first), on a data set `NAME` or `NAME:READING`."""
    name, reading = in_reading(dataset)
    setting = setting or setting_of(question, dataset)
    splits, draws = question.places_of(row, name, reading)
    return cell(
        scores,
        name,
        row.method,
        profile,
        reading=reading,
        options=row.options,
        protocol=setting.protocol,
        anomalies=setting.anomalies,
        contamination=setting.contamination,
        weights=weights,
        splits=splits,
        draws=draws,
    )


def unmixed(*asked_for: Any) -> tuple[Cell, str]:
    """`row_cell` of runs of yours, or where they are a mixture an empty cell and the line that says of what."""
    try:
        return row_cell(*asked_for), ""
    except Mixture as error:
        return Cell({}), str(error)


def told_cell(*asked_for: Any) -> Cell:
    """`row_cell` for a chapter: a mixture is told in a printed line, and nothing of it is shown."""
    runs, mixture = unmixed(*asked_for)
    if mixture:
        print(mixture)
    return runs


def printed_of(question: Question, dataset: str, row: Row, setting: Setting) -> tuple[float, float | None] | None:
    """What the paper's table prints for a row under a setting; None where it prints nothing of the kind."""
    kind, _, parameter = setting.protocol.partition(":")
    if not row.printed or question.table is None or kind not in ("general", "open-set"):
        return None
    return printed_value(in_reading(dataset)[0], row.method, question.table, parameter or None)


def question_records(
    dataset: str, question: str = "q1", profile: str = "quick", results: Path = YOURS
) -> list[dict[str, Any]]:
    """The records of `table_records` under every setting of the question."""
    settings = asked(question).settings_of(dataset)
    return [record for one in settings for record in table_records(dataset, question, profile, results, one)]


def table_records(
    dataset: str,
    question: str = "q1",
    profile: str = "quick",
    results: Path = YOURS,
    setting: Setting | None = None,
    data_root: Path | None = None,
) -> list[dict[str, Any]]:
    """One record a row: `printed`, `published` and `yours`, each None where there is nothing, `same_runs` (what is
    published of the runs of yours, and the largest difference of one), and the command that re-executes it. Where the
    runs of yours are a mixture, `mixture` says of what, and none is shown. `dataset` is a name, or `NAME:READING`;
    `setting` None is the question's first, `data_root` is for `yours`. Published has the weights of yours where there
    are such."""
    name, reading = in_reading(dataset)
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    records, of = [], asked(question)
    mine, setting = yours(results, data_root), setting or setting_of(of, dataset)
    known = published().weights.get((name, reading, profile), ())
    for row in of.rows_at(setting):
        printed = printed_of(of, dataset, row, setting)
        made_here, mixture = unmixed(mine, dataset, of, row, profile, setting)
        weights = made_here.any.run.weights if made_here.runs else None
        as_yours = weights if weights in known else None
        theirs = row_cell(published(), dataset, of, row, profile, setting, as_yours)
        both = matched(theirs, made_here)
        ours, your, both = (asdict(one) if one else None for one in (summary(theirs), summary(made_here), both))
        names = {
            "dataset": name,
            "reading": reading,
            "question": question,
            "setting": asdict(setting),
            "method": row.method,
            "options": dict(row.options),
            "title": row.title,
            "tells": row.tells,
            "missing": row.missing,
        }
        numbers = {
            "printed": dict(zip(("mean", "sd"), printed, strict=True)) if printed else None,
            "published": ours,
            "yours": your,
            "same_runs": both,
            "mixture": mixture,
        }
        lane = PROFILES[profile].training.lane
        records.append(
            names
            | {"profile": profile, "lane": lane, "group": group_of(row, of)}
            | numbers
            | {"command": command(dataset, of, row, profile, setting)}
        )
    return records


GROUPS = {
    "paper": "The paper's methods",
    "reference": "Our reference points",
    "sweep": "Other shares of the patches",
    "control": "Controls",
}


def group_of(row: Row, question: Question) -> str:
    """To which of `GROUPS` a row of a question belongs."""
    groups = {"reference": question.references, "sweep": question.sweep, "control": question.controls}
    return next((name for name, rows in groups.items() if row in rows), "paper")


def span(numbers: Sequence[int]) -> str:
    """Consecutive numbers as the command line takes them."""
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def command(dataset: str, question: Question, row: Row, profile: str, setting: Setting) -> str:
    """The command that executes a whole row again."""
    options = "".join(f" --option {name}={str(value).lower()}" for name, value in row.options.items())
    name, reading = in_reading(dataset)
    where = name if reading == in_reading(name)[1] else f"{name} --reading {reading}"
    usual = Setting("")
    asks = "".join(
        f" --{axis} {getattr(setting, axis)}"
        for axis in ("protocol", "anomalies", "contamination")
        if getattr(setting, axis) != getattr(usual, axis)
    )
    splits, draws = question.places_of(row, name, reading)
    axes = f"--split {span(splits)} --draw {span(draws)}"
    return f"python -m devnetlib run --dataset {where} --method {row.method} --profile {profile}{options}{asks} {axes}"


def table(
    dataset: str,
    question: str = "q1",
    profile: str = "quick",
    results: Path = YOURS,
    setting: Setting | None = None,
    data_root: Path | None = None,
) -> pd.DataFrame:
    """The table of a question on a data set under one setting (None: its first): AUROC as printed (mean ± sd of three
    runs), published and yours (mean, range of split means, sd, runs), and beside yours the published mean of the same
    runs with the largest difference of one."""
    rows = {}
    for record in table_records(dataset, question, profile, results, setting, data_root):
        rows[record["title"]] = {("printed", "AUROC"): printed_text(record["printed"])} | {
            (whose, column): text
            for whose in ("published", "yours")
            for column, text in texts_of(record, whose).items()
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def printed_text(value: dict[str, float] | None) -> str:
    return f"{value['mean']:.3f} ± {value['sd']:.3f}" if value else MISSING


COLUMNS = ("AUROC", "split means", "sd", "runs", "seconds")
SAME_RUNS = ("published, same runs", "largest difference")
COLUMNS_OF = {"published": COLUMNS, "yours": COLUMNS + SAME_RUNS}


def texts_of(record: dict[str, Any], whose: str) -> dict[str, str]:
    """The columns of `published` or of `yours` in a record as text."""
    texts = summary_texts(record[whose])
    if whose == "yours":
        both = record["same_runs"]
        numbers = (f"{both['published']:.3f}", f"{both['largest_difference']:.5f}") if both else (MISSING, MISSING)
        texts |= dict(zip(SAME_RUNS, numbers, strict=True))
    return texts


def auroc_text(value: dict[str, Any]) -> str:
    """The AUROC of a summary, marked where so few test images cannot tell."""
    return f"{value['auroc']:.3f}" + (", cannot tell" if value["cannot_tell"] else "")


def summary_texts(value: dict[str, Any] | None) -> dict[str, str]:
    """The columns of a summary as text, seconds being a run's; every one marked where there is none."""
    if value is None:
        return dict.fromkeys(COLUMNS, MISSING)
    return {
        "AUROC": auroc_text(value),
        "split means": f"{value['split_low']:.3f} to {value['split_high']:.3f}",
        "sd": f"{value['sd']:.3f}" if value["sd"] is not None else MISSING,
        "runs": str(value["runs"]),
        "seconds": f"{value['seconds']:.1f}",
    }


def text_table(dataset: str, question: str, profile: str, results: Path, data_root: Path | None = None) -> str:
    """The tables for a terminal, one a setting."""
    lane, of = PROFILES[profile].training.lane, asked(question)
    parts = [of.title]
    for setting in settings_here(of, dataset, data_root):
        chosen = (dataset, question, profile, results, setting, data_root)
        parts.append(f"{dataset}, {setting.title}, profile {profile} ({lane} lane)")
        parts.append(table(*chosen).to_string())
        parts.append(weights_line(table_records(*chosen)))
    return "\n".join(parts)


def method_records(dataset: str, profile: str = "quick") -> list[dict[str, Any]]:
    """One record a method or control, in the order of the questions that have a row for it: what `table_records` says,
    each row once."""
    found: dict[str, dict[str, Any]] = {}
    for name, question in QUESTIONS.items():
        for record in table_records(dataset, name, profile) if TEN_LABELS in question.settings_of(dataset) else ():
            found.setdefault(f"{record['method']} {sorted(record['options'].items())}", record)
    return list(found.values())


def weights_line(records: list[dict[str, Any]], whose: Sequence[str] = ("published", "yours")) -> str:
    """Which weights the runs of each column start from, and what a reader must know before comparing them: too few test
    images, and runs of yours that are left out as a mixture."""
    named = {name: {r[name]["weights"] for r in records if r[name]} - {"none"} for name in whose}
    told = [f"{name}: weights {', '.join(sorted(weights))}" for name, weights in named.items() if weights]
    for name in whose:
        few = [r[name]["cannot_tell"] for r in records if r[name] and r[name]["cannot_tell"]]
        told += [f"{name}: {few[0]}"] if few else []
    mixtures = [r["mixture"] for r in records if r["mixture"]] if "yours" in whose else []
    return "; ".join([*told, *dict.fromkeys(mixtures)])


def lead_differences(
    dataset: str,
    question: str = "q1",
    profile: str = "quick",
    results: Path | None = None,
    setting: Setting | None = None,
) -> dict[str, dict[str, Difference]]:
    """Lead of every trained row over each of `CONTROLS_TO_PASS`, paired over splits and draws, with 95 % intervals,
    under one setting (None: the question's first).

    `results` None reads the published scores. Only complete rows are compared, and of yours none that is a mixture.
    """
    scores, of = published() if results is None else yours(results), asked(question)
    rows = of.all_rows
    find = row_cell if results is None else lambda *asked_for: unmixed(*asked_for)[0]
    cells = {row.title: find(scores, dataset, of, row, profile, setting) for row in rows}
    passed = [row.title for row in rows if row.method in CONTROLS_TO_PASS]
    compared = [row.title for row in of.rows + of.references if row.labels and cells[row.title].complete]
    if len(passed) < len(CONTROLS_TO_PASS) or not all(cells[title].complete for title in passed):
        return {}
    return {
        title: {over: paired(*in_common(cells[title], cells[over]), CONFIDENCE) for over in passed}
        for title in compared
    }


def leads(
    dataset: str,
    question: str = "q1",
    profile: str = "quick",
    results: Path | None = None,
    setting: Setting | None = None,
) -> pd.DataFrame:
    """The leads of `lead_differences` as text; the last column says whether all of them are shown to be above 0, or
    that so few test images cannot tell."""
    lines = {}
    for title, over in lead_differences(dataset, question, profile, results, setting).items():
        texts = {f"over {name}": d.text for name, d in over.items()}
        lines[title] = texts | {"learned from labels": "yes" if learned_over(over) else "not shown"}
    scores, of = published() if results is None else yours(results), asked(question)
    first = next((row for row in of.all_rows if row.title in lines), None)
    if first and too_few(*fewest_images(row_cell(scores, dataset, of, first, profile, setting))):
        lines = {title: texts | {"learned from labels": "cannot tell"} for title, texts in lines.items()}
    return pd.DataFrame.from_dict(lines, orient="index")


def results_document() -> dict[str, Any]:
    """Every number of the book's tables, for programs: one record a row, and the verdicts."""
    from devnetlib.report.judgement import verdict_records

    tables = [
        record
        for question in QUESTIONS
        for dataset in published_datasets()
        for record in question_records(dataset, question)
    ]
    differences = [
        {"dataset": dataset, "question": question, "setting": asdict(setting), "title": title}
        | {"over": {name: asdict(difference) for name, difference in over.items()}}
        for question, of in QUESTIONS.items()
        for dataset in published_datasets()
        for setting in of.settings_of(dataset)
        for title, over in lead_differences(dataset, question, setting=setting).items()
    ]
    return without_nan({"tables": tables, "leads": differences, "claims": verdict_records()})


def published_datasets() -> list[str]:
    """Every published data set of the paper, `NAME` in its default reading and `NAME:READING` in another."""
    every = sorted({(scores.run.dataset, scores.run.reading) for scores in published()})
    found = [(name, reading) for name, reading in every if printed_value(name, "devnet")]
    return [name if reading == in_reading(name)[1] else f"{name}:{reading}" for name, reading in found]


def without_nan(value: Any) -> Any:
    """The same with None for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
