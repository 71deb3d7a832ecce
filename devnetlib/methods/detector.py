"""The contract of every method: images or maps go in, one score an image comes out, larger = more anomalous."""

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from devnetlib.network import ResNet18, TopKNetwork, initialise


class Detector(nn.Module):
    """What `study` asks of a method. Subclasses are complete after `__init__(generator, **options)`.

    Class facts:
        uses_labels: whether training sees the labelled anomalies.
        needs_normals: whether `prepare` wants the training normals' maps.
        schedule: fields of `Training` that the method's authors prescribe whatever the profile says.
    A method on a backbone has it as the attribute `backbone`; the frozen lane caches what `features` returns.
    """

    uses_labels: ClassVar[bool] = True
    needs_normals: ClassVar[bool] = False
    schedule: ClassVar[dict[str, Any]] = {}
    backbone: ResNet18

    def features(self, images: Tensor) -> list[Tensor]:
        """Normalised images (N,3,H,W) -> list of maps (N,C,h,w), one a tap."""
        raise NotImplementedError

    def score(self, maps: list[Tensor]) -> Tensor:
        """Maps of N images -> scores (N,)."""
        raise NotImplementedError

    def head_scores(self, maps: list[Tensor]) -> Tensor:
        """Scores of heads that are trained side by side, (N,heads); one head unless a method has more."""
        return self.score(maps)[:, None]

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Scores and labels (N,) of one head -> scalar to be minimised."""
        raise NotImplementedError

    def standardise_maps(self, normals: list[Tensor]) -> None:
        """Frozen lane only: take channel statistics from the maps (N,C,h,w) of the training normals."""

    def prepare(self, normals: list[Tensor]) -> None:
        """Called before training with the maps (N,C,h,w) of the training normals, if `needs_normals`."""

    @property
    def taps(self) -> list[tuple[int, int]]:
        """The (scale, stage) of each map that `features` returns; scale 0 is the full image, 1 its half, ..."""
        return [(scale, self.backbone.stages[-1]) for scale in range(getattr(self, "n_scales", 1))]

    def forward(self, images: Tensor) -> Tensor:
        return self.score(self.features(images))

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Names and defaults of the keyword options."""
        parameters = inspect.signature(cls.__init__).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


class TopKDetector(TopKNetwork, Detector):
    """DevNet's network (`devnetlib.network.TopKNetwork`) under the contract; subclasses add a loss."""

    def __init__(self, generator: torch.Generator, **network: Any):
        super().__init__(**network)
        self.generator = generator
        initialise(
            self.scorer, generator
        )  # before the backbone: the head is the same whatever the backbone's weights are
        initialise(self.backbone, generator)

    def standardise_maps(self, normals: list[Tensor]) -> None:
        self.scorer.standardise.fit(normals)
