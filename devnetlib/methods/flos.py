"""FLOS: DevNet's network under the focal loss (paper Sec. 6.2; Lin et al. 2017)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from devnetlib.deviation import check_shapes
from devnetlib.methods.detector import TopKDetector
from devnetlib.network import TOP_K

GAMMA = 2.0


def focal_loss(scores: Tensor, labels: Tensor, gamma: float = GAMMA) -> Tensor:
    """Mean of (1 - p)^gamma times the cross-entropy; p is the probability given to the true class.

    `scores` are logits (N,), `labels` (N,). Both classes weigh the same (alpha = 1), as in the authors' repository;
    with gamma = 0 this is the cross-entropy.
    """
    check_shapes(scores, labels)
    entropy = F.binary_cross_entropy_with_logits(scores, labels.to(scores.dtype), reduction="none")
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()


class Flos(TopKDetector):
    """The paper's strongest baseline on most sets: the same network, the focal loss instead of the deviation loss.

    The logit is the network's score. With the released code's absolute values (`signed=False`) no normal image can
    fall below p = 0.5. Other options as in `DevNet`; `gamma` is the focal loss's exponent.
    """

    def __init__(
        self,
        generator: torch.Generator,
        *,
        stage: int = 4,
        n_scales: int = 2,
        top_k: float = TOP_K,
        gamma: float = GAMMA,
        signed: bool = False,
        heads: int = 1,
    ):
        super().__init__(generator, stage=stage, n_scales=n_scales, top_k=top_k, signed=signed, heads=heads)
        self.gamma = gamma

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return focal_loss(scores, labels, self.gamma)
