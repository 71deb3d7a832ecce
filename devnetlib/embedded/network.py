"""The embedded trunk's network: ResNet-18 up to stage 3 with every convolution made narrow."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from devnetlib.network import STAGE_CHANNELS, conv

LAST_STAGE = 3


class Narrow(nn.Module):
    """A convolution to few channels, and a 1x1 one from these to many: (N,inputs,H,W) -> (N,outputs,h,w)."""

    def __init__(self, inputs: int, width: int, outputs: int, size: int, stride: int = 1):
        super().__init__()
        self.reduce = conv(inputs, width, size, stride)
        self.expand = skip_init(nn.Conv2d, width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(self.reduce(x))


class NarrowBlock(nn.Module):
    """ResNet's basic block of two narrow convolutions; what the batch normalisations did stands in their weights."""

    def __init__(self, inputs: int, width: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = Narrow(inputs, width, outputs, 3, stride)
        self.conv2 = Narrow(outputs, width, outputs, 3)
        self.downsample = skip_init(nn.Conv2d, inputs, outputs, 1, stride=stride) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.conv1(x), inplace=True)
        return F.relu(self.conv2(x).add_(shortcut), inplace=True)


class NarrowResNet18(nn.Module):
    """ResNet-18 cut after `stage` (1-3), narrow inside: its maps have the same channels, grids and range as the
    original's, images (N,3,H,W) -> maps (N,C,h,w). There is no stage 4."""

    WIDTHS: ClassVar = {0: 16, 1: 24, 2: 48, 3: 128}  # of the stem (0) and of each stage, inside its blocks
    architecture = "embedded"

    def __init__(self, stage: int = LAST_STAGE):
        super().__init__()
        if not 1 <= stage <= LAST_STAGE:
            raise ValueError(f"stage {stage} of the embedded trunk: expected 1 to {LAST_STAGE}")
        self.conv1 = Narrow(3, self.WIDTHS[0], STAGE_CHANNELS[1], 7, stride=2)
        self.stages, self.channels = range(1, stage + 1), STAGE_CHANNELS[stage]
        for number in self.stages:
            inputs, outputs, width = STAGE_CHANNELS[max(number - 1, 1)], STAGE_CHANNELS[number], self.WIDTHS[number]
            first = NarrowBlock(inputs, width, outputs, stride=1 if number == 1 else 2)
            self.add_module(f"layer{number}", nn.Sequential(first, NarrowBlock(outputs, width, outputs, stride=1)))

    def maps(self, images: Tensor) -> dict[int, Tensor]:
        """The map after each stage, by its number."""
        x = F.max_pool2d(self.conv1(images), kernel_size=3, stride=2, padding=1)
        x = F.relu(x, inplace=True)  # after the pooling it is the same, and a quarter of the work
        found = {}
        for number in self.stages:
            found[number] = x = self.get_submodule(f"layer{number}")(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[self.stages[-1]]
