"""Figures of the chapters that teach: numbers already computed go in, axes come out."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's colours, each with a line of its own, so that colour is never alone.
LINES = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#333333", ":"))

Array = NDArray[np.float64]


def curves(lines: Mapping[str, tuple[Any, Any]], ax: Axes, marker: str = "", legend: Any = "best") -> Axes:
    """Lines by their names, each a pair (x, y) of equal length; `marker` on every point, the legend where there is
    room or where `legend`, Matplotlib's `loc`, says."""
    for (name, (x, y)), (colour, line) in zip(lines.items(), cycle(LINES), strict=False):
        ax.plot(x, y, color=colour, linestyle=line, marker=marker, markersize=4, linewidth=2, label=name)
    ax.legend(fontsize=9, frameon=False, loc=legend)
    return ax


def mark(x: float, text: str, ax: Axes) -> Axes:
    """A thin dashed line at `x` with a word at its top."""
    ax.axvline(x, color="black", linestyle="--", linewidth=1)
    ax.annotate(f" {text}", (x, 1), xycoords=("data", "axes fraction"), va="top", fontsize=9)
    return ax


def distributions(samples: Mapping[str, Array], ax: Axes) -> Axes:
    """Histograms of samples by their names, over the same bins, as shares of each sample."""
    bins = np.linspace(min(map(np.min, samples.values())), max(map(np.max, samples.values())), 61)
    for (name, values), (colour, line) in zip(samples.items(), cycle(LINES), strict=False):
        shares, edges = np.histogram(values, bins, weights=np.full(len(values), 1 / len(values)))
        ax.stairs(shares, edges, fill=True, color=colour, alpha=0.25)
        ax.stairs(shares, edges, color=colour, linestyle=line, linewidth=1.5, label=name)
    ax.set(ylim=(0, None))
    ax.legend(fontsize=9, frameon=False)
    return ax


def heat(values: Array, label: str, ax: Axes) -> Axes:
    """A map (h,w) in colours, with its bar."""
    shade = ax.imshow(values, cmap="viridis")
    ax.figure.colorbar(shade, ax=ax, label=label, shrink=0.8)
    ax.set(xticks=[], yticks=[])
    return ax


def plane(scores: Array, reach: float, threshold: float, points: Mapping[str, Array], ax: Axes) -> Axes:
    """What a score calls normal on the square of ±`reach`: blue, up to the black line at `threshold`.

    `scores` (n,n), its rows from below to above; its contours are grey lines. `points` are drawn by kind, each (N,2).
    """
    line = np.linspace(-reach, reach, len(scores))
    ax.contourf(line, line, scores, [-np.inf, threshold, np.inf], colors=["#CFE3F3", "white"])
    ax.contour(line, line, scores, 12, colors="0.6", linewidths=0.6, linestyles="solid")
    ax.contour(line, line, scores, [threshold], colors="black", linewidths=1.2, linestyles="solid")
    marks = cycle((("#0072B2", "."), ("#D55E00", "x"), ("#009E73", "^"), ("#CC79A7", "s")))
    for (name, at), (colour, shape) in zip(points.items(), marks, strict=False):
        ax.plot(*at.T, shape, color=colour, markersize=2.5, linestyle="none", label=name)
    ax.set(aspect="equal", xticks=[-reach, 0, reach], yticks=[-reach, 0, reach])
    return ax


def legend_below(figure: Figure) -> Figure:
    """One legend for all axes of a figure, in a line beneath them."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=9, markerscale=2
    )
    return figure
