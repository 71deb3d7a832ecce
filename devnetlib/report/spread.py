"""Where the spread of a published mean comes from: split, draw and seed; beside them the error of the test images."""

from collections.abc import Iterable, Sequence
from functools import cache
from statistics import fmean

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from devnetlib.data.manifests import in_reading
from devnetlib.report.selection import Cell, published, seed_spread
from devnetlib.report.statistics import crossed
from devnetlib.report.tables import MISSING, row_cell
from devnetlib.study.questions import asked
from devnetlib.study.results import REPOSITORY, Scores

RESAMPLES = 300


def delong_error(scores: ArrayLike, labels: ArrayLike) -> float:
    """Standard error of an AUROC over independent test images (DeLong, DeLong and Clarke-Pearson 1988): scores and
    labels (N,). Raises ValueError with fewer than two images of a class."""
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    normal, anomalous = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    if min(normal.size, anomalous.size) < 2:
        raise ValueError("DeLong's variance needs two images of either class")
    above = share_below(anomalous, normal)  # of each anomaly: the normals that it beats, ties half
    below = 1 - share_below(normal, anomalous)
    return float(np.sqrt(above.var(ddof=1) / anomalous.size + below.var(ddof=1) / normal.size))


def share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each of `values` (N,) the share of the sorted `others` (M,) that lie below it, equal ones half."""
    left, right = (np.searchsorted(others, values, side=side) for side in ("left", "right"))
    return (left + right) / (2 * others.size)


def grouped_error(scores: ArrayLike, labels: ArrayLike, groups: Sequence[str], resamples: int = RESAMPLES) -> float:
    """Standard error of an AUROC by the bootstrap over whole groups of test images; resamples that lack a class are
    left out."""
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(0).integers(names.size, size=(resamples, names.size))
    times = np.stack([np.bincount(groups_drawn, minlength=names.size) for groups_drawn in drawn])[:, member]
    normals, anomalies = times[:, labels == 0], times[:, labels == 1]  # how often each image is drawn, (resamples, N)
    above = scores[labels == 1][:, None] - scores[labels == 0]
    in_order = (np.sign(above) + 1) / 2  # of each pair, an equal one half
    pairs = anomalies.sum(1) * normals.sum(1)
    right = ((anomalies @ in_order) * normals).sum(1)
    return float(np.std(right[pairs > 0] / pairs[pairs > 0], ddof=1))


@cache
def groups_of(dataset: str) -> dict[str, str]:
    """The group of every image that shares one, by its id; empty where all stand alone or no table is at hand."""
    path = REPOSITORY / "data_manifests" / f"{dataset}.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path, usecols=["id", "group"], dtype=str, keep_default_na=False)
    shared = (table["group"] != "") & table.duplicated("group", keep=False)
    return dict(table[shared].itertuples(index=False))


def image_error(scores: Scores) -> float:
    """Standard error of one run's AUROC over its test images: DeLong's where all stand alone, else by groups."""
    groups = groups_of(scores.run.dataset)
    if not groups:
        return delong_error(scores.values, scores.labels)
    return grouped_error(scores.values, scores.labels, [groups.get(name, name) for name in scores.ids])


def spread_record(dataset: str, title: str) -> dict[str, str] | None:
    """The components of a published row of Q1 on a data set, in AUROC; None unless its cell is complete."""
    of = asked("q1")
    row = next(row for row in of.all_rows if row.title == title)
    runs = row_cell(published(), dataset, of, row, "quick")
    if not runs.complete:
        return None
    parts, seed = crossed(runs.values()), seed_spread(dataset, row.method)
    found = {"mean": parts.mean, "standard error": parts.standard_error}
    found |= {"split sd": parts.split_sd, "draw sd": parts.draw_sd, "rest sd": parts.residual_sd}
    found |= {"test images, se": fmean(map(image_error, one_a_split(runs)))}
    texts = {name: f"{value:.3f}" for name, value in found.items()}
    how = "groups, bootstrap" if groups_of(in_reading(dataset)[0]) else "DeLong"
    return texts | {"seed sd": f"{seed:.3f}" if seed is not None else MISSING, "by": how}


def one_a_split(runs: Cell) -> list[Scores]:
    """The first draw of every split: draws share their test images nearly all."""
    return [runs.runs[split, runs.draws[0]] for split in runs.splits]


def spread_table(datasets: Iterable[str], titles: Sequence[str]) -> pd.DataFrame:
    """`spread_record` of every data set and row that is complete."""
    found = {(dataset, title): spread_record(dataset, title) for dataset in datasets for title in titles}
    return pd.DataFrame.from_dict({place: record for place, record in found.items() if record}, orient="index")
