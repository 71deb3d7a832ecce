"""The explanation: which pixels move the score (paper Eq. 9)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SIGMA = 4.0  # pixels; the authors' repository


def input_gradient(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Gradient of each image's score with respect to its own pixels: (N,3,H,W) -> (N,3,H,W).

    `score` maps images (N,3,H,W) to scores (N,) and treats the images independently (a detector in eval mode).
    """
    with torch.enable_grad():
        pixels = images.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(pixels).sum(), pixels)
    return gradient


def gaussian_smooth(maps: Tensor, sigma: float = SIGMA) -> Tensor:
    """Smooth maps (N,H,W) with a Gaussian of `sigma` pixels, cut at 4 sigma, edges reflected."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    maps = _reflect(_reflect(maps, radius, dim=-1), radius, dim=-2)[:, None]
    return F.conv2d(F.conv2d(maps, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))[:, 0]


def _reflect(maps: Tensor, radius: int, dim: int) -> Tensor:
    """Continue the maps beyond both edges by mirror images, the edge pixel repeated, also where radius > size."""
    size = maps.shape[dim]
    index = torch.arange(-radius, size + radius, device=maps.device) % (2 * size)
    return maps.index_select(dim, torch.where(index < size, index, 2 * size - 1 - index))


def scale_to_unit(maps: Tensor) -> Tensor:
    """Map each of (N,H,W) linearly so that its minimum becomes 0 and its 99th percentile 1, cut at [0, 1]."""
    flat = maps.flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.quantile(0.99, dim=1, keepdim=True)
    return ((flat - low) / (high - low).clamp(min=1e-12)).clamp(0, 1).view_as(maps)


def saliency(score: Callable[[Tensor], Tensor], images: Tensor, sigma: float = SIGMA, normalise: bool = True) -> Tensor:
    """Saliency maps of images (N,3,H,W): absolute input gradient, summed over channels, smoothed -> (N,H,W) (Eq. 9).

    With `normalise` each map is scaled to [0, 1] by its minimum and 99th percentile before smoothing, as in the
    authors' repository; without, maps keep the units of score per input unit and can be compared across images.
    """
    magnitude = input_gradient(score, images).abs().sum(dim=1)
    return gaussian_smooth(scale_to_unit(magnitude) if normalise else magnitude, sigma)
