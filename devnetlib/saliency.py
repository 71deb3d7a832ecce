"""The explanation: which pixels move the score (paper Eq. 9)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

SIGMA = 4.0  # pixels; the authors' repository
PAPERS_WINDOW = 16  # pixels; Sec. 4.6


def input_gradient(score: Callable[[Tensor], Tensor], images: Tensor, guided: bool = False) -> Tensor:
    """Gradient of each image's score with respect to its own pixels: (N,3,H,W) -> (N,3,H,W).

    `score` maps images (N,3,H,W) to scores (N,) and treats the images independently (a detector in eval mode).
    `guided` lets only positive gradients pass each rectifier (Springenberg et al. 2015), as KDAD's authors do.
    """
    with torch.enable_grad():
        pixels = images.detach().clone().requires_grad_(True)
        with GuidedRectifiers() if guided else torch.enable_grad():
            total = score(pixels).sum()
        (gradient,) = torch.autograd.grad(total, pixels)
    return gradient


class GuidedRelu(torch.autograd.Function):
    """The rectifier forwards; backwards it also stops gradients below 0."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        """max(x, 0)."""
        y = x.clamp(min=0)
        context.save_for_backward(y)
        return y

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """The gradient where it and x are above 0, else 0."""
        (y,) = context.saved_tensors
        return gradient.clamp(min=0) * (y > 0)


class GuidedRectifiers(TorchFunctionMode):
    """Inside this context every rectifier that is called is a `GuidedRelu`, whatever network calls it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (F.relu, torch.relu, torch.relu_):
            return GuidedRelu.apply(args[0])
        return function(*args, **(kwargs or {}))


def gaussian_smooth(maps: Tensor, sigma: float = SIGMA, window: int | None = None) -> Tensor:
    """Smooth maps (N,H,W) with a Gaussian of `sigma` pixels, edges reflected, cut at 4 sigma to either side or to a
    `window` of so many pixels. An even window reaches a pixel further to the left and to the top."""
    before = int(4 * sigma + 0.5) if window is None else window // 2
    after = before if window is None else window - 1 - before
    offsets = torch.arange(-before, after + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    maps = _reflect(_reflect(maps, before, after, dim=-1), before, after, dim=-2)[:, None]
    return F.conv2d(F.conv2d(maps, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))[:, 0]


def _reflect(maps: Tensor, before: int, after: int, dim: int) -> Tensor:
    """Continue the maps beyond both edges by mirror images, the edge pixel repeated, also where that exceeds the
    size."""
    size = maps.shape[dim]
    index = torch.arange(-before, size + after, device=maps.device) % (2 * size)
    return maps.index_select(dim, torch.where(index < size, index, 2 * size - 1 - index))


def scale_to_unit(maps: Tensor) -> Tensor:
    """Map each of (N,H,W) linearly so that its minimum becomes 0 and its 99th percentile 1, cut at [0, 1]."""
    flat = maps.flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.quantile(0.99, dim=1, keepdim=True)
    return ((flat - low) / (high - low).clamp(min=1e-12)).clamp(0, 1).view_as(maps)


def saliency(
    score: Callable[[Tensor], Tensor],
    images: Tensor,
    sigma: float = SIGMA,
    normalise: bool = True,
    window: int | None = None,
    guided: bool = False,
) -> Tensor:
    """Saliency maps of images (N,3,H,W): absolute input gradient, summed over channels, smoothed -> (N,H,W) (Eq. 9).

    With `normalise` each map is scaled to [0, 1] by its minimum and 99th percentile before smoothing, as in the
    authors' repository; without, maps keep the units of score per input unit and can be compared across images.
    `window` cuts the Gaussian as the paper has it (`PAPERS_WINDOW`), `guided` as in `input_gradient`.
    """
    magnitude = input_gradient(score, images, guided).abs().sum(dim=1)
    return gaussian_smooth(scale_to_unit(magnitude) if normalise else magnitude, sigma, window)
