"""Tables for a page: the results of a question, and the claims with their verdicts."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from devnetlib.report.judgement import NOT_MEASURED, judged, verdict_lines
from devnetlib.report.paper import Claim, claims
from devnetlib.report.tables import (
    COLUMNS_OF,
    GROUPS,
    MISSING,
    leads,
    method_records,
    printed_text,
    published_datasets,
    table_records,
    texts_of,
    weights_line,
)
from devnetlib.study.questions import Setting, asked
from devnetlib.study.results import YOURS


def tag(name: str, content: str, **attributes: object) -> str:
    """An element whose content is HTML already; `scope_`-like names drop their underscore."""
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    listed = "".join(f' {names[key]}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{listed}>{content}</{name}>"


def scrolling(table: str, label: str) -> str:
    """A table in a region that scrolls sideways, by keyboard too, and that screen readers announce by `label`."""
    return tag("div", table, class_="table-scroll", role="region", tabindex=0, aria_label=label)


def result_table_html(dataset: str, question: str, setting: Setting | None = None, results: Path = YOURS) -> str:
    """The table of a question under one setting (None: its first): numbers, yours from the folder `results`, and for
    every row the command that re-executes it."""
    records = table_records(dataset, question, results=results, setting=setting)
    whose = ["published", *(["yours"] if any(record["yours"] for record in records) else [])]
    body = []
    for group, title in GROUPS.items():
        lines = [html_row(record, whose) for record in records if record["group"] == group]
        width = 3 + sum(len(COLUMNS_OF[name]) for name in whose)
        body += [group_row(title, width), *lines] if lines else []
    asks = records[0]["setting"]["title"]
    where = f"{dataset}, {asks}, {records[0]['lane']} lane ({weights_line(records, whose)})"
    remark = "the printed numbers are of the fine-tuned network, mean ± sd of three runs."
    caption = tag("p", escape(f"{asked(question).title} {where}; {remark}"), class_="table-caption")
    return caption + tag("table", table_head(whose) + tag("tbody", "".join(body)), class_="results")


def question_tables_html(question: str, datasets: Sequence[str], results: Path = YOURS) -> str:
    """The tables of a question on data sets, under every setting, each folded away under its name."""
    folds = []
    for dataset in datasets:
        for setting in asked(question).settings_of(dataset):
            title = tag("summary", escape(f"{dataset}, {setting.title}"))
            inner = scrolling(result_table_html(dataset, question, setting, results), f"{question} on {dataset}")
            folds.append(tag("details", title + inner, class_="fold"))
    return "".join(folds)


def table_head(whose: list[str]) -> str:
    """Two header rows: whose numbers, and which."""
    single = [tag("th", name, rowspan=2, scope="col") for name in ("method", "printed", "again")]
    groups = [tag("th", name, colspan=len(COLUMNS_OF[name]), scope="colgroup") for name in whose]
    columns = [tag("th", column, scope="col") for name in whose for column in COLUMNS_OF[name]]
    return tag("thead", tag("tr", "".join([*single[:2], *groups, single[2]])) + tag("tr", "".join(columns)))


def group_row(title: str, width: int) -> str:
    """A row that names the rows below it."""
    return tag("tr", tag("th", title, colspan=width, scope="rowgroup"), class_="group")


def html_row(record: dict[str, Any], whose: list[str]) -> str:
    """One row of the table; what it tells is under its name."""
    tells = "; ".join(filter(None, [record["tells"], record["missing"]]))
    title = tag("th", escape(record["title"]) + tag("small", escape(tells)), scope="row")
    texts = [printed_text(record["printed"])]
    texts += [text for name in whose for text in texts_of(record, name).values()]
    again = tag("details", tag("summary", "command") + tag("code", escape(record["command"]), class_="command"))
    return tag("tr", title + "".join(tag("td", text) for text in texts) + tag("td", again))


SETS_COLUMNS = ("DevNet", "Cross-entropy", "Mahalanobis, no labels")


def sets_table_html(question: str) -> str:
    """A line a published data set: the printed number of DevNet, the means of the main rows, and whether DevNet's lead
    over what has learned nothing counts as learned from labels."""
    names = ("data set", "DevNet, printed", *SETS_COLUMNS, "runs", "learned from labels")
    head = tag("thead", tag("tr", "".join(tag("th", name, scope="col") for name in names)))
    body = "".join(set_row(dataset, question) for dataset in published_datasets())
    words = "Mean AUROC of the published runs, frozen lane. Printed is the fine-tuned network, mean ± sd of three runs."
    caption = tag("p", words, class_="table-caption")
    return caption + tag("table", head + tag("tbody", body), class_="results")


def set_row(dataset: str, question: str) -> str:
    """One line of `sets_table_html`."""
    records = {record["title"]: record for record in table_records(dataset, question)}
    ours = [records[title]["published"] for title in SETS_COLUMNS]
    texts = [printed_text(records["DevNet"]["printed"]), *(f"{s['auroc']:.3f}" if s else MISSING for s in ours)]
    learned = leads(dataset, question).get("learned from labels", {}).get("DevNet", MISSING)
    texts += [str(ours[0]["runs"]) if ours[0] else MISSING, learned]
    return tag("tr", tag("th", escape(dataset), scope="row") + "".join(tag("td", text) for text in texts))


def methods_table_html(dataset: str) -> str:
    """Every method and control on a data set: AUROC, runs, seconds and memory of a run, and the command for one."""
    records = method_records(dataset)
    head = "".join(tag("th", name, scope="col") for name in ("key", "AUROC", "runs", "seconds", "peak MB", "again"))
    caption = tag(
        "p",
        escape(
            f"{dataset}, profile quick ({weights_line(records, ['published'])}). AUROC is the mean over "
            "runs, seconds the median of a run on kept maps (its share, where runs were trained side by side), memory "
            "the least that a run of the row held."
        ),
        class_="table-caption",
    )
    body = "".join(method_row(record) for record in records)
    return caption + tag("table", tag("thead", tag("tr", head)) + tag("tbody", body), class_="results")


def method_row(record: dict[str, Any]) -> str:
    """One line of `methods_table_html`; what is missing is marked, with the reason."""
    options = " ".join(f"{name}={str(value).lower()}" for name, value in record["options"].items())
    note = record["missing"] or options
    title = tag("th", tag("code", record["method"]) + (tag("small", escape(note)) if note else ""), scope="row")
    ours = record["published"]
    texts = [MISSING] * 4
    if ours:
        texts = [f"{ours['auroc']:.3f}", str(ours["runs"]), f"{ours['seconds']:.1f}", f"{ours['peak_mb']:,}"]
    again = tag("details", tag("summary", "command") + tag("code", escape(record["command"]), class_="command"))
    return tag("tr", title + "".join(tag("td", text) for text in texts) + tag("td", again))


def claims_table_html(question: str | None = None) -> str:
    """The claims with our verdicts: of one question those that have been measured, and how many have not; without
    one all."""
    chosen = claims(question.upper() if question else None)
    shown = [claim for claim in chosen if not question or judged(claim)]
    body = [claim_row(claim) for claim in shown]
    if unmeasured := len(chosen) - len(shown):
        body.append(tag("tr", tag("td", f"{unmeasured} further claims are {NOT_MEASURED}.", colspan=4)))
    head = "".join(tag("th", name, scope="col") for name in ("claim", "verdict", "numbers", "lane, rule, what we knew"))
    return tag("table", tag("thead", tag("tr", head)) + tag("tbody", "".join(body)), class_="claims")


def claim_row(claim: Claim) -> str:
    """One claim: its sentence and source, verdicts with their numbers, and how it was judged."""
    lines = list(verdict_lines(claim))
    verdicts = "<br>".join(f"{escape(where)}: {tag('strong', escape(verdict))}" for where, verdict, _ in lines)
    numbers = "<br>".join(escape(numbers) for *_, numbers in lines)
    mind = tag("details", tag("summary", "what would change our mind") + escape(claim.change_our_mind))
    sentence = escape(claim.claim) + tag("small", escape(claim.source)) + mind
    how = escape(f"{claim.lane}, {claim.rule}, {claim.status}")

    cells = (sentence, verdicts or NOT_MEASURED, numbers, how)
    return tag("tr", "".join(tag("td", text) for text in cells), id=claim.id)
