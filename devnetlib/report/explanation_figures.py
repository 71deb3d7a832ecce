"""Figures of Q3: maps beside their masks, and detection against localisation."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from devnetlib.report.figures import STYLE, look
from devnetlib.report.sweeps import Sweep

OUTLINE = "#00E5FF"  # stands out on the inferno map and on grey


def trade_off(curves: Mapping[str, Sweep], ax: Axes) -> Axes:
    """Mean pixel AUROC of the true positives over the F1 of detection, a line a method as the threshold falls, its
    marker where F1 is largest."""
    for title, curve in curves.items():
        colour, marker = look(title)
        best = int(np.argmax(curve.f1))
        ax.plot(curve.f1, curve.pixel_auroc, color=colour, linewidth=1.2)
        ax.plot(curve.f1[best], curve.pixel_auroc[best], marker, color=colour, markersize=8, label=title)
    ax.set(xlabel="F1 of detection", ylabel="mean pixel AUROC of the true positives", xlim=(0, 1))
    ax.legend(fontsize=9, loc="best")
    return ax


def gallery(
    images: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    maps: Mapping[str, NDArray[np.floating[Any]]],
    titles: Sequence[str],
) -> Figure:
    """A column an image: the image with its mask outlined, and below a map (N,H,W) in [0, 1] a detector, outlined
    alike; one colour scale for all."""
    lines = {"image": (images, "gray", 0, 255)} | {name: (shown, "inferno", 0, 1) for name, shown in maps.items()}
    with plt.rc_context(STYLE):
        size = (1.6 * len(images) + 1.4, 1.65 * len(lines) + 0.3)
        figure, grid = plt.subplots(len(lines), len(images), figsize=size, layout="constrained", squeeze=False)
    for row, (name, (values, colours, low, high)) in zip(grid, lines.items(), strict=True):
        for ax, one, mask in zip(row, values, masks, strict=True):
            drawn = ax.imshow(one, cmap=colours, vmin=low, vmax=high)
            ax.contour(mask, levels=[0.5], colors=OUTLINE, linewidths=0.9)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(fill(name, 16), fontsize=9)
    for ax, title in zip(grid[0], titles, strict=True):
        ax.set_title(title)
    figure.colorbar(drawn, ax=grid, label="saliency, scaled for each image", shrink=0.5)
    return figure
