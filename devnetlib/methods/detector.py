"""The contract of every method: images or maps go in, one score an image comes out, larger = more anomalous."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from devnetlib.backbones import build_backbone
from devnetlib.network import Standardise, Tap, TopKNetwork, initialise, tapped


class Detector(nn.Module):
    """What `study` asks of a method. Subclasses are complete after `__init__(generator, **options)`.

    Class facts:
        uses_labels: whether training sees the labelled anomalies.
        prepares: whether `prepare` wants to see the maps of the training images before the first update.
        pools: `mean` or `max` where a detector reads nothing else of a map's channels, so that cached maps can be
            pooled once; empty where it reads cells.
        raw: whether `features` wants images in [0, 1] instead of ones normalised by ImageNet's statistics.
        schedule: fields of `Training` that the method prescribes, by profile; under "" those for all of them.
    A method on a pretrained network has it as the attribute `backbone`; the frozen lane caches the maps at `taps`.
    """

    uses_labels: ClassVar[bool] = True
    prepares: ClassVar[bool] = False
    pools: str = ""
    raw: bool = False
    schedule: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    backbone: nn.Module | None

    @property
    def taps(self) -> list[Tap]:
        """Which maps of the backbone `features` returns."""
        last = self.backbone.stages[-1]
        return [Tap(scale, last, last) for scale in range(getattr(self, "n_scales", 1))]

    def features(self, images: Tensor) -> list[Tensor]:
        """Images (N,3,H,W) -> list of maps (N,C,h,w), one a tap."""
        return tapped(self.backbone, images, self.taps)

    def score(self, maps: list[Tensor]) -> Tensor:
        """Maps of N images -> scores (N,)."""
        raise NotImplementedError

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """What the loss judges, (N,heads,...): heads are trained side by side, each as if it were alone. One head that
        gives the score, unless a method says otherwise."""
        return self.score(maps)[:, None]

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Outputs and labels (N,) -> scalar to be minimised. Raises ValueError where the shapes differ."""
        raise NotImplementedError

    def standardise_maps(self, normals: list[Tensor]) -> None:
        """Frozen lane only: take channel statistics from the maps (N,C,h,w) of the training normals."""

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        """Called before training with the maps (N,C,h,w) of the training normals and of the labelled anomalies (N = 0
        where the method does not use them), if `prepares`."""

    def forward(self, images: Tensor) -> Tensor:
        return self.score(self.features(images))

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Names and defaults of the keyword options."""
        parameters = inspect.signature(cls.__init__).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


class TopKDetector(TopKNetwork, Detector):
    """DevNet's network (`devnetlib.network.TopKNetwork`) under the contract; subclasses add a loss."""

    def __init__(self, generator: torch.Generator, *, backbone: str = "resnet18", stage: int = 4, **network: Any):
        super().__init__(build_backbone(backbone, stage), **network)
        self.generator = generator
        initialise(
            self.scorer, generator
        )  # before the backbone: the head is the same whatever the backbone's weights are
        initialise(self.backbone, generator)

    def standardise_maps(self, normals: list[Tensor]) -> None:
        self.scorer.standardise.fit(normals)


class PooledDetector(Detector):
    """A method on the mean of ResNet-18's map, its channels standardised in the frozen lane; subclasses add what they
    make of it."""

    pools = "mean"

    def __init__(self, generator: torch.Generator, *, stage: int = 4):
        super().__init__()
        self.generator = generator
        self.backbone = build_backbone("resnet18", stage)
        self.standardise = Standardise(self.backbone.channels)
        initialise(self.backbone, generator)

    def standardise_maps(self, normals: list[Tensor]) -> None:
        self.standardise.fit(normals)

    def pooled(self, maps: list[Tensor]) -> Tensor:
        """The standardised map averaged over its cells: one map (N,C,h,w) -> (N,C)."""
        return self.standardise(maps[0].float().mean(dim=(2, 3), keepdim=True)).flatten(1)
