"""Figures: numbers already computed go in, axes come out. One style, one colour a method."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, product
from math import ceil
from pathlib import Path
from typing import Any
from zlib import crc32

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from devnetlib.metrics import auroc, roc_curve
from devnetlib.report.curves import Point
from devnetlib.report.families import together
from devnetlib.report.paper import printed_value
from devnetlib.report.selection import published
from devnetlib.report.tables import row_cell
from devnetlib.study.questions import Setting, asked
from devnetlib.study.results import Scores

# Okabe and Ito's colours, which keep apart under colour blindness; greys for what learns nothing from labels.
# Where two share a colour, their markers differ.
LOOKS = {
    "DevNet": ("#0072B2", "o"),
    "DevNet, signed": ("#56B4E9", "s"),
    "FLOS": ("#D55E00", "D"),
    "FLOS, signed": ("#E69F00", "d"),
    "MINNS": ("#009E73", "p"),
    "Deep SAD": ("#CC79A7", "h"),
    "Deep SVDD": ("#882255", "<"),
    "KDAD, ResNet-18 teacher": ("#661100", ">"),
    "KDAD": ("#661100", ">"),  # as printed, with its VGG-16 teacher
    "DS": ("#56B4E9", "v"),
    "DS on AlexNet": ("#56B4E9", "^"),
    "DS on ResNet-50": ("#56B4E9", "X"),
    "Patch-DS": ("#009E73", "<"),
    "Rep": ("#D55E00", ">"),
    "Cross-entropy": ("#117733", "^"),
    "Logistic regression": ("#117733", "1"),
    "Linear discriminant": ("#117733", "2"),
    "Mahalanobis, no labels": ("#332288", "v"),
    "Nearest patch, no labels": ("#332288", "3"),
    "Mean grey level": ("#444444", "X"),
    "Image size": ("#444444", "|"),
    "File number": ("#444444", "_"),
    "DevNet, border only": ("#777777", "8"),
    "DevNet, untrained head": ("#777777", "P"),
    "DevNet, shuffled labels": ("#999999", "*"),
}
SET_LOOKS = {
    "elpv": ("#0072B2", "o"),
    "kolektorsdd": ("#D55E00", "s"),
    "headct": ("#009E73", "^"),
    "brainmri": ("#882255", "v"),
    "brainmri:official_loader": ("#CC79A7", "D"),
    "toy": ("#777777", "*"),
}
STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 11,
    "legend.frameon": False,
    "svg.fonttype": "path",
}
OTHERS = tuple(
    product(("#999933", "#AA4499", "#44AA99", "#6699CC", "#AA7744"), "oshvdp^D")
)  # Tol's, used by none above
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
PROPOSITION_1 = 1.96  # Sec. 5.2: the score above which an image is said to be anomalous at 95 %


def look(title: str) -> tuple[str, str]:
    """Colour and marker of a row or data set; one that has none of its own gets one by its title, on every page the
    same."""
    known = LOOKS | SET_LOOKS
    return known[title] if title in known else OTHERS[crc32(title.encode()) % len(OTHERS)]


def axes(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches in the study's style, and its axes, row by row from left to right."""
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)
    return figure, list(grid.flat)


def run_points(values: Mapping[str, NDArray[np.float64]], printed: float | None, ax: Axes) -> Axes:
    """AUROC of every run, a row a method with its mean; a dashed line at the printed number, a thin one at chance."""
    for row, (title, runs) in enumerate(values.items()):
        flat = runs[np.isfinite(runs)]
        spread = np.linspace(-0.22, 0.22, flat.size)  # so that equal runs stay apart
        colour, marker = look(title)
        ax.plot(flat, row + spread, marker, color=colour, markersize=4, alpha=0.6)
        ax.plot([flat.mean()] * 2, [row - 0.34, row + 0.34], color=colour, linewidth=2.5)
    if printed is not None:
        ax.axvline(printed, color="black", linestyle="--", linewidth=1)
        ax.annotate(f"printed {printed:.3f}", (printed, -0.75), ha="center", va="bottom", fontsize=9)
    ax.axvline(0.5, color="0.7", linewidth=0.8)
    ax.set(xlabel="test AUROC (0.5 is chance)", yticks=range(len(values)), yticklabels=list(values), xlim=(0.48, 1.0))
    ax.set_ylim(len(values) - 0.4, -0.8)
    return ax


