"""MINNS: multiple-instance networks with deep supervision (Wang et al. 2018) on DevNet's backbone."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from devnetlib.backbones import build_backbone
from devnetlib.deviation import check_shapes
from devnetlib.methods.detector import Detector
from devnetlib.network import STAGE_CHANNELS, Standardise, Tap, cells_of, initialise

POOLINGS = ("max", "mean", "lse")


def mil_pool(cells: Tensor, pooling: str = "max") -> Tensor:
    """One vector a bag from its instances: (N,P,C) -> (N,C) by maximum, mean, or log of the mean exponential."""
    if pooling == "max":
        return cells.amax(dim=1)
    if pooling == "mean":
        return cells.mean(dim=1)
    return torch.logsumexp(cells, dim=1) - math.log(cells.shape[1])


class Level(nn.Module):
    """One supervised level: a map is standardised, its cells are pooled, and one linear unit a head gives a logit."""

    def __init__(self, channels: int, heads: int, pooling: str):
        super().__init__()
        self.standardise, self.pooling = Standardise(channels), pooling
        self.unit = skip_init(nn.Linear, channels, heads)

    def forward(self, maps: Tensor) -> Tensor:
        """(N,C,h,w) -> (N,heads)."""
        return self.unit(mil_pool(cells_of(self.standardise(maps)), self.pooling))


class Minns(Detector):
    """MI-Net with deep supervision: a bag is an image, its instances are the cells of the maps of several stages.

    Each stage has a classifier of its own on the pooled cells; the loss is the sum of their cross-entropies, the score
    the mean of their probabilities. The authors learn from vectors and know no images; the paper says only that the
    layers are intermediate and last ones. Options: `stages`, those of ResNet-18 that are supervised, finer maps
    averaged onto the cells of the last one; `pooling` of the cells, max, mean or lse; `heads` as in `DevNet`.
    """

    def __init__(self, generator: torch.Generator, *, stages: str = "2,3,4", pooling: str = "max", heads: int = 1):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r}: expected one of {', '.join(POOLINGS)}")
        self.supervised = stage_numbers(stages)
        self.pools = pooling if pooling in ("max", "mean") else ""  # standardising first changes neither
        self.levels = nn.ModuleList(Level(STAGE_CHANNELS[stage], heads, pooling) for stage in self.supervised)
        self.backbone = build_backbone("resnet18", self.supervised[-1])
        initialise(self.levels, generator)
        initialise(self.backbone, generator)

    @property
    def taps(self) -> list[Tap]:
        return [Tap(0, stage, self.supervised[-1]) for stage in self.supervised]

    def standardise_maps(self, normals: list[Tensor]) -> None:
        for level, maps in zip(self.levels, normals, strict=True):
            level.standardise.fit([maps])

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Logits of every level, (N,heads,levels)."""
        return torch.stack([level(tap) for level, tap in zip(self.levels, maps, strict=True)], dim=2)

    def score(self, maps: list[Tensor]) -> Tensor:
        """Probabilities (N,), averaged over levels and heads."""
        return self.outputs(maps).sigmoid().mean(dim=(1, 2))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Sum over the levels of the mean cross-entropy: logits (N,levels), labels (N,) -> scalar."""
        check_shapes(logits[:, 0], labels)
        wanted = labels.to(logits.dtype)[:, None].expand_as(logits)
        return logits.shape[1] * F.binary_cross_entropy_with_logits(logits, wanted)


def stage_numbers(text: str) -> list[int]:
    """'2,3,4' as ascending numbers of stages; ValueError for anything else."""
    numbers = [int(word) if word.strip().isdigit() else 0 for word in text.split(",")]
    if numbers != sorted(set(numbers)) or not set(numbers) <= set(STAGE_CHANNELS):
        raise ValueError(f"stages {text!r}: expected ascending numbers between 1 and 4, such as 2,3")
    return numbers
