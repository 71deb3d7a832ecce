"""What runs come to: one run for a program or a terminal, and the runs of a cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from devnetlib.metrics import auroc, average_precision, f1_max
from devnetlib.report.beside import published_auroc
from devnetlib.report.few_images import cannot_tell
from devnetlib.report.selection import Cell, weights_title
from devnetlib.study.results import Scores


def run_record(scores: Scores) -> dict[str, Any]:
    """One run for a program: what it was, its metrics, what it cost."""
    run, origin, theirs = scores.run, scores.origin, published_auroc(scores)
    named = {
        name: getattr(run, name) for name in ("dataset", "reading", "method", "profile", "split", "draw", "seed", "key")
    }
    measured = {metric.__name__: round(scores.measure(metric), 6) for metric in (auroc, average_precision, f1_max)}
    return (
        named
        | {"options": dict(run.options)}
        | measured
        | {"weights": run.weights, "precision": origin["precision"], "compiler": origin.get("compiler")}
        | {"seconds": origin["seconds"]}
        | {"published_auroc": None if theirs is None else round(theirs, 6)}
        | {"cannot_tell": cannot_tell(measured["auroc"], *tested_images(scores))}
    )


def run_line(record: dict[str, Any]) -> str:
    """A `run_record` for a terminal: its AUROC, the published one of the same run where there is one, and a sentence
    where so few test images cannot tell."""
    told = "{key}: AUROC {auroc:.3f}, average precision {average_precision:.3f}".format(**record)
    told += f", AUROC published {record['published_auroc']:.3f}" if record["published_auroc"] is not None else ""
    return "; ".join(filter(None, [told, record["cannot_tell"]]))


@dataclass(frozen=True)
class Summary:
    """What the runs of a cell come to: means over runs; AUROC also by split, with its spread."""

    auroc: float
    split_low: float  # smallest mean of a split
    split_high: float
    sd: float | None  # over all runs, ddof 1
    runs: int
    average_precision: float
    f1_max: float
    weights: str
    seconds: float  # median over runs
    peak_mb: int  # least over runs: a process keeps what earlier runs used, so the others say more than a run needs
    cannot_tell: str  # why not, where the run with the fewest test images has too few; else empty


def summary(runs: Cell) -> Summary | None:
    """The summary of a cell; None where it has no run."""
    if not runs.runs:
        return None
    scores = list(runs.runs.values())
    values = {split: [] for split in sorted({split for split, _ in runs.runs})}
    for (split, _), one in runs.runs.items():
        values[split].append(one.measure(auroc))
    by_split, everything = [np.mean(v) for v in values.values()], np.concatenate(list(values.values()))
    return Summary(
        auroc=float(everything.mean()),
        split_low=float(min(by_split)),
        split_high=float(max(by_split)),
        sd=float(everything.std(ddof=1)) if len(scores) > 1 else None,
        runs=len(scores),
        average_precision=float(np.mean([s.measure(average_precision) for s in scores])),
        f1_max=float(np.mean([s.measure(f1_max) for s in scores])),
        weights=weights_title(runs.any.run.weights),
        seconds=float(np.median([s.origin["seconds"] for s in scores])),
        peak_mb=min(s.origin["peak_mb"] for s in scores),
        cannot_tell=cannot_tell(float(everything.mean()), *fewest_images(runs)),
    )


def tested_images(scores: Scores) -> tuple[int, int]:
    """How many normal and how many anomalous images a run is tested on."""
    anomalies = int(np.count_nonzero(scores.labels))
    return len(scores.labels) - anomalies, anomalies


def fewest_images(runs: Cell) -> tuple[int, int]:
    """The `tested_images` of the run of a cell whose smaller class is the smallest."""
    return min({tested_images(scores) for scores in runs.runs.values()}, key=lambda counts: (min(counts), counts))
