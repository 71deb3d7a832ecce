"""bce: DevNet's network under plain cross-entropy, our reference point for what the deviation loss adds."""

import torch
from torch import Tensor

from devnetlib.methods.detector import TopKDetector
from devnetlib.methods.flos import focal_loss
from devnetlib.network import TOP_K


class Bce(TopKDetector):
    """The same top-K head as a classifier: signed scores are logits. Options as in `DevNet`."""

    def __init__(
        self,
        generator: torch.Generator,
        *,
        stage: int = 4,
        n_scales: int = 2,
        top_k: float = TOP_K,
        signed: bool = True,
        heads: int = 1,
    ):
        super().__init__(generator, stage=stage, n_scales=n_scales, top_k=top_k, signed=signed, heads=heads)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return focal_loss(scores, labels, gamma=0.0)
