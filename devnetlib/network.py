"""The model: backbone -> feature maps -> patch scores -> top-K score (paper Eqs. 1-3 and 6).

    images (N,3,H,W) --pyramid--> one copy a scale --ResNet18--> maps (N,C,h,w) --PatchScorer--> (N,heads,P)
        --top_k_mean--> (N,heads) --mean over scales and heads--> scores (N,)

Larger scores mean more anomalous. Every random number comes from the generator handed to `initialise`.
"""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

STAGE_CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512}
TOP_K = 0.1  # Sec. 4.4: the share of patches that make the image's score


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias, not yet initialised (so that building a network draws no random number)."""
    return skip_init(nn.Conv2d, inputs, outputs, size, stride=stride, padding=size // 2, bias=False)


def in_single_precision(images: Tensor) -> AbstractContextManager:
    """A stretch that computes in single precision under autocast, too: a first convolution with its normalisation.

    Half precision rounds images as coarsely as their grey levels lie apart. On grey images that is all that the filters
    for colour see, and the normalisation of a batch magnifies it.
    """
    return nullcontext() if images.is_meta else torch.autocast(images.device.type, enabled=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, Fig. 5 left); attribute names are torchvision's."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = conv(inputs, outputs, 3, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv(outputs, outputs, 3)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)).add_(shortcut), inplace=True)


class ResNet18(nn.Module):
    """ResNet-18 without pooling and classifier, cut after `stage` (1-4): images (N,3,H,W) -> maps (N,C,h,w).

    The stride is 16 at stage 3 (C = 256; 224 px give 14x14) and 32 at stage 4 (C = 512; 448 px give 14x14). Keys and
    outputs equal torchvision's, which is not imported because that alone takes seconds.
    """

    def __init__(self, stage: int = 4):
        super().__init__()
        if stage not in STAGE_CHANNELS:
            raise ValueError(f"stage {stage}: expected one of {sorted(STAGE_CHANNELS)}")
        self.conv1 = conv(3, 64, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(64)
        self.stages, self.channels = range(1, stage + 1), STAGE_CHANNELS[stage]
        for number in self.stages:
            inputs, outputs = STAGE_CHANNELS[max(number - 1, 1)], STAGE_CHANNELS[number]
            blocks = BasicBlock(inputs, outputs, stride=1 if number == 1 else 2), BasicBlock(outputs, outputs, stride=1)
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """The map after each stage, by its number."""
        with in_single_precision(images):
            x = F.max_pool2d(self.bn1(self.conv1(images)), kernel_size=3, stride=2, padding=1)
        x = F.relu(x, inplace=True)  # after the pooling it is the same, and a quarter of the work
        found = {}
        for number in self.stages:
            found[number] = x = self.get_submodule(f"layer{number}")(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[self.stages[-1]]


def cells_of(maps: Tensor) -> Tensor:
    """The cells of a map in rows: (N,C,h,w) -> (N,P,C); a view where the memory is channels-last."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


class Standardise(nn.Module):
    """Give each channel of a map mean 0 and standard deviation 1 over the training normals.

    The identity until `fit` is called, which only the frozen lane does: a frozen backbone cannot rescale its channels
    itself.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def fit(self, maps: list[Tensor]) -> None:
        """Take the statistics from all maps (N,C,h,w) of training normals; channels that never vary keep scale 1."""
        total, squares, count = 0.0, 0.0, 0
        for part in (part for scale in maps for part in scale.split(128)):  # all at once would need gigabytes
            cells = cells_of(part.float()).flatten(0, 1)
            total = total + cells.sum(dim=0).double()
            squares = squares + cells.square().sum(dim=0).double()
            count += len(cells)
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-6, std, 1.0))

    def forward(self, maps: Tensor) -> Tensor:
        """(N,C,h,w) -> (N,C,h,w)."""
        return (maps - self.mean[:, None, None]) / self.std[:, None, None]


class PatchScorer(nn.Module):
    """One linear unit on every cell of a standardised map (Eq. 2): (N,C,h,w) -> patch scores (N,heads,P) with P = h w.

    The paper has one head. Several are the same unit from several initialisations, trained side by side, their image
    scores averaged: this makes short trainings repeatable.
    """

    def __init__(self, channels: int, heads: int = 1):
        super().__init__()
        self.standardise = Standardise(channels)
        self.unit = skip_init(nn.Linear, channels, heads)

    def on_raw_maps(self) -> tuple[Tensor, Tensor]:
        """Weight (heads,C) and bias (heads,) of the same unit on maps that are not standardised."""
        # w (x - m) / s + b = (w / s) x + (b - (w / s) m): scaling the few weights spares scaling every map
        weight = self.unit.weight / self.standardise.std
        return weight, self.unit.bias - weight @ self.standardise.mean

    def forward(self, maps: Tensor) -> Tensor:
        return F.linear(cells_of(maps), *self.on_raw_maps()).transpose(1, 2)


def top_k_mean(patch_scores: Tensor, share: float = TOP_K) -> Tensor:
    """Mean of the K largest patch scores (Eq. 6): (...,P) -> (...), K = max(1, floor(share * P)), 0 < share <= 1."""
    return patch_scores.topk(largest_kept(share, patch_scores.shape[-1]), dim=-1).values.mean(dim=-1)


def largest_kept(share: float, patches: int) -> int:
    """K: how many of the patch scores make the image's score."""
    check_share(share)
    return max(1, math.floor(share * patches + 1e-9))


