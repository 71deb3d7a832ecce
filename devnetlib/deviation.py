"""The loss: how far a score deviates from reference scores, and what training asks of it (paper Eqs. 4-8).

Normal images are to score like a sample of a standard normal distribution; anomalies at least `MARGIN` standard
deviations above its mean. Nothing here knows images or networks: scores go in, a number comes out.
"""

import torch
from torch import Tensor

REFERENCE_SIZE = 5000  # Sec. 4.2: l reference scores
MARGIN = 5.0  # Sec. 4.3: a; P(Z > 5) = 2.9e-7 for a standard normal Z


def reference_scores(generator: torch.Generator, size: int | tuple[int, ...] = REFERENCE_SIZE) -> Tensor:
    """Draw `size` reference scores from N(0, 1) on the generator's device (Eq. 4 with mu = 0, sigma = 1)."""
    return torch.randn(size, generator=generator, device=generator.device)


def deviation(scores: Tensor, reference: Tensor) -> Tensor:
    """Deviation of each score from the reference, in its standard deviations (Eq. 7).

    `scores` (N,), `reference` (l,) with l >= 2; returns (N,). With coordinates (N,d) and (l,d) each is measured by its
    own. The standard deviation is the unbiased one, as in the authors' repository.
    """
    return (scores - reference.mean(dim=0)) / reference.std(dim=0)


def deviation_loss(scores: Tensor, labels: Tensor, reference: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean over the batch of (1 - y) |dev| + y max(0, a - dev) (Eq. 8).

    `scores` and `labels` are (N,), labels 1 for anomalies and 0 for normals; `reference` is (l,). Training draws a new
    reference at each call. Raises ValueError where the shapes differ, since (N,) against (N, 1) would broadcast.
    """
    check_shapes(scores, labels)
    dev = deviation(scores, reference)
    return torch.where(labels > 0, (margin - dev).clamp(min=0), dev.abs()).mean()


def check_shapes(scores: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless scores and labels are both (N,)."""
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"scores {tuple(scores.shape)} and labels {tuple(labels.shape)}: both must be (N,)")
