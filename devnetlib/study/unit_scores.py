"""Image scores of many linear units at once, and the gradient of the units.

Of an image's cells the top-K mean has a slope at K alone, a tenth of them. Written as one step with the units, its
gradient sums these cells, where autograd would multiply matrices that are nine tenths zero.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from devnetlib.data.batches import on_device
from devnetlib.network import largest_kept


class Rule(NamedTuple):
    """How so many runs, one after another, make an image's score of its patch scores."""

    runs: int
    signed: bool  # else by their magnitudes
    share: float  # of the patches that count, in (0, 1]


def unit_scores(weights: Tensor, biases: Tensor, cells: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Image scores (R,H,N) of R runs with H units each, by `rules` that together cover the runs.

    Weights (R,H,C) and biases (R,H) have a gradient. The cells have none: (N,P,C) where all runs see the same images,
    (R,N,P,C) where each has its own. Equals `network.top_k_mean` of the patch scores within rounding, and its gradient
    where no other patch scores as the K-th largest does: of such patches all get a K-th.
    """
    return UnitScores.apply(weights, biases, cells, tuple(rules))


class UnitScores(torch.autograd.Function):
    """Patch scores, and of each image's the mean of the K largest."""

    @staticmethod
    def forward(ctx, weights: Tensor, biases: Tensor, cells: Tensor, rules: tuple[Rule, ...]) -> Tensor:
        """Image scores (R,H,N), as `unit_scores` says."""
        scores = patch_scores(weights, biases, cells)
        largest = largest_on_gpu if cells.is_cuda else largest_on_processor
        sizes = [rule.runs for rule in rules]
        kept = [largest_kept(rule.share, scores.shape[-1]) for rule in rules]
        parts = zip(scores.split(sizes), kept, rules, strict=True)
        means, slopes = zip(*(largest(part, k, rule.signed) for part, k, rule in parts), strict=True)
        ctx.kept = np.repeat(kept, sizes)
        ctx.save_for_backward(cells, torch.cat(slopes))
        return torch.cat(means)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient (R,H,N) -> those of weights and biases: a K-th of it for each cell that counts."""
        cells, slopes = ctx.saved_tensors
        shares = gradient / on_device(ctx.kept, gradient.device)[:, None, None]
        sums = sums_on_gpu if cells.is_cuda else sums_on_processor
        return *sums(slopes, shares, cells), None, None


def patch_scores(weights: Tensor, biases: Tensor, cells: Tensor) -> Tensor:
    """Patch scores (R,H,N,P) of units on their cells; images that all runs see take one matrix product."""
    if cells.dim() == 3:
        every = torch.addmm(biases.view(-1, 1), weights.flatten(0, 1), cells.flatten(0, 1).T)
    else:
        every = torch.baddbmm(biases[..., None], weights, cells.flatten(1, 2).transpose(1, 2))
    return every.view(*weights.shape[:2], *cells.shape[-3:-1])


def largest_on_processor(scores: Tensor, k: int, signed: bool) -> tuple[Tensor, Tensor]:
    """Mean (...) of the k largest of the scores (...,P), or of their magnitudes, and the slope of their sum, -1, 0 or
    1, (...,P).

    Several that equal the k-th largest all have a slope. NumPy brings the largest to the end without sorting; every
    pass that is spared counts, for the scores do not fit into a processor's cache.
    """
    array = scores.numpy()
    ordered = array.copy() if signed else np.abs(array)
    ordered.partition(ordered.shape[-1] - k, axis=-1)
    largest = ordered[..., -k:]
    slopes = (array >= largest[..., :1]).view(np.int8)
    if not signed:
        slopes -= (array <= -largest[..., :1]).view(np.int8)
    return torch.from_numpy(largest.mean(axis=-1)), torch.from_numpy(slopes)


def largest_on_gpu(scores: Tensor, k: int, signed: bool) -> tuple[Tensor, Tensor]:
    """As `largest_on_processor`."""
    magnitudes = scores if signed else scores.abs()
    largest = magnitudes.topk(k, dim=-1).values
    chosen = magnitudes >= largest[..., -1:]
    return largest.mean(dim=-1), (chosen if signed else chosen * scores.sign()).to(torch.int8)


def sums_on_processor(slopes: Tensor, shares: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over images and cells, for every unit: of slope x share x cell, (R,H,C), and of slope x share, (R,H).

    Slopes are (R,H,N,P), shares (R,H,N), cells (N,P,C) or (R,N,P,C).
    """
    runs, heads, images, patches = slopes.shape
    signs, of_unit, units = slopes.numpy().ravel(), images * patches, runs * heads
    chosen = np.flatnonzero(signs.view(bool))  # any byte but 0 counts
    unit = chosen // of_unit
    rows = chosen - unit * of_unit
    if cells.dim() == 4:
        rows += unit // heads * of_unit
    factors = shares.numpy().ravel()[chosen // patches] * signs[chosen]
    starts = np.searchsorted(chosen, np.arange(units) * of_unit)
    biases = torch.from_numpy(np.bincount(unit, factors, units)).to(shares.dtype)
    rows, starts, factors = map(torch.from_numpy, (rows, starts, factors))
    sums = F.embedding_bag(rows, cells.reshape(-1, cells.shape[-1]), starts, per_sample_weights=factors, mode="sum")
    return sums.view(runs, heads, -1), biases.view(runs, heads)


def sums_on_gpu(slopes: Tensor, shares: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """As `sums_on_processor`, by a matrix product."""
    factors = (slopes * shares[..., None]).flatten(2)
    return factors @ cells.flatten(-3, -2), factors.sum(dim=2)
