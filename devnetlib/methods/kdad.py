"""KDAD: a small student imitates a pretrained teacher on normal images; where it fails, the image is anomalous
(Salehi et al. 2021). No label is used."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from devnetlib.backbones import build_backbone
from devnetlib.deviation import check_shapes
from devnetlib.methods.detector import Detector
from devnetlib.network import cells_of, initialise

POOL = 0  # a layer of the student: 2x2 maximum, after which it is compared where the teacher has a map of that size
STUDENTS = {
    "vgg16": (16, 16, POOL, 16, 128, POOL, 16, 16, 256, POOL, 16, 16, 512, POOL, 16, 16, 512, POOL),
    "resnet18": (16, 16, POOL, 16, 64, POOL, 16, 16, 128, POOL, 16, 16, 256, POOL),
}
STAGES = {"vgg16": (1, 2, 3, 4), "resnet18": (1, 2, 3)}  # of the teacher; VGG-16's are its pools 2 to 5
MSE_WEIGHT = 0.01


class Student(nn.Module):
    """3x3 convolutions without biases; each followed by batch normalisation, but for the last one before a pool."""

    def __init__(self, layers: Sequence[int], compared: int):
        super().__init__()
        self.layers, inputs, self.ends = nn.ModuleList(), 3, []
        for outputs, after in zip(layers, (*layers[1:], POOL), strict=True):
            if outputs == POOL:
                self.layers.append(nn.MaxPool2d(2))
                self.ends.append(len(self.layers) - 1)
                continue
            convolution = skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, bias=False)
            self.layers.append(
                nn.Sequential(convolution, *[nn.BatchNorm2d(outputs)] * (after != POOL), nn.ReLU(inplace=True))
            )
            inputs = outputs
        self.ends = self.ends[-compared:]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N,3,H,W) -> the maps that are compared, finest first."""
        found = []
        for index, layer in enumerate(self.layers):
            images = layer(images)
            if index in self.ends:
                found.append(images)
        return found


def discrepancy(student: Tensor, teacher: Tensor, mse_weight: float = MSE_WEIGHT) -> Tensor:
    """How far two maps (N,C,h,w) of each image differ, (N,): 1 - cosine of the flattened maps, and their mean squared
    difference with a weight. 0 where they are equal."""
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)}: both must be (N,C,h,w)")
    student, teacher = (cells_of(maps).flatten(1) for maps in (student, teacher))  # in the order of the memory
    return 1 - F.cosine_similarity(student, teacher, dim=1) + mse_weight * (student - teacher).square().mean(dim=1)


class Kdad(Detector):
    """Multiresolution knowledge distillation: the score is the student's discrepancy from its teacher.

    The finest map is compared in training and left out of the score, as in the authors' code. Options: `teacher`, vgg16
    on images that are not normalised, as the authors have it, or resnet18 (layers 1-3, normalised images, a student of
    the same design) where no weights of VGG-16 are at hand; `mse_weight`, the authors' lambda: 0.01, on MVTec 0.5.
    `released` takes as many updates as 601 epochs of a subset of MVTec; `quick` and `laptop` are much shorter.
    """

    uses_labels = False
    schedule: ClassVar = {
        "": {
            "trains": "own",
            "pixels": 128,
            "rotation": 0.0,
            "clip": 0.0,
            "batch": 64,
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "updates": 2404,
            "decay_at": (),
        },
        "smoke": {"pixels": 64, "updates": 4, "batch": 16},
        "quick": {"updates": 100, "batch": 32},
        "laptop": {"updates": 400},
    }

    def __init__(self, generator: torch.Generator, *, teacher: str = "vgg16", mse_weight: float = MSE_WEIGHT):
        super().__init__()
        if teacher not in STUDENTS:
            raise ValueError(f"teacher {teacher!r}: expected one of {', '.join(STUDENTS)}")
        if not 0 <= mse_weight < float("inf"):
            raise ValueError(f"mse_weight {mse_weight}: expected a number of at least 0")
        self.raw, self.mse_weight, self.stages = teacher == "vgg16", mse_weight, STAGES[teacher]
        self.student = Student(STUDENTS[teacher], len(self.stages))
        self.backbone = build_backbone(teacher, self.stages[-1])
        self.backbone.requires_grad_(False)
        initialise(self.student, generator)
        for layer in self.student.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
        initialise(self.backbone, generator)

    def train(self, mode: bool = True) -> "Kdad":
        """As any module, but the teacher never trains: its batch statistics stay."""
        super().train(mode)
        self.backbone.eval()
        return self

    def features(self, images: Tensor) -> list[Tensor]:
        """Images (N,3,H,W) -> maps of the teacher, then those of the student, finest first."""
        maps = self.backbone.maps(images)
        return [*(maps[stage] for stage in self.stages), *self.student(images)]

    def discrepancies(self, maps: list[Tensor]) -> Tensor:
        """Of every compared pair of maps, finest first: (N,pairs)."""
        count = len(self.stages)
        pairs = zip(maps[count:], maps[:count], strict=True)
        return torch.stack([discrepancy(student, teacher, self.mse_weight) for student, teacher in pairs], dim=1)

    def score(self, maps: list[Tensor]) -> Tensor:
        """Discrepancies (N,), >= 0, summed over all maps but the finest."""
        return self.discrepancies(maps)[:, 1:].sum(dim=1)

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Discrepancies summed over all maps, (N,1)."""
        return self.discrepancies(maps).sum(dim=1, keepdim=True)

    def loss(self, discrepancies: Tensor, labels: Tensor) -> Tensor:
        """Their mean over the normal images; both (N,)."""
        check_shapes(discrepancies, labels)
        return discrepancies[labels == 0].mean()