def score_histogram(scores: Scores | None, ax: Axes) -> Axes:
    """Scores of test normals and test anomalies of one run, with the paper's threshold; without a run, a line that says
    so."""
    if scores is None:
        ax.annotate("no such run is stored", (0.5, 0.5), xycoords="axes fraction", ha="center")
        ax.axis("off")
        return ax
    bins = np.linspace(min(0, scores.values.min()), scores.values.max(), 41)
    for label, name, colour in ((0, "normal", "#0072B2"), (1, "anomalous", "#D55E00")):
        shares = np.full((scores.labels == label).sum(), 1 / (scores.labels == label).sum())
        ax.hist(scores.values[scores.labels == label], bins, weights=shares, alpha=0.6, label=name, color=colour)
    ax.axvline(PROPOSITION_1, color="black", linestyle="--", linewidth=1)
    ax.annotate(" 1.96", (PROPOSITION_1, ax.get_ylim()[1]), va="top", fontsize=9)
    ax.set(xlabel="score (reference standard deviations)", ylabel="share of the test images of a kind")
    ax.legend()
    return ax


def roc(runs: Mapping[str, Scores], ax: Axes) -> Axes:
    """ROC curves of one run a method."""
    for (title, scores), line in zip(runs.items(), cycle(LINES), strict=False):
        false, true = roc_curve(scores.values, scores.labels)
        value = scores.measure(auroc)
        ax.plot(false, true, linestyle=line, color=look(title)[0], label=f"{title} ({value:.3f})")
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    ax.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    ax.legend(fontsize=8, loc="lower right")
    return ax


def draw_curves(
    curves: Mapping[str, Sequence[Point]], quantity: str, ax: Axes, level: tuple[str, float] | None = None
) -> Axes:
    """Mean AUROC of every row against a quantity, its interval as a band unless two draws leave it one degree of
    freedom; `level`, a row without labels at its mean, as a line across. Values are spaced evenly, as they are rather
    factors than steps."""
    values = sorted({point.x for points in curves.values() for point in points})
    place = {x: number for number, x in enumerate(values)}
    for title, points in curves.items():
        colour, marker = look(title)
        at = [place[point.x] for point in points]
        ax.plot(at, [point.mean for point in points], marker=marker, color=colour, label=title)
        if all(map(has_band, points)):
            low, high = [point.low for point in points], [point.high for point in points]
            ax.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
    if level:
        ax.axhline(level[1], color=look(level[0])[0], linestyle=":", label=level[0])
    lowest = [point.low if has_band(point) else point.mean for points in curves.values() for point in points]
    bottom = max(0.5, np.floor(10 * min([*lowest, *([level[1]] if level else [])])) / 10)
    ax.set(xlabel=quantity, ylabel=f"test AUROC, from {bottom:.1f}", ylim=(bottom, 1.0))
    ax.set(xticks=range(len(values)), xticklabels=[f"{x:g}" for x in values])
    return ax


def curve_panels(sets: Mapping[str, Mapping[str, Sequence[Point]]], quantity: str, level: str | None = None) -> Figure:
    """`draw_curves` of every data set in a panel of its own, three beside each other, and one legend below; `level`
    names the row that is a line across."""
    rows = ceil(len(sets) / 3)
    figure, panels = axes(12, 4.2 * rows, columns=min(3, len(sets)), rows=rows)
    for (name, found), ax in zip(sets.items(), panels, strict=False):
        rising = {title: points for title, points in found.items() if title != level}
        draw_curves(rising, quantity, ax, (level, found[level][0].mean) if level in found else None).set_title(name)
    for spare in panels[len(sets) :]:
        spare.axis("off")
    shown = {title: line for ax in panels for line, title in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown), fontsize=9)
    return figure


def has_band(point: Point) -> bool:
    """Whether an interval is known well enough to be drawn."""
    return bool(np.isfinite(point.low)) and point.draws > 2


