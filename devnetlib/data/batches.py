"""Batches: rows of a bank gathered on the device, and rotated and normalised there."""

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """An array as a tensor on the device; copied from pinned memory to a GPU, so that nobody waits for it."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def gather(bank: Tensor, rows: np.ndarray) -> Tensor:
    """Rows of a bank (N,C,H,W), or of maps (N,h,w,C), where these are. Indexing would copy them number by number."""
    return bank.index_select(0, on_device(rows, bank.device))


def to_unit(images: Tensor) -> Tensor:
    """uint8 -> float in [0, 1], of the same shape."""
    return images.float().div_(255)


@cache
def imagenet_statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """ImageNet's mean and standard deviation (3,1,1), put on the device once: each copy to a GPU would wait for it."""
    with torch.inference_mode(False):  # they outlive whoever asks first, and gradients pass them
        mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        return mean, std


def normalise(images: Tensor) -> Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, channel by channel: (N,1 or 3,H,W) -> (N,3,H,W),
    channels-last."""
    mean, std = imagenet_statistics(images.device)
    return contiguous((images - mean) / std)


def contiguous(images: Tensor) -> Tensor:
    """Images (N,1 or 3,H,W) as (N,3,H,W), channels-last in memory, in which convolutions are fastest."""
    return images.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Rotate each image (N,C,H,W) counter-clockwise about its centre by its own angle (N,).

    Nearest neighbour, the canvas as it was, corners filled with 0: torchvision's `rotate` on tensors, for a whole
    batch. It comes before normalisation, so that the corners are black.
    """
    height, width = images.shape[-2:]
    cells, half = canvas(height, width, images.device)
    angle = degrees.to(images.device, torch.float32) * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    zero = torch.zeros_like(cos)
    theta = torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], dim=1)  # (N,2,3)
    grid = cells @ (theta.transpose(1, 2) / half)
    return F.grid_sample(
        images, grid.view(-1, height, width, 2), mode="nearest", padding_mode="zeros", align_corners=False
    )


@cache
def canvas(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The centres (1,H*W,3) of an image's pixels as x, y and 1, counted from its own centre, and half its width and
    height (2,); put on the device once."""
    with torch.inference_mode(False):  # they outlive whoever asks first
        x = torch.linspace(-width / 2 + 0.5, width / 2 - 0.5, width, device=device).expand(height, width)
        y = torch.linspace(-height / 2 + 0.5, height / 2 - 0.5, height, device=device)[:, None].expand(height, width)
        cells = torch.stack([x, y, torch.ones(height, width, device=device)], dim=-1).view(1, -1, 3)
        return cells, torch.tensor([width / 2, height / 2], device=device)
