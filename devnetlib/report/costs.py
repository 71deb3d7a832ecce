"""What the study costs: the records of `bench`, the seconds of the published runs, and a plan of the large grid."""

import json
from collections.abc import Iterator
from functools import cache
from itertools import product
from math import floor, fsum
from pathlib import Path
from statistics import median
from typing import Any

from devnetlib.data.manifests import datasets, load_card
from devnetlib.errors import Incomplete
from devnetlib.report.selection import published
from devnetlib.report.tables import published_datasets, row_cell
from devnetlib.study.questions import QUESTIONS, Question, Row, Setting, asked
from devnetlib.study.results import REPOSITORY
from devnetlib.study.runs import PROFILES

RECORDS = REPOSITORY / "book" / "bench"
DEVICES = (1, 2, 4, 8)
OWN_TOY = "toy"  # has a card, but is no data set of the paper
# Of the plan, and measured by nobody here: an NVIDIA H100 (SXM), dense bf16, by its data sheet; and which share of it
# a small network reaches.
GPU = "H100"
GPU_TFLOPS = 989
SHARE = 0.2


@cache
def records(folder: Path = RECORDS) -> tuple[dict[str, Any], ...]:
    """Every committed record of `bench`, in the order of their names."""
    return tuple(json.loads(path.read_text()) for path in sorted(folder.glob("*.json")))


def speed_rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A record's measurements of both loops: images a second, their ratio, operations, and the share of the peak."""
    update = {(count["pixels"], count["scales"]): count for count in record["flops"]}
    for table in record["sizes"]:
        counted = update[table["pixels"], 1]
        for what, operations in (("training", counted["update"]), ("evaluation", counted["forward"])):
            rates = {side: table["batch"] / seconds for side, seconds in table[what]["seconds"].items()}
            yield {
                "what": what,
                "pixels": table["pixels"],
                **rates,
                "ratio": table[what]["ratio"],
                "work_ratio": table[what]["work_ratio"],
                "seconds": table[what]["seconds"],
                "gflops": operations / 1e9,
                "share": rates["ours"] * operations / 1e12 / record["matrix_tflops"],
                "peak_mb": table["peak_mb"],
            }


def fine_tuned_seconds(record: dict[str, Any]) -> float:
    """Seconds of a fine-tuned run of ours, of as many updates and scores as the frozen one; the plain loop's are in the
    record."""
    pixels, part = PROFILES["laptop"].training.pixels, record["frozen"]
    table = next(one for one in record["sizes"] if one["pixels"] == pixels)
    update, scored = (table[what]["seconds"]["ours"] for what in ("training", "evaluation"))
    return part["updates"] * update + part["images"] / table["batch"] * scored


def compiled_rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For every compiler of a record: seconds of the updates in which it compiles, of a later one as it is and compiled
    (medians over the turns), and `pays`, the number of updates from which a run is shorter; None where a compiled
    update is not the faster one in every turn."""
    for part in record["compiling"]:
        plain, compiled = (median(side) for side in zip(*part["turns"], strict=True))
        pays = None
        if all(one[1] < one[0] for one in part["turns"]):
            pays = max(1, floor((part["starting"] - part["started"] * compiled) / (plain - compiled)) + 1)
        updates = PROFILES[part["profile"]].training.updates
        yield {**part, "plain": plain, "compiled": compiled, "pays": pays, "updates": updates}


def question_costs(profile: str = "quick") -> list[dict[str, Any]]:
    """For every question and published data set: its runs, and the seconds of one core that they take."""
    return [cost for name in QUESTIONS for dataset in published_datasets() if (cost := cost_of(name, dataset, profile))]


def cost_of(name: str, dataset: str, profile: str) -> dict[str, Any] | None:
    """Runs of a question on a data set and their core-seconds, by the median published run of each row; None where no
    row was published."""
    question, found = asked(name), []
    for setting, row in product(question.settings_of(dataset), question.all_rows):
        if seconds := row_seconds(question, row, dataset, profile, setting):
            found.append((planned_runs(question, row, dataset), seconds))
    if not found:
        return None
    runs, core = sum(count for count, _ in found), fsum(count * seconds for count, seconds in found)
    return {"question": name, "dataset": dataset, "rows": len(found), "runs": runs, "core_seconds": core}


def row_seconds(question: Question, row: Row, dataset: str, profile: str, setting: Setting) -> float | None:
    """Median seconds of a published run of a row under a setting, times its threads; None without one."""
    runs = row_cell(published(), dataset, question, row, profile, setting).runs.values()
    return median(s.origin["seconds"] * s.origin["threads"] for s in runs) if runs else None


def planned_runs(question: Question, row: Row, dataset: str) -> int:
    """How many runs a published cell has: its splits times its draws."""
    splits, draws = question.places_of(row, *dataset.split(":"))
    return len(splits) * len(draws)


def plan() -> list[dict[str, Any]]:
    """The grid of Q1 at `released` on all data sets of the paper: runs and operations of every one.

    Its rows are those of the paper's table that see labels; each is counted as DevNet, with whose backbone all but the
    head is the same.
    """
    question = asked("q1")
    rows = [row for row in question.rows if row.labels and not row.missing]
    found = []
    for name in datasets():
        if name != OWN_TOY:
            members = sets_of(name)
            runs = {one: sum(planned_runs(question, row, one) for row in rows) for one in members}
            work = fsum(runs[one] * run_flops(tested) for one, tested in members.items())
            found.append({"dataset": name, "sets": len(members), "runs": sum(runs.values()), "pflop": work / 1e15})
    return found


def sets_of(name: str) -> dict[str, int]:
    """The data sets behind a card, a subset each where it is a family, with the test images of a run that labels ten
    anomalies."""
    facts = load_card(name).facts
    cards = {f"{name}/{subset}": inner for subset, inner in facts.get("subsets", {}).items()} or {name: facts}
    counts = {one: next(iter(card["counts"].values())) for one, card in cards.items()}
    return {one: count["test_normal"] + count["test_anomaly"] - 10 for one, count in counts.items()}


def run_flops(tested: int) -> float:
    """Operations of one run of `released`, evaluation included, by the counts in the records."""
    training, count = PROFILES["released"].training, flops_of(PROFILES["released"].training.pixels, scales=2)
    return training.updates * training.batch * count["update"] + tested * count["forward"]


def flops_of(pixels: int, scales: int) -> dict[str, int]:
    """The count of operations for one image; all records hold the same. Incomplete where there is none."""
    counts = [c for record in records() for c in record["flops"] if (c["pixels"], c["scales"]) == (pixels, scales)]
    if not counts:
        raise Incomplete(f"{RECORDS} holds no record of operations at {pixels} px: make bench WORDS=--record")
    return counts[0]


def hours(pflop: float, devices: int = 1) -> float:
    """Hours of the plan's GPUs for so many 10^15 operations."""
    return pflop * 1e15 / (GPU_TFLOPS * 1e12 * SHARE * devices) / 3600
