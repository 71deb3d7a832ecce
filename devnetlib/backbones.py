"""The backbones by name: DevNet's ResNet-18, and torchvision's networks for the rows that ask for another one.

Each is built without weights, cut after a stage, and gives its map after every stage: stage s has the stride
2^(s + 1), as in ResNet. Keys of the state dictionary are torchvision's. torchvision itself takes seconds to import and
is needed for the other networks only.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from devnetlib.network import ResNet18, in_single_precision


class Pooling(nn.Module):
    """AlexNet or VGG-16 without its classifier: a stage ends with the pooling layer that gives it its stride."""

    def __init__(self, name: str, stage: int, ends: dict[int, int], channels: dict[int, int]):
        super().__init__()
        check_stage(name, stage, ends)
        self.stages, self.channels = [number for number in ends if number <= stage], channels[stage]
        self.ends = {ends[number]: number for number in self.stages}
        self.features = bare(name).features[: ends[stage] + 1]

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """The map after each stage, by its number."""
        found = {}
        for index, layer in enumerate(self.features):
            images = layer(images)
            if index in self.ends:
                found[self.ends[index]] = images
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images)


class Residual(nn.Module):
    """ResNet-50 without pooling and classifier."""

    CHANNELS: ClassVar = {1: 256, 2: 512, 3: 1024, 4: 2048}

    def __init__(self, name: str, stage: int):
        super().__init__()
        check_stage(name, stage, self.CHANNELS)
        self.stages, self.channels = range(1, stage + 1), self.CHANNELS[stage]
        whole = bare(name)
        for layer in ("conv1", "bn1", "relu", "maxpool", *(f"layer{number}" for number in self.stages)):
            self.add_module(layer, getattr(whole, layer))

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """The map after each stage, by its number."""
        with in_single_precision(images):
            x, found = self.maxpool(self.relu(self.bn1(self.conv1(images)))), {}
        for number in self.stages:
            found[number] = x = self.get_submodule(f"layer{number}")(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[self.stages[-1]]


def bare(name: str) -> nn.Module:
    """torchvision's network of that name, allocated and not initialised, so that no random number is drawn."""
    from torchvision.models import get_model

    with torch.device("meta"):
        network = get_model(name, weights=None)
    return network.to_empty(device="cpu")


def check_stage(name: str, stage: int, known: dict[int, Any]) -> None:
    """Raise ValueError for a stage that the network does not have."""
    if stage not in known:
        raise ValueError(f"stage {stage} of {name}: expected one of {sorted(known)}")


BACKBONES: dict[str, Callable[[int], nn.Module]] = {
    "resnet18": ResNet18,
    "resnet50": lambda stage: Residual("resnet50", stage),
    "alexnet": lambda stage: Pooling("alexnet", stage, {2: 2, 3: 5, 4: 12}, {2: 64, 3: 192, 4: 256}),
    "vgg16": lambda stage: Pooling("vgg16", stage, {1: 9, 2: 16, 3: 23, 4: 30}, {1: 128, 2: 256, 3: 512, 4: 512}),
}


def build_backbone(name: str, stage: int = 4) -> nn.Module:
    """The network of that name up to `stage`, not initialised; ValueError lists the valid names."""
    if name not in BACKBONES:
        raise ValueError(f"backbone {name!r}: expected one of {', '.join(BACKBONES)}")
    built = BACKBONES[name](stage)
    built.architecture = name
    return built
