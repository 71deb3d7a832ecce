"""mahalanobis and lda: closed forms on the pooled map, without labels and with ten of them."""

import torch
from torch import Tensor

from devnetlib.methods.detector import PooledDetector

CLOSED_FORM = {"": {"updates": 0, "decay_at": ()}}


class Mahalanobis(PooledDetector):
    """Mahalanobis distance of the pooled map from the training normals (covariance by Ledoit and Wolf 2004).

    Our reference point for what ten labels add: it sees none, and nothing is trained. Option `stage` as in `DevNet`.
    """

    uses_labels = False
    prepares = True
    schedule = CLOSED_FORM

    def __init__(self, generator: torch.Generator, *, stage: int = 4):
        super().__init__(generator, stage=stage)
        self.register_buffer("mean", torch.zeros(self.backbone.channels))
        self.register_buffer("precision", torch.eye(self.backbone.channels))

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        from sklearn.covariance import LedoitWolf  # takes seconds to import

        fitted = LedoitWolf().fit(self.pooled(normals).double().cpu().numpy())
        self.mean.copy_(torch.from_numpy(fitted.location_))
        self.precision.copy_(torch.from_numpy(fitted.precision_))

    def score(self, maps: list[Tensor]) -> Tensor:
        """Distances (N,), >= 0."""
        centred = self.pooled(maps) - self.mean
        return ((centred @ self.precision) * centred).sum(dim=1).clamp(min=0).sqrt()


class Lda(Mahalanobis):
    """Linear discriminant: the same covariance, and the direction from the normals' mean to the labelled anomalies'.

    Fisher's discriminant with the within-class covariance taken from the normals alone, because ten anomalies give
    none. It tells what the labels add in a closed form. Option `stage` as in `DevNet`.
    """

    uses_labels = True

    def __init__(self, generator: torch.Generator, *, stage: int = 4):
        super().__init__(generator, stage=stage)
        self.register_buffer("direction", torch.zeros(self.backbone.channels))

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        super().prepare(normals, anomalies)
        self.direction.copy_(self.precision @ (self.pooled(anomalies).mean(dim=0) - self.mean))

    def score(self, maps: list[Tensor]) -> Tensor:
        """Projections (N,) on the discriminant, 0 at the normals' mean."""
        return (self.pooled(maps) - self.mean) @ self.direction
