"""mahalanobis: how far an image's mean feature lies from those of normal images; no label is used."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from devnetlib.methods.detector import Detector
from devnetlib.network import STAGE_CHANNELS, ResNet18, Standardise, initialise


class Mahalanobis(Detector):
    """Mahalanobis distance of the pooled map from the training normals (covariance by Ledoit and Wolf 2004).

    Our reference point for what ten labels add. Closed form: nothing is trained. Option `stage` as in `DevNet`.
    """

    uses_labels = False
    needs_normals = True
    schedule: ClassVar[dict[str, Any]] = {"updates": 0}

    def __init__(self, generator: torch.Generator, *, stage: int = 4):
        super().__init__()
        self.backbone = ResNet18(stage)
        initialise(self.backbone, generator)
        channels = STAGE_CHANNELS[stage]
        self.standardise = Standardise(channels)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("precision", torch.eye(channels))

    def features(self, images: Tensor) -> list[Tensor]:
        return [self.backbone(images)]

    def pooled(self, maps: Tensor) -> Tensor:
        """Standardised map averaged over its cells: (N,C,h,w) -> (N,C)."""
        return self.standardise(maps.float().mean(dim=(2, 3), keepdim=True)).flatten(1)

    def standardise_maps(self, normals: list[Tensor]) -> None:
        self.standardise.fit(normals)

    def prepare(self, normals: list[Tensor]) -> None:
        from sklearn.covariance import LedoitWolf  # takes seconds to import, and only this method needs it

        fitted = LedoitWolf().fit(self.pooled(normals[0]).double().cpu().numpy())
        self.mean.copy_(torch.from_numpy(fitted.location_))
        self.precision.copy_(torch.from_numpy(fitted.precision_))

    def score(self, maps: list[Tensor]) -> Tensor:
        """Distances (N,), >= 0."""
        centred = self.pooled(maps[0]) - self.mean
        return ((centred @ self.precision) * centred).sum(dim=1).clamp(min=0).sqrt()
