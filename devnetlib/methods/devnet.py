"""DevNet: top-K patch scores under the deviation loss (Pang et al. 2021), and the variants of its Table V."""

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from devnetlib.deviation import MARGIN, REFERENCE_SIZE, check_shapes, deviation, deviation_loss, reference_scores
from devnetlib.methods.detector import PooledDetector, TopKDetector
from devnetlib.network import TOP_K, initialise


class DevNet(TopKDetector):
    """The paper's method with the released code's choices as defaults.

    Options: `backbone`, a name of `devnetlib.backbones`; its `stage` whose map is scored (1-4); `n_scales` of the
    image pyramid; `top_k`, the share of patches in the image's score; `margin` of the loss, in reference standard
    deviations; `signed`, the paper's Eq. 6 without the absolute value of the released code; `heads`, initialisations
    trained side by side and averaged.
    """

    def __init__(
        self,
        generator: torch.Generator,
        *,
        backbone: str = "resnet18",
        stage: int = 4,
        n_scales: int = 2,
        top_k: float = TOP_K,
        margin: float = MARGIN,
        signed: bool = False,
        heads: int = 1,
    ):
        network = {"n_scales": n_scales, "top_k": top_k, "signed": signed, "heads": heads}
        super().__init__(generator, backbone=backbone, stage=stage, **network)
        self.margin = checked_margin(margin)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Deviation loss (Eq. 8) against 5,000 reference scores drawn anew at each call."""
        self.generator = on_device_of(scores, self.generator)
        return deviation_loss(scores, labels, reference_scores(self.generator), self.margin)


class Ds(DevNet):
    """DS of Table V: the score of an image is the mean of its signed patch scores, without top-K.

    A linear unit commutes with the mean, so this is the pooled map under one linear unit; the released code's
    `--topk 0`. Options as in `DevNet`.
    """

    network = "resnet18"

    def __init__(
        self,
        generator: torch.Generator,
        *,
        stage: int = 4,
        n_scales: int = 2,
        margin: float = MARGIN,
        heads: int = 1,
    ):
        mean = {"top_k": 1.0, "signed": True}
        super().__init__(
            generator, backbone=self.network, stage=stage, n_scales=n_scales, margin=margin, heads=heads, **mean
        )


class DsAlexNet(Ds):
    """DS on AlexNet (Table V). Options as in `Ds`; stage 4 is all of AlexNet's `features`."""

    network = "alexnet"


class DsResNet50(Ds):
    """DS on ResNet-50 (Table V). Options as in `Ds`."""

    network = "resnet50"


class PatchDs(Ds):
    """Patch-DS of Table V: every patch is trained on the label of its image; the image's score is their mean.

    The patches of all scales count alike. Options as in `Ds`.
    """

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Scores of every patch, (N,heads,P)."""
        return torch.cat([self.scorer(scale) for scale in maps], dim=2)

    def score(self, maps: list[Tensor]) -> Tensor:
        return self.outputs(maps).mean(dim=(1, 2))

    def loss(self, patch_scores: Tensor, labels: Tensor) -> Tensor:
        """Mean over the patches (N,P) of the deviation loss, every patch under the label of its image."""
        check_shapes(patch_scores[:, 0], labels)
        return super().loss(patch_scores.flatten(), labels.repeat_interleave(patch_scores.shape[1]))


class Rep(PooledDetector):
    """Rep of Table V: no score layer; the representation itself is to deviate from a multivariate reference.

    The reference is 5,000 draws of a multivariate standard Gaussian, and the deviation of an image the mean over the
    coordinates of their absolute deviations: the paper leaves the norm open. Options: `stage` and `margin` as in
    `DevNet`; `projection`, the coordinates of a linear layer without bias that stands for the representation where the
    backbone is frozen; 0, the default, takes the pooled map itself.
    """

    def __init__(self, generator: torch.Generator, *, stage: int = 4, projection: int = 0, margin: float = MARGIN):
        super().__init__(generator, stage=stage)
        self.margin = checked_margin(margin)
        self.projection = nn.Identity()
        if projection:
            self.projection = skip_init(nn.Linear, self.backbone.channels, projection, bias=False)
            initialise(self.projection, generator)

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """The representation under its one head, (N,1,d)."""
        return self.projection(self.pooled(maps))[:, None]

    def score(self, maps: list[Tensor]) -> Tensor:
        """Mean absolute coordinate (N,): the deviation from a reference of mean 0 and standard deviation 1."""
        return self.outputs(maps)[:, 0].abs().mean(dim=1)

    def loss(self, representation: Tensor, labels: Tensor) -> Tensor:
        """Representation (N,d) and labels (N,) -> scalar: Eq. 8 with the mean absolute deviation for |dev|."""
        self.generator = on_device_of(representation, self.generator)
        reference = reference_scores(self.generator, (REFERENCE_SIZE, representation.shape[1]))
        deviates = deviation(representation, reference).abs().mean(dim=1)
        check_shapes(deviates, labels)
        return torch.where(labels > 0, (self.margin - deviates).clamp(min=0), deviates).mean()


def on_device_of(scores: Tensor, generator: torch.Generator) -> torch.Generator:
    """The generator, or one that it seeds where the scores are on another device: to copy each draw of reference scores
    to a GPU would wait for it at every update. The draws of a GPU are others than those of a processor."""
    if generator.device.type == scores.device.type:
        return generator
    seed = torch.randint(2**62, (), generator=generator).item()
    return torch.Generator(scores.device).manual_seed(seed)


def checked_margin(margin: float) -> float:
    """The margin, or ValueError unless it is a finite number above 0."""
    if not 0 < margin < float("inf"):
        raise ValueError(f"margin {margin}: expected a number above 0")
    return margin
