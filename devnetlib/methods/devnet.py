"""DevNet: top-K patch scores under the deviation loss (Pang et al. 2021)."""

import torch
from torch import Tensor

from devnetlib.deviation import MARGIN, deviation_loss, reference_scores
from devnetlib.methods.detector import TopKDetector
from devnetlib.network import TOP_K


class DevNet(TopKDetector):
    """The paper's method with the released code's choices as defaults.

    Options: `stage` of ResNet-18 whose map is scored (1-4); `n_scales` of the image pyramid; `top_k`, the share of
    patches in the image's score; `margin` of the loss, in reference standard deviations; `signed`, the paper's Eq. 6
    without the absolute value of the released code; `heads`, initialisations trained side by side and averaged.
    """

    def __init__(
        self,
        generator: torch.Generator,
        *,
        stage: int = 4,
        n_scales: int = 2,
        top_k: float = TOP_K,
        margin: float = MARGIN,
        signed: bool = False,
        heads: int = 1,
    ):
        super().__init__(generator, stage=stage, n_scales=n_scales, top_k=top_k, signed=signed, heads=heads)
        if not 0 < margin < float("inf"):
            raise ValueError(f"margin {margin}: expected a number above 0")
        self.margin = margin

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Deviation loss (Eq. 8) against 5,000 reference scores drawn anew at each call."""
        reference = reference_scores(self.generator).to(scores.device)
        return deviation_loss(scores, labels, reference, self.margin)
