"""nearest: how far the patches of an image lie from every normal patch seen; no label is used."""

import torch
from torch import Tensor

from devnetlib.backbones import build_backbone
from devnetlib.methods.detector import Detector
from devnetlib.methods.mahalanobis import CLOSED_FORM
from devnetlib.network import STAGE_CHANNELS, TOP_K, Standardise, Tap, cells_of, check_share, initialise, top_k_mean

STAGES = (2, 3)


def greedy_coreset(points: Tensor, size: int, start: int = 0) -> Tensor:
    """Rows of `points` (M,C) that cover it: beginning with `start`, always the point farthest from those chosen
    (Sener and Savarese 2018). Returns row numbers (min(size, M),)."""
    squares = points.square().sum(dim=1)

    def squared_distances(row: int) -> Tensor:  # in one product with the points as they stand; `cdist` copies them
        return squares + squares[row] - 2 * (points @ points[row])

    chosen = [start]
    away = squared_distances(start)
    for _ in range(min(size, len(points)) - 1):
        chosen.append(int(away.argmax()))
        away = torch.minimum(away, squared_distances(chosen[-1]))
    return torch.tensor(chosen)


class Nearest(Detector):
    """Distance to the nearest normal patch, in the manner of PatchCore (Roth et al. 2022) on layers 2 and 3.

    A patch is a cell of layer 3 beside the layer-2 cells averaged onto it; a greedy coreset of the training normals'
    patches is kept, chosen among a random `pool` of them. The image's score is the mean over its `top_k` farthest
    patches, as in DevNet, so that the two differ in what they learn and not in how patches are joined; PatchCore takes
    the farthest one, smooths the maps over neighbouring cells, and reweights. Nothing is trained. Options: `coreset`,
    the patches kept; `pool`; `top_k` as in `DevNet`.
    """

    uses_labels = False
    prepares = True
    schedule = CLOSED_FORM

    def __init__(self, generator: torch.Generator, *, coreset: int = 1000, pool: int = 20000, top_k: float = TOP_K):
        super().__init__()
        check_share(top_k)
        if not 1 <= coreset <= pool:
            raise ValueError(f"coreset {coreset}, pool {pool}: expected 1 <= coreset <= pool")
        self.generator, self.pool, self.top_k = generator, pool, top_k
        self.backbone = build_backbone("resnet18", STAGES[-1])
        self.standardise = torch.nn.ModuleList(Standardise(STAGE_CHANNELS[stage]) for stage in STAGES)
        self.register_buffer("kept", torch.zeros(coreset, sum(STAGE_CHANNELS[stage] for stage in STAGES)))
        initialise(self.backbone, generator)

    @property
    def taps(self) -> list[Tap]:
        return [Tap(0, stage, STAGES[-1]) for stage in STAGES]

    def standardise_maps(self, normals: list[Tensor]) -> None:
        for layer, maps in zip(self.standardise, normals, strict=True):
            layer.fit([maps])

    def patches(self, maps: list[Tensor]) -> Tensor:
        """The standardised maps side by side, cell by cell: (N,P,C)."""
        return torch.cat([cells_of(layer(m.float())) for layer, m in zip(self.standardise, maps, strict=True)], dim=2)

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        count = normals[0].shape[0] * normals[0][0, 0].numel()
        drawn = torch.randperm(count, generator=self.generator)[: self.pool].sort().values
        some = drawn_patches(self, normals, drawn)
        kept = some[greedy_coreset(some, len(self.kept))]
        self.kept.copy_(kept[torch.arange(len(self.kept)) % len(kept)])  # fewer patches than places: some stand twice

    def score(self, maps: list[Tensor]) -> Tensor:
        """Mean distance (N,) of the farthest patches, >= 0."""
        patches = self.patches(maps)
        return top_k_mean(torch.cdist(patches, self.kept).amin(dim=2), self.top_k)


def drawn_patches(detector: Nearest, normals: list[Tensor], drawn: Tensor) -> Tensor:
    """The patches with these numbers, (len(drawn),C), a few images at a time: all at once would need gigabytes."""
    found, first = [], 0
    for part in zip(*(maps.split(64) for maps in normals), strict=True):
        patches = detector.patches(list(part)).flatten(0, 1)
        found.append(patches[drawn[(drawn >= first) & (drawn < first + len(patches))] - first])
        first += len(patches)
    return torch.cat(found)
