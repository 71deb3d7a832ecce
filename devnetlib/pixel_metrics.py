"""How well maps find the marked pixels, pooled over many images: AUROC, average precision and AUPRO from histograms
(NumPy only).

One image alone needs nothing new: `metrics.auroc` and `metrics.average_precision` of its pixels in a row. Pooled, the
pixels are too many to keep, so that their values are counted in bins; values in one bin count as tied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

REVISION = 2  # of stored measures: under 1, masks that shrink took the nearest pixel and lost thin defects
NEVER_SHRUNK = {"toy"}  # 112 px: its masks only grow, the same under every revision
LIMIT = 0.3  # false positive rate up to which AUPRO is integrated (Bergmann et al. 2021)
# Shares of the normal pixels above the edges: evenly spaced, then ever finer where defects that are found lie.
SHARES_ABOVE = np.r_[np.linspace(1, 0.02, 41)[1:], np.geomspace(0.02, 1e-5, 61)[1:]]


@dataclass(frozen=True)
class Histograms:
    """Map values counted in bins, the lowest first: of the normal pixels (B,), and of every connected component of the
    masks (R,B). Raises ValueError unless both kinds of pixels are there."""

    normal: np.ndarray
    components: np.ndarray

    def __post_init__(self):
        shapes = self.normal.shape, self.components.shape
        if len(shapes[1]) != 2 or shapes[0] != shapes[1][1:]:
            raise ValueError(f"histograms {shapes[0]} of normal pixels and {shapes[1]} of components: (B,) and (R,B)")
        empty = not self.normal.sum() or not len(self.components) or not self.components.sum(axis=1).all()
        if empty or min(self.normal.min(), self.components.min()) < 0:
            raise ValueError("histograms must count normal pixels, and pixels of every component")

    @property
    def defect(self) -> np.ndarray:
        """All marked pixels (B,)."""
        return self.components.sum(axis=0)


def as_now(stored: Mapping[str, Any] | None, dataset: str) -> Mapping[str, Any] | None:
    """What a scores file holds of pixels; None where it was measured on other masks than are read now."""
    known = stored is None or stored.get("revision", 1) == REVISION or dataset in NEVER_SHRUNK
    return stored if known else None


def histograms_of(stored: Mapping[str, Any]) -> Histograms:
    """The histograms in what a scores file holds of one kind of map: lists `normal` and `components`."""
    return Histograms(np.array(stored["normal"]), np.array(stored["components"]))


def bin_edges(normal: ArrayLike) -> np.ndarray:
    """Edges between bins, rising, (B-1,): values that are exceeded by `SHARES_ABOVE` of those of normal pixels, and one
    that no normal pixel reaches."""
    values = np.asarray(normal, dtype=np.float64).ravel()
    return np.unique(np.r_[np.quantile(values, 1 - SHARES_ABOVE), np.nextafter(values.max(), np.inf)])


def counted(values: ArrayLike, edges: np.ndarray) -> np.ndarray:
    """How many values lie in each bin (B,); a value on an edge lies above it, the outer bins are open."""
    return np.bincount(np.searchsorted(edges, np.ravel(values), side="right"), minlength=len(edges) + 1)


def share_from_above(counts: np.ndarray) -> np.ndarray:
    """Share of the counts (...,B) in the highest bins, from none of them to all, (...,B+1)."""
    summed = np.cumsum(counts[..., ::-1], axis=-1)
    return np.concatenate([np.zeros((*summed.shape[:-1], 1)), summed / summed[..., -1:]], axis=-1)


def pooled_auroc(histograms: Histograms) -> float:
    """Area under the ROC curve over all pixels, in [0, 1]; pixels in one bin count half."""
    return float(np.trapezoid(share_from_above(histograms.defect), share_from_above(histograms.normal)))


def pooled_average_precision(histograms: Histograms) -> float:
    """Sum over bins of precision times the gain in recall, in [0, 1]; a little low, for the marked pixels of a bin have
    the precision at its lower edge. Chance level: the share of marked pixels."""
    marked, normal = (np.cumsum(counts[::-1]) for counts in (histograms.defect, histograms.normal))
    precision = marked / np.maximum(marked + normal, 1)
    return float(np.sum(np.diff(marked, prepend=0) / marked[-1] * precision))


def aupro(histograms: Histograms, limit: float = LIMIT) -> float:
    """Area under the per-region overlap, in [0, 1]: the mean share of a component that is found, over the false
    positive rate from 0 to `limit`, divided by `limit`. A map that says nothing has limit / 2.

    The curve begins at (0, 0) and is straight between bins, so also at the limit. Raises ValueError unless the limit
    lies in (0, 1].
    """
    if not 0 < limit <= 1:
        raise ValueError(f"limit {limit}: expected a false positive rate in (0, 1]")
    false = share_from_above(histograms.normal)
    overlap = share_from_above(histograms.components).mean(axis=0)
    inside = false < limit
    at_limit = np.interp(limit, false, overlap)
    return float(np.trapezoid(np.r_[overlap[inside], at_limit], np.r_[false[inside], limit]) / limit)
