"""The loop that everyone writes, beside which `bench` times ours: image files opened by two workers of a DataLoader,
torchvision's transforms and ResNet-18, single precision, a loss read at every update."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet18

from devnetlib.data.batches import IMAGENET_MEAN, IMAGENET_STD
from devnetlib.deviation import deviation_loss, reference_scores
from devnetlib.network import TOP_K
from devnetlib.study.runs import Training

WORKERS = 2


class Files(Dataset):
    """Image files with their labels, opened and transformed whenever one is asked for."""

    def __init__(self, files: Sequence[Path], labels: Sequence[int], transform: transforms.Compose):
        self.files, self.labels, self.transform = files, labels, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[Tensor, float]:
        return self.transform(Image.open(self.files[place]).convert("RGB")), float(self.labels[place])


def transform(pixels: int, rotation: float) -> transforms.Compose:
    """Resize, rotate where `rotation` is above 0, and normalise: file -> (3,H,W)."""
    turn = [transforms.RandomRotation(rotation)] if rotation else []
    last = [transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    return transforms.Compose([transforms.Resize((pixels, pixels)), *turn, *last])


def network() -> nn.Module:
    """torchvision's ResNet-18 up to its last map, and a 1x1 convolution that scores the cells."""
    layers = list(resnet18().children())[:-2]
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 1))


def scores_of(model: nn.Module, images: Tensor) -> Tensor:
    """Images (N,3,H,W) -> mean of the largest tenth of the cells' absolute scores (N,)."""
    cells = model(images).flatten(1).abs()
    return cells.topk(max(1, int(TOP_K * cells.shape[1])), dim=1).values.mean(dim=1)


class Endless:
    """Batches of places without an end, as a `batch_sampler`: `choose` gives the batch of a number."""

    def __init__(self, choose: Callable[[int], list[int]]):
        self.choose = choose

    def __iter__(self) -> Iterator[list[int]]:
        return map(self.choose, count())


def balanced(labels: Sequence[int], batch: int) -> Endless:
    """Half of a batch of label 0 and half of label 1, drawn with replacement."""
    sides, rng = [np.flatnonzero(np.asarray(labels) == label) for label in (0, 1)], np.random.default_rng(0)
    return Endless(lambda _: np.concatenate([rng.choice(side, batch // 2) for side in sides]).tolist())


def in_order(images: int, batch: int) -> Endless:
    """One place after another, from the first again after the last."""
    return Endless(lambda number: [place % images for place in range(number * batch, (number + 1) * batch)])


def loader(images: Files, batches: Endless) -> DataLoader:
    """A loader whose workers open the files of one batch after another, two batches ahead each."""
    return DataLoader(images, batch_sampler=batches, num_workers=WORKERS)


class PlainLoop:
    """The loop over the files that are trained on and those that are tested, kept between the stretches that are
    timed."""

    def __init__(self, known: Files, tested: Files, training: Training, device: torch.device):
        self.known, self.tested, self.training, self.device = known, tested, training, device
        self.model = network().to(device)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )
        self.reference = torch.Generator().manual_seed(0)

    @cached_property
    def batches(self) -> Iterator[list[Tensor]]:
        return iter(loader(self.known, balanced(self.known.labels, self.training.batch)))

    @cached_property
    def evaluated(self) -> Iterator[list[Tensor]]:
        return iter(loader(self.tested, in_order(len(self.tested), self.training.batch)))

    def train(self, updates: int) -> None:
        """Make so many updates."""
        self.model.train()
        for _ in range(updates):
            images, labels = next(self.batches)
            scores = scores_of(self.model, images.to(self.device))
            reference = reference_scores(self.reference).to(self.device)
            loss = deviation_loss(scores, labels.float().to(self.device), reference)
            self.optimiser.zero_grad()
            loss.backward()
            if self.training.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip)
            self.optimiser.step()
            loss.item()

    @torch.no_grad()
    def score(self, batches: int) -> np.ndarray:
        """Score so many batches; the scores."""
        self.model.eval()
        parts = (next(self.evaluated)[0].to(self.device) for _ in range(batches))
        return np.concatenate([scores_of(self.model, images).cpu().numpy() for images in parts])
