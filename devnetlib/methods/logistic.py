"""logistic: what ten labels add to the pooled map when nothing but a plain classifier learns from them."""

import torch
from torch import Tensor

from devnetlib.methods.detector import PooledDetector
from devnetlib.methods.mahalanobis import CLOSED_FORM


class Logistic(PooledDetector):
    """Logistic regression on the pooled map by scikit-learn, both classes with the same weight, as in balanced batches.

    Options: `stage` as in `DevNet`; `strength`, the inverse of the L2 penalty (scikit-learn's `C`).
    """

    prepares = True
    schedule = CLOSED_FORM

    def __init__(self, generator: torch.Generator, *, stage: int = 4, strength: float = 1.0):
        super().__init__(generator, stage=stage)
        if not 0 < strength < float("inf"):
            raise ValueError(f"strength {strength}: expected a number above 0")
        self.strength = strength
        self.register_buffer("weight", torch.zeros(self.backbone.channels))
        self.register_buffer("bias", torch.zeros(1))

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        from sklearn.linear_model import LogisticRegression  # takes seconds to import

        pooled = torch.cat([self.pooled(normals), self.pooled(anomalies)]).double().cpu().numpy()
        labels = [0] * len(normals[0]) + [1] * len(anomalies[0])
        fitted = LogisticRegression(C=self.strength, class_weight="balanced", max_iter=2000).fit(pooled, labels)
        self.weight.copy_(torch.from_numpy(fitted.coef_[0]))
        self.bias.copy_(torch.from_numpy(fitted.intercept_))

    def score(self, maps: list[Tensor]) -> Tensor:
        """Logits (N,)."""
        return self.pooled(maps) @ self.weight + self.bias