def critical_difference(ranks: Mapping[str, float], cd: float, ax: Axes) -> Axes:
    """Mean ranks (1 is best), a row a method; bars below join methods that differ by less than `cd`, drawn on top."""
    rows = {title: row for row, title in enumerate(sorted(ranks, key=ranks.__getitem__))}
    groups = together(ranks, cd)
    floor = len(rows) - 0.6 + 0.4 * len(groups)
    for title, row in rows.items():
        colour, marker = look(title)
        ax.plot([ranks[title]] * 2, [row, floor], color="0.8", linewidth=0.8, zorder=1)
        ax.plot(ranks[title], row, marker, color=colour, markersize=8)
    for number, group in enumerate(groups, start=1):
        ends = [ranks[group[0]], ranks[group[-1]]]
        ax.plot(ends, [floor - 0.4 * (len(groups) - number)] * 2, color="black", linewidth=3, solid_capstyle="round")
    ax.plot([1, 1 + cd], [-0.8] * 2, "|-", color="black", linewidth=1)
    ax.annotate(f"critical difference {cd:.2f}", (1, -0.95), ha="left", va="bottom", fontsize=9)
    ax.set(xlabel="mean rank (1 is best)", xlim=(0.8, max(len(rows), 1 + cd) + 0.2), xticks=range(1, len(rows) + 1))
    ax.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(floor + 0.4, -1.5))
    return ax


def image_grid(rows: Sequence[Sequence[NDArray[Any]]], titles: Sequence[str]) -> Figure:
    """Images in rows, grey or RGB, each row with its title to the left."""
    with plt.rc_context(STYLE):
        size = (2 * max(map(len, rows)), 2.1 * len(rows))
        figure, grid = plt.subplots(len(rows), max(map(len, rows)), figsize=size, layout="constrained", squeeze=False)
    for line, images, title in zip(grid, rows, titles, strict=True):
        line[0].set_ylabel(title)
        for ax, image in zip(line, images, strict=False):
            ax.imshow(image, cmap="gray" if image.ndim == 2 else None)
            ax.set(xticks=[], yticks=[])
    return figure


def overlay_grid(
    images: Sequence[NDArray[np.uint8]], maps: Sequence[NDArray[np.float32]], titles: Sequence[str]
) -> Figure:
    """Saliency maps in [0, 1] over their grey images, (N,H,W) a row; one colour scale for all, with its bar."""
    figure = image_grid(images, titles)
    panels = [ax for ax in figure.axes]
    for ax, saliency in zip(panels, [one for row in maps for one in row], strict=True):
        shade = ax.imshow(saliency, cmap="inferno", alpha=0.5, vmin=0, vmax=1)
    figure.colorbar(shade, ax=panels, label="saliency, scaled for each image", shrink=0.8)
    return figure


def published_values(dataset: str, question: str, setting: Setting | None = None) -> dict[str, NDArray[np.float64]]:
    """AUROC (S, D) of every published row of a question under one setting (None: its first)."""
    of = asked(question)
    cells = {row.title: row_cell(published(), dataset, of, row, "quick", setting) for row in of.all_rows}
    return {title: runs.values() for title, runs in cells.items() if runs.runs}


LANDING = ("devnet", "flos", "minns", "deepsad", "deepsvdd", "kdad", "bce", "mahalanobis", "grey", "shuffled")


def landing(path: Path) -> str:
    """Q1 on ELPV: every published run of the main rows beside the printed number. Returns the alternative text."""
    shown = {row.title for row in asked("q1").all_rows if row.method in LANDING and "signed" not in row.options}
    values = {title: runs for title, runs in published_values("elpv", "q1").items() if title in shown}
    printed = printed_value("elpv", "devnet")[0]
    figure, (ax,) = axes(7.5, 1.2 + 0.34 * len(values))
    run_points(values, printed, ax)
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
    means = ", ".join(f"{title} {np.nanmean(runs):.3f}" for title, runs in values.items())
    return f"Test AUROC on ELPV, a point a run; means: {means}. The paper prints {printed:.3f} for DevNet."


FIGURES: dict[str, Callable[[Path], str]] = {"landing": landing}
