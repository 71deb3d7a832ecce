"""Tables of the performance page: what each record's machine does, what the questions cost, the plan."""

from collections.abc import Callable, Iterable
from html import escape
from math import fsum

from devnetlib.metrics import auroc
from devnetlib.report.costs import (
    DEVICES,
    compiled_rows,
    fine_tuned_seconds,
    hours,
    plan,
    question_costs,
    records,
    speed_rows,
)
from devnetlib.report.html import tag
from devnetlib.report.rounding import WAYS, lead, repeated
from devnetlib.report.tables import CONFIDENCE
from devnetlib.study.results import Scores

HALF_COMMAND = "python -m devnetlib run --dataset elpv --method devnet --profile laptop --precision bf16 --results half"
COMMAND = 'make bench WORDS="--record --accuracy"'


def table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]], command: str = COMMAND) -> str:
    """A table whose first column heads its rows; without any, the command that measures them."""
    rows = list(rows)
    if not rows:
        missing = f"This was not measured yet: {tag('code', escape(command))}."
        return tag("p", f"{escape(caption)} {missing}", class_="table-caption")
    head = tag("tr", "".join(tag("th", escape(name), scope="col") for name in columns))
    body = "".join(
        tag("tr", tag("th", escape(first), scope="row") + "".join(tag("td", escape(text)) for text in rest))
        for first, *rest in rows
    )
    caption = tag("p", escape(caption), class_="table-caption")
    return caption + tag("table", tag("thead", head) + tag("tbody", body), class_="results")


def speed_html() -> str:
    """For every record both loops, size by size."""
    columns = (
        "",
        "images a second, ours",
        "plain loop",
        "ratio",
        "of processor time",
        "s a batch, ours",
        "GFLOP an image",
        "share of peak",
    )
    return "".join(
        table(machine_line(record), (*columns, "peak MB, ours", "plain loop"), map(speed_texts, speed_rows(record)))
        for record in records()
    )


def title(record: dict) -> str:
    return f"{record['device']}, {record['precision']}"


def machine_line(record: dict) -> str:
    """What a record is of."""
    units = "with" if record["amx"] else "without"
    kept = f"ours in {record['precision']}, the plain loop in fp32; {record['dataset']}"
    peak = f"measured peak of a matrix product {record['matrix_tflops']:.2f} TFLOP/s"
    where = f"{record['device']}, {record['cores']} cores, {units} AMX, torch {record['torch']}"
    load = f"load when it began {record['load']:.1f}"
    return f"{where}: {kept}; {peak}; {load}."


def speed_texts(row: dict) -> list[str]:
    """One line of `speed_html`; memory is of both, training and evaluation."""
    rates = [f"{row['ours']:.1f}", f"{row['plain']:.1f}", f"{row['ratio']:.2f}"]
    rates += [f"{row['work_ratio']:.2f}", f"{row['seconds']['ours']:.2f}"]
    peaks = [f"{row['peak_mb'][side]:,}" for side in ("ours", "plain")]
    return [f"{row['what']}, {row['pixels']} px", *rates, f"{row['gflops']:.2f}", f"{100 * row['share']:.0f} %", *peaks]


def frozen_html() -> str:
    """For every record a whole run: of the frozen lane, and fine-tuned by either loop."""
    columns = ("", "updates", "scores", "s a run, frozen", "fine-tuned, ours", "plain loop", "plain over frozen")
    rows = [
        [
            title(record),
            str(part["updates"]),
            f"{part['images']:,}",
            f"{part['ours']:.2f}",
            f"{fine_tuned_seconds(record):.0f}",
            f"{part['plain']:.0f}",
            f"{part['ratio']:.0f}",
        ]
        for record in records()
        for part in (record["frozen"],)
    ]
    caption = "A run of the frozen lane on cached maps, beside runs that train the network (extrapolated)."
    return table(caption, columns, rows)


def growth_html() -> str:
    """How decoding, maps and grids grow, and what starting and rebuilding cost, in seconds."""
    kept = [record for record in records() if "growing" in record]
    lines = [[title(record), *line] for record in kept for line in growth_rows(record)]
    return table("What else takes time.", ("", "", "seconds"), lines)


def growth_rows(record: dict) -> list[list[str]]:
    """The lines of `growth_html`."""
    rows = [(f"decode {part['images']} images", part["decode"]) for part in record["preparing"]]
    for kind, words in (("maps", ""), ("embedded", ", embedded trunk")):
        timed = [part for part in record["preparing"] if kind in part]
        rows += [(f"maps of {part['images']} images{words}", part[kind]) for part in timed]
    rows += [(f"a command: {grid_words(part)}", part["seconds"]) for part in record["growing"]]
    for part in record.get("released", []):
        rows.append((f"a released run, {part['runs']} side by side, {part['an_hour']:.0f} an hour", part["seconds"]))
    rows += [("import devnetlib", record["starting"]["import"]), ("--help", record["starting"]["help"])]
    rows += [("rebuild the book", record["book"])] if record["book"] else []
    return [[name, f"{seconds:.1f}"] for name, seconds in rows]


