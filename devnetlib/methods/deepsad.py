"""Deep SAD: normal images are drawn to a centre, labelled anomalies are pushed away from it (Ruff et al. 2020)."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from devnetlib.deviation import check_shapes
from devnetlib.methods.deepsvdd import centre_of, squared_distance
from devnetlib.methods.detector import PooledDetector
from devnetlib.network import initialise

EPSILON = 1e-6
AUTHORS = {"learning_rate": 1e-4, "weight_decay": 0.5e-6, "batch": 128, "decay_at": (450,), "clip": 0.0}


class DeepSad(PooledDetector):
    """Deep SAD on DevNet's ResNet-18: pooled map -> linear layer without bias -> squared distance to a fixed centre.

    Options: `stage` as in `DevNet`; `dimensions` of the code; `eta`, the weight of the labelled anomalies. The schedule
    is that of the authors' README (150 epochs in batches of 128, 1,350 updates on ELPV's training images), as are the
    batches, in which anomalies are as rare as among the images. Their autoencoder has no counterpart for a ResNet-18;
    its ImageNet weights stand for the pretraining.
    """

    prepares = True
    schedule: ClassVar = {
        "": AUTHORS | {"balanced": False, "updates": 1350},
        "smoke": {"updates": 4, "batch": 16, "decay_at": ()},
        "laptop": {"updates": 100, "batch": 48, "decay_at": ()},
    }

    def __init__(self, generator: torch.Generator, *, stage: int = 4, dimensions: int = 128, eta: float = 1.0):
        super().__init__(generator, stage=stage)
        if dimensions < 1 or not 0 < eta < float("inf"):
            raise ValueError(f"dimensions {dimensions}, eta {eta}: expected numbers above 0")
        self.eta = eta
        self.encode = skip_init(nn.Linear, self.backbone.channels, dimensions, bias=False)
        self.register_buffer("centre", torch.zeros(dimensions))
        initialise(self.encode, generator)

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        """Fix the centre: the mean code of all training images, labelled anomalies included, as the authors do."""
        with torch.inference_mode():
            codes = [self.encode(self.pooled(maps)) for maps in (normals, anomalies)]
        self.centre.copy_(centre_of(torch.cat(codes)))

    def score(self, maps: list[Tensor]) -> Tensor:
        """Squared distances (N,), >= 0."""
        return squared_distance(self.encode(self.pooled(maps)), self.centre)

    def loss(self, distances: Tensor, labels: Tensor) -> Tensor:
        """Mean of d for normal images and of eta / (d + epsilon) for labelled anomalies; both (N,)."""
        check_shapes(distances, labels)
        return torch.where(labels > 0, self.eta / (distances + EPSILON), distances).mean()
