"""Q3 in numbers: how well maps find the marked pixels, from what scores files hold of them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devnetlib.pixel_metrics import aupro, histograms_of, pooled_auroc, pooled_average_precision
from devnetlib.report.families import DEVNET
from devnetlib.report.paper import printed_value
from devnetlib.report.selection import Cell, Stored, published, weights_title, where_both, yours
from devnetlib.report.statistics import paired
from devnetlib.report.tables import CONFIDENCE, MISSING, told_cell
from devnetlib.study.questions import Row, asked
from devnetlib.study.results import Scores

QUESTION = "q3"
MAPS = {
    "gradient": "gradient",
    "patches": "patch scores",
    "random network": "gradient, random network",
    "centre": "a hill in the middle",
}
PRINTED_ON = "mvtec"  # Table IV: other images than ours, trained otherwise


MEASURES: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "AUROC an image": lambda of_map: float(np.mean(of_map["auroc"])),
    "AP an image": lambda of_map: float(np.mean(of_map["average_precision"])),
    "pooled AUROC": lambda of_map: pooled_auroc(histograms_of(of_map)),
    "pooled AP": lambda of_map: pooled_average_precision(histograms_of(of_map)),
    "AUPRO@0.3": lambda of_map: aupro(histograms_of(of_map)),
    "deletion": lambda of_map: mean_of(of_map["deletion"]),
    "insertion": lambda of_map: mean_of(of_map["insertion"]),
}
PER_IMAGE = "AUROC an image"  # the released code's measure, and Table IV's


def mean_of(values: Iterable[float | None]) -> float:
    """Mean of the values that are there; NaN without any."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else float("nan")


def of_map(scores: Scores | None, kind: str) -> dict[str, Any] | None:
    """What a run's scores hold of one kind of map, the perturbations with it; None where they hold nothing of it."""
    pixels = (scores.pixels if scores else None) or {}
    found = pixels.get("maps", {}).get(kind)
    nothing = {"deletion": [], "insertion": []}
    return found and {**nothing, **found, **pixels["perturbed"]["maps"].get(kind, {})}


def explained(stored: Stored) -> Stored:
    """The scores that hold something of pixels."""
    return Stored(scores for scores in stored if scores.pixels is not None)


def map_values(runs: Cell, measure: str = PER_IMAGE, kind: str = "gradient") -> NDArray[np.float64]:
    """One of `MEASURES` of a kind of map in every run of a cell, (S, D); NaN where a run is missing or has no maps."""
    places = [[of_map(runs.runs.get((split, draw)), kind) for draw in runs.draws] for split in runs.splits]
    return np.array([[MEASURES[measure](one) if one else np.nan for one in line] for line in places], dtype=float)


def pixel_aurocs(cells: Mapping[str, Cell]) -> dict[str, NDArray[np.float64]]:
    """Mean pixel AUROC of the gradient map over images, (S, D), of every cell; empty unless all runs are explained."""
    values = {name: map_values(one) for name, one in cells.items()}
    return values if all(np.isfinite(one).all() for one in values.values()) else {}


def explained_rows(
    stored: Stored, dataset: str, profile: str = "quick"
) -> dict[tuple[str, str], tuple[Row, str, Cell]]:
    """Row, kind of map and runs by their titles; only maps that some run has."""
    question, found = asked(QUESTION), {}
    for row in question.all_rows:
        runs = told_cell(stored, dataset, question, row, profile, question.settings[0])
        for kind, title in MAPS.items():
            if any(of_map(scores, kind) for scores in runs.runs.values()):
                found[row.title, title] = row, kind, runs
    return found


def explanation_table(stored: Stored, dataset: str, profile: str = "quick") -> pd.DataFrame:
    """Means over runs of all measures, a row a detector and kind of map, beside the mean that Table IV prints for
    MVTec AD: other images, trained otherwise."""
    lines = {}
    for titles, (row, kind, runs) in explained_rows(stored, dataset, profile).items():
        means = {measure: mean_over_runs(runs, kind, measure) for measure in MEASURES}
        printed = printed_value(PRINTED_ON, row.method, 4) if row.printed and kind == "gradient" else None
        counts = np.isfinite(map_values(runs, kind=kind)).sum()
        lines[titles] = {"printed, MVTec AD": f"{printed[0]:.3f}" if printed else MISSING}
        lines[titles] |= {measure: f"{mean:.3f}" for measure, mean in means.items()} | {"runs": int(counts)}
    return pd.DataFrame.from_dict(lines, orient="index")