def check_share(share: float) -> None:
    """Raise ValueError unless 0 < share <= 1."""
    if not 0 < share <= 1:
        raise ValueError(f"top_k {share}: expected a share of the patches in (0, 1]")


def pyramid(images: Tensor, n_scales: int) -> list[Tensor]:
    """The images and `n_scales - 1` copies, each half the size of the one before: (N,3,H,W), (N,3,H/2,W/2), ...

    Nearest-neighbour halving, as in the authors' repository; the paper itself mentions no pyramid.
    """
    sizes = [tuple(side // 2**level for side in images.shape[-2:]) for level in range(n_scales)]
    return [images if level == 0 else F.interpolate(images, size=size) for level, size in enumerate(sizes)]


class Tap(NamedTuple):
    """A map that a detector reads: of which level of the pyramid (0: the image itself), after which stage of the
    backbone, on the cells of which stage (a finer map is averaged onto them)."""

    scale: int
    stage: int
    grid: int


def tapped(backbone: nn.Module, images: Tensor, taps: Iterable[Tap]) -> list[Tensor]:
    """The maps (N,C,h,w) at `taps`, for images (N,3,H,W); every level of the pyramid passes the backbone once."""
    taps = list(taps)
    scaled = pyramid(images, 1 + max(tap.scale for tap in taps))
    maps = {scale: backbone.maps(scaled[scale]) for scale in {tap.scale for tap in taps}}
    return [F.avg_pool2d(maps[tap.scale][tap.stage], 2 ** (tap.grid - tap.stage)) for tap in taps]


class TopKNetwork(nn.Module):
    """DevNet's network, images (N,3,H,W) -> scores (N,); `signed=False` takes the absolute value of the patch scores
    first.

    The absolute value is the authors' repository's, not the paper's: with it no image can score below 0. `backbone`
    turns images into a map of `backbone.channels` channels; the paper's is `ResNet18()`.
    """

    def __init__(
        self, backbone: nn.Module, n_scales: int = 2, top_k: float = TOP_K, signed: bool = False, heads: int = 1
    ):
        super().__init__()
        if not 1 <= n_scales <= 4 or heads < 1:
            raise ValueError(f"n_scales {n_scales}, heads {heads}: expected 1 to 4 scales and at least 1 head")
        check_share(top_k)
        self.n_scales, self.top_k, self.signed = n_scales, top_k, signed
        self.backbone = backbone
        self.scorer = PatchScorer(backbone.channels, heads)

    def features(self, images: Tensor) -> list[Tensor]:
        """Images (N,3,H,W), normalised -> one map (N,C,h,w) a scale."""
        return [self.backbone(scaled) for scaled in pyramid(images, self.n_scales)]

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Image scores of every head: one map a scale -> (N,heads), averaged over the scales."""
        scores = [self.scorer(scale) for scale in maps]
        return torch.stack([top_k_mean(s if self.signed else s.abs(), self.top_k) for s in scores]).mean(dim=0)

    def score(self, maps: list[Tensor]) -> Tensor:
        """Image scores (N,): the mean over the heads."""
        return self.outputs(maps).mean(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.score(self.features(images))


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights of a network from `generator`, in the order of its modules.

    Convolutions as in He et al. (2015, fan out), normalisation layers as the identity, linear units uniform within
    1/sqrt(fan in): the defaults under which torchvision and the authors' repository start.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        elif isinstance(layer, nn.Linear):
            bound = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
