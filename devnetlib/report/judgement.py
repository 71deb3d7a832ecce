"""The claims of `book/paper/claims.yml`, each held against the published scores by its rule."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from devnetlib.data.manifests import load_card
from devnetlib.report.explanations import pixel_aurocs
from devnetlib.report.paper import Claim, DataRef, Rule, claims, rules
from devnetlib.report.recomputed import Recomputed, recomputed
from devnetlib.report.selection import Cell, Metric, cell, published, weights_of
from devnetlib.report.statistics import Difference
from devnetlib.report.verdicts import Comparison, Learned, Reached, Result, judge
from devnetlib.study.questions import QUESTIONS

PROFILE_OF_LANE = {"frozen": "quick", "fine-tuned": "released"}  # the one profile by which a lane is judged
NOT_MEASURED = "not measured yet"
PRINTED_TABLES = DataRef("the printed tables")  # what a sentence is recomputed from, in place of a data set


def judged(claim: Claim) -> tuple[tuple[DataRef, dict[str, Result | Recomputed]], ...]:
    """The results of a claim, one entry a data set on which all of its runs are published; one for the printed tables
    where a sentence is recomputed from them."""
    rule = rules()[claim.rule]
    if rule.name == "recomputed":
        return ((PRINTED_TABLES, {"sentence": recomputed(claim.id)}),)
    if claim.lane not in PROFILE_OF_LANE:
        return ()
    found = []
    for number, data in enumerate(claim.datasets):
        if values := claim_values(claim, rule, data):
            (_, ours), *rivals = values.items()
            printed = claim.printed[number].value() if claim.printed else None
            found.append((data, judge(rule, ours, dict(rivals), printed)))
    return tuple(found)


def claim_values(claim: Claim, rule: Rule, data: DataRef) -> dict[str, NDArray[np.float64]]:
    """What a claim compares on a data set, (S, D) by name: what is judged first, then its rivals; empty where runs are
    missing. Where a quantity varies, the runs at its end before those at its start, or the changes of each method."""
    if claim.measure == "pixel_auroc":
        return pixel_aurocs(claim_cells(claim, rule, data))
    if claim.vary is None:
        return measured(claim_cells(claim, rule, data), rule)
    start, end = (
        measured(claim_cells(replace(claim, **{claim.vary.quantity: value}), rule, data), rule)
        for value in (claim.vary.start, claim.vary.stop)
    )
    if not (start and end):
        return {}
    if rule.name == "steadier":
        return {name: end[name] - start[name] for name in end}
    (name,) = end
    return {name: end[name], f"itself at {claim.vary.start:g}": start[name]}


def measured(cells: dict[str, Cell], rule: Rule) -> dict[str, NDArray[np.float64]]:
    """The measure of a rule, (S, D) by name; empty unless all cells are complete."""
    complete = all(one.complete for one in cells.values())
    return {name: one.values(measure(rule)) for name, one in cells.items()} if complete else {}


def claim_cells(claim: Claim, rule: Rule, data: DataRef) -> dict[str, Cell]:
    """The runs a claim needs on a data set: the method that is judged first, then its rivals; by method, with its
    options where it has some."""
    options = claim.options or ({},) * len(claim.methods)
    wanted = list(zip(claim.methods, options, strict=True)) + [(name, {}) for name in rule.over]
    question, profile = QUESTIONS[claim.question.lower()], PROFILE_OF_LANE[claim.lane]
    reading = load_card(data.name).reading(data.reading)
    common = {
        "profile": profile,
        "reading": reading,
        "weights": weights_of(published(), data.name, reading, profile),  # of all rivals the same
        "protocol": claim.protocol,
        "anomalies": claim.anomalies,
        "contamination": claim.contamination,
        "splits": question.splits_of(data.name, reading),
        "draws": question.draws,
    }
    return {
        row_name(method, opts): cell(published(), data.name, method, options=opts, **common) for method, opts in wanted
    }


def row_name(method: str, options: dict[str, Any]) -> str:
    return " ".join([method, *(f"{name}={value}" for name, value in sorted(options.items()))])


def measure(rule: Rule) -> Metric:
    """What a rule compares: AUROC, or the share of test normals above a threshold on the score.

    A score is its own deviation here: the reference is N(0, 1) by definition (Eq. 4).
    """
    from devnetlib.metrics import auroc

    if rule.name != "separation":
        return auroc
    threshold = rule.constants["threshold"]

    def share_above(scores: ArrayLike, labels: ArrayLike) -> float:
        return float(np.mean(np.asarray(scores)[np.asarray(labels) == 0] > threshold))

    return share_above


def describe(result: Result | Recomputed) -> str:
    """The numbers behind a verdict, in a line."""
    if isinstance(result, Recomputed):
        return str(result)
    if isinstance(result, Learned):
        return "; ".join(f"over {name} {difference(lead)}" for name, lead in result.over.items())
    if isinstance(result, Reached):
        return f"ours − printed {result.difference:+.3f}"
    if isinstance(result, Comparison):
        place = f"percentile of the printed mean {result.percentile_of_printed:.0f}"
        return f"ours − printed {difference(result)}, {place}, visible from {result.half_width:.3f}"
    return difference(result)


def difference(result: Any) -> str:
    """A difference and its interval."""
    if isinstance(result, Difference):
        return result.text
    return f"{result.difference:+.3f} [{result.low:+.3f}, {result.high:+.3f}]"


def verdict_lines(claim: Claim) -> Iterator[tuple[str, str, str]]:
    """(data set and rival, verdict, numbers) for all that has been measured of a claim."""
    for data, results in judged(claim):
        for rival, result in results.items():
            against = "" if rival in ("printed", "controls", "normals", "sentence") else f" against {rival}"
            measured = "0.05 expected − share found: " if rival == "normals" else ""
            yield f"{data}{against}", result.verdict, measured + describe(result)


@cache
def verdict_records() -> list[dict[str, Any]]:
    """Every claim with its verdicts, for programs."""
    records = []
    for claim in claims():
        verdicts = [
            {"data": str(data), "against": rival} | asdict(result)
            for data, results in judged(claim)
            for rival, result in results.items()
        ]
        known = {name: getattr(claim, name) for name in ("id", "question", "claim", "source", "lane", "rule", "status")}
        data = [asdict(reference) for reference in claim.datasets]
        records.append(known | {"datasets": data, "measured": bool(verdicts), "verdicts": verdicts})
    return records