def explanation_leads(stored: Stored, dataset: str, profile: str = "quick") -> pd.DataFrame:
    """By how much DevNet's gradient map is ahead of every other map, under three measures, with 95 % intervals: paired
    over the splits and draws that both publish, and marked as missing where a run is not there that DevNet has. Empty
    where DevNet has no such map."""
    rows, lines = explained_rows(stored, dataset, profile), {}
    _, _, devnet = rows.pop((DEVNET, MAPS["gradient"]), (None, None, None))
    for titles, (_, kind, runs) in rows.items() if devnet else ():
        texts = {}
        ours, theirs = where_both(devnet, runs)
        for measure in (PER_IMAGE, "pooled AUROC", "AUPRO@0.3"):
            texts[measure] = difference_text(map_values(ours, measure), map_values(theirs, measure, kind))
        lines[titles] = texts
    return pd.DataFrame.from_dict(lines, orient="index")


def difference_text(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    """The paired difference (S, D) of what is there, with its interval; marked where the two do not have the same
    runs."""
    there = np.isfinite(ours)
    splits, draws = there.any(axis=1), there.any(axis=0)
    pair = [values[splits][:, draws] for values in (ours, theirs)]
    if not there.any() or not all(np.isfinite(values).all() for values in pair):
        return MISSING
    if min(pair[0].shape) < 2:
        return f"{np.mean(pair[0] - pair[1]):+.3f}"
    found = paired(*pair, CONFIDENCE)
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def best_median_worst(scores: Scores) -> list[int]:
    """Places in the test list of the images whose gradient map finds the marked pixels best, middling and worst."""
    order = np.argsort(scores.pixels["maps"]["gradient"]["auroc"], kind="stable")
    return [scores.pixels["images"][order[place]] for place in (-1, len(order) // 2, 0)]


def explanation_text(dataset: str, question: str, profile: str, results: Path, data_root: Path | None = None) -> str:
    """The tables for a terminal: published and yours."""
    parts = [asked(question).title]
    for whose, stored in (("published", published()), ("yours", yours(results, data_root))):
        table = explanation_table(stored, dataset, profile)
        parts += [f"{dataset}, profile {profile}, {whose}", table.to_string() if len(table) else MISSING]
    return "\n".join(parts)


QUOTED = (("devnet", "gradient"), ("devnet", "patches"), *((name, "gradient") for name in ("flos", "bce", "untrained")))


def localisation() -> dict[str, str]:
    """Mean pixel AUROC an image of the maps that the chapter's sentences quote, from published scores; marked where
    there are none."""
    texts = {"printed": f"{printed_value(PRINTED_ON, 'devnet', 4)[0]:.3f}"}
    for dataset in asked(QUESTION).own_settings:
        plain = [entry for entry in explained_rows(published(), dataset).values() if not entry[0].options]
        rows = {(row.method, kind): runs for row, kind, runs in plain}
        for method, kind in QUOTED:
            mean = mean_over_runs(rows.get((method, kind)), kind)
            texts[f"{dataset}_{method}_{kind}"] = MISSING if np.isnan(mean) else f"{mean:.3f}"
    return texts


def mean_over_runs(runs: Cell | None, kind: str, measure: str = PER_IMAGE) -> float:
    """Mean of a measure over the runs that are there; NaN without any."""
    values = np.array([]) if runs is None else map_values(runs, measure, kind)
    return mean_of(values[np.isfinite(values)])


def first_runs(stored: Stored, datasets: Iterable[str], profile: str = "quick") -> dict[str, Scores]:
    """The explained run of split 0 and draw 0 of every row by its title, on the first of the data sets that has one of
    DevNet, which comes first: by its map the images are chosen."""
    for dataset in datasets:
        rows = {
            titles[0]: runs.runs.get((0, 0)) for titles, (*_, runs) in explained_rows(stored, dataset, profile).items()
        }
        if rows.get(DEVNET):
            return {title: scores for title, scores in rows.items() if scores}
    return {}


def how_explained(stored: Stored, datasets: Iterable[str], profile: str) -> str:
    """One line on the runs behind the chapter: how many, weights, device, versions, and the seconds of a map."""
    chosen = [runs for name in datasets for *_, runs in explained_rows(stored, name, profile).values()]
    runs = {scores.run.key: scores for one in chosen for scores in one.runs.values() if scores.pixels}.values()
    if not runs:
        return "no run is stored"
    origins = sorted(
        {f"{s.origin['device']}, {s.origin['threads']} thread(s), torch {s.origin['torch']}" for s in runs}
    )
    weights = sorted({weights_title(s.run.weights) for s in runs})
    seconds = float(np.median([s.origin["pixel_seconds"] for s in runs]))
    told = f"{len(runs)} runs, profile {profile}, weights {', '.join(weights)}; {'; '.join(origins)}"
    most = max(len(s.pixels.get("unmarked", ())) for s in runs)
    bare = f"; up to {most} anomalous test images of which nothing is marked are left out" if most else ""
    return f"{told}; maps of a run {seconds:.0f} s (median){bare}"
