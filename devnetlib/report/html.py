"""Tables for a page: the results of a question, and the claims with their verdicts."""

from html import escape
from typing import Any

from devnetlib.report.judgement import NOT_MEASURED, judged, verdict_lines
from devnetlib.report.paper import Claim, claims
from devnetlib.report.tables import asked, printed_text, summary_texts, table_records, weights_line

COLUMNS = ("AUROC", "split means", "sd", "runs")


def tag(name: str, content: str, **attributes: object) -> str:
    """An element whose content is HTML already; `scope_`-like names drop their underscore."""
    listed = "".join(f' {key.rstrip("_")}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{listed}>{content}</{name}>"


def result_table_html(dataset: str, question: str) -> str:
    """The table of a question: numbers, and for every row the command that re-executes it."""
    records = table_records(dataset, question)
    whose = ["published", *(["yours"] if any(record["yours"] for record in records) else [])]
    body = [html_row(record, whose) for record in records if not record["control"]]
    body.append(group_row("Controls: nothing learned from labels", width=3 + len(COLUMNS) * len(whose)))
    body += [html_row(record, whose) for record in records if record["control"]]
    where = f"{dataset}, {records[0]['lane']} lane ({weights_line(records, whose)})"
    remark = "the printed numbers are of the fine-tuned network, mean ± sd of three runs."
    caption = tag("p", escape(f"{asked(question).title} {where}; {remark}"), class_="table-caption")
    return caption + tag("table", table_head(whose) + tag("tbody", "".join(body)), class_="results")


def table_head(whose: list[str]) -> str:
    """Two header rows: whose numbers, and which."""
    single = [tag("th", name, rowspan=2, scope="col") for name in ("method", "printed", "again")]
    groups = [tag("th", name, colspan=len(COLUMNS), scope="colgroup") for name in whose]
    columns = [tag("th", name, scope="col") for name in COLUMNS] * len(whose)
    return tag("thead", tag("tr", "".join([*single[:2], *groups, single[2]])) + tag("tr", "".join(columns)))


def group_row(title: str, width: int) -> str:
    """A row that names the rows below it."""
    return tag("tr", tag("th", title, colspan=width, scope="rowgroup"), class_="group")


def html_row(record: dict[str, Any], whose: list[str]) -> str:
    """One row of the table; what it tells is under its name."""
    title = tag("th", escape(record["title"]) + tag("small", escape(record["tells"])), scope="row")
    texts = [printed_text(record["printed"])]
    texts += [summary_texts(record[name])[column] for name in whose for column in COLUMNS]
    again = tag("details", tag("summary", "command") + tag("code", escape(record["command"])))
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