def grid_words(part: dict) -> str:
    workers = f"{part['workers']} worker{'s' * (part['workers'] > 1)}"
    return f"frozen runs of splits {part['splits']} and draws {part['draws']}, {workers}"


def precision_html() -> str:
    """AUROC of one trained head whose backbone computes in fp32 and in bf16."""
    columns = ("", "images", "fp32", "bf16", "difference")
    parts = [(record, record["half_precision"]) for record in records() if "half_precision" in record]
    rows = [
        [
            f"{title(record)}, {record['dataset']}",
            f"{part['images']:,}",
            f"{part['fp32']:.4f}",
            f"{part['bf16']:.4f}",
            f"{part['bf16'] - part['fp32']:+.4f}",
        ]
        for record, part in parts
    ]
    return table("AUROC of the same weights, the backbone computing in either precision.", columns, rows)


def pairs_html() -> str:
    """Published runs, the same in half precision and with one thread, and the mean differences."""
    columns = ("AUROC", "fp32", "bf16", "fp32, one thread", "bf16 − fp32", "one thread − two")
    rows = [
        [run_words(single), *pair_texts(single, [others.get(way) for way in WAYS])] for single, others in repeated()
    ]
    if rows:
        leads = [lead(way) for way in WAYS]
        rows.append(["mean difference", "", "", "", *(one.text for one in leads)])
        rows.append(["least that could be shown", "", "", "", *(f"{one.half_width:.3f}" for one in leads)])
    caption = f"DevNet fine-tuned in either precision and, as a control, with one thread; {CONFIDENCE:.0%} intervals."
    return table(caption, columns, rows, HALF_COMMAND)


def pair_texts(single: Scores, others: list[Scores | None]) -> list[str]:
    """A line of `pairs_html`: AUROC of a run, of its repetitions, and by how much these lie above it."""
    values = [None if other is None else other.measure(auroc) for other in others]
    differences = ["–" if value is None else f"{value - single.measure(auroc):+.4f}" for value in values]
    return [
        f"{single.measure(auroc):.4f}",
        *("–" if value is None else f"{value:.4f}" for value in values),
        *differences,
    ]


def run_words(scores: Scores) -> str:
    return f"{scores.run.dataset}, split {scores.run.split}, draw {scores.run.draw}"


def compiling_html() -> str:
    """For every record and compiler, what compiling costs and spares."""
    columns = ("", "s, first updates", "s, a later one", "s, not compiled", "a run is shorter from", "updates of a run")
    timed = [record for record in records() if "compiling" in record]
    rows = [compiled_texts(record, row) for record in timed for row in compiled_rows(record)]
    return table("The backbone compiled for training, beside the same updates without.", columns, rows)


def compiled_texts(record: dict, row: dict) -> list[str]:
    """One line of `compiling_html`."""
    name = f"{title(record)}, {row['profile']} at {row['pixels']} px, {row['compiler']}"
    seconds = [f"{row['starting']:.1f} ({row['started']})", f"{row['compiled']:.2f}", f"{row['plain']:.2f}"]
    pays = "never" if row["pays"] is None else f"{row['pays']:,} updates"
    return [name, *seconds, pays, f"{row['updates']:,}"]


def costs_html() -> str:
    """Hours of every question, and of all of them, by how many cores share the runs."""
    costs = question_costs()
    columns = ("", "rows", "runs", *(f"{n} core{'s' * (n > 1)}" for n in DEVICES))
    rows = [cost_texts(f"{c['question']}, {c['dataset']}", c["rows"], c["runs"], c["core_seconds"]) for c in costs]
    sums = [sum(c[what] for c in costs) for what in ("rows", "runs")]
    rows.append(cost_texts("everything published", *sums, fsum(c["core_seconds"] for c in costs)))
    words = "Profile quick: hours by the median seconds of the published runs, maps cached, runs spread evenly."
    return table(words, columns, rows)


def cost_texts(name: str, rows: int, runs: int, seconds: float) -> list[str]:
    """One line of `costs_html`."""
    return [name, str(rows), f"{runs:,}", *(f"{seconds / n / 3600:.2f}" for n in DEVICES)]


def plan_html() -> str:
    """The plan, a line a data set, and all of it."""
    grid = plan()
    total = {"dataset": "all", **{what: sum(row[what] for row in grid) for what in ("sets", "runs", "pflop")}}
    rows = [
        [row["dataset"], str(row["sets"]), f"{row['runs']:,}", f"{row['pflop']:,.0f}"]
        + [f"{hours(row['pflop'], devices):.2f}" for devices in (1, 8)]
        for row in [*grid, total]
    ]
    columns = ("", "sets", "runs", "PFLOP", "hours, one GPU", "hours, eight")
    return table("A plan, not a measurement: Q1 at released.", columns, rows)


TABLES: dict[str, Callable[[], str]] = {
    "speed": speed_html,
    "frozen": frozen_html,
    "growth": growth_html,
    "precision": precision_html,
    "pairs": pairs_html,
    "compiling": compiling_html,
    "costs": costs_html,
    "plan": plan_html,
}
