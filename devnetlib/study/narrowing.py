"""A narrow ResNet-18 as near to a teacher as closed forms bring it: where the training of the embedded trunk begins.

What a convolution and its batch normalisation put out is kept within its leading principal components over some images
(Zhang et al. 2016 call it response reconstruction): the narrow convolution computes these, the 1x1 one puts them back.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from devnetlib.embedded.network import Narrow, NarrowResNet18
from devnetlib.network import BasicBlock, ResNet18

AT_ONCE = 8  # images
Pair = tuple[nn.Conv2d, nn.BatchNorm2d, Narrow | nn.Conv2d]


def pairs_of(teacher: ResNet18, student: NarrowResNet18) -> Iterator[Pair]:
    """Every convolution of the teacher with its normalisation and what stands in their place."""
    yield teacher.conv1, teacher.bn1, student.conv1
    for name, block in teacher.named_modules():
        if isinstance(block, BasicBlock):
            other = student.get_submodule(name)
            yield block.conv1, block.bn1, other.conv1
            yield block.conv2, block.bn2, other.conv2
            if block.downsample is not None:
                yield *block.downsample, other.downsample


@torch.no_grad()
def narrow(teacher: ResNet18, student: NarrowResNet18, images: Tensor) -> None:
    """Fill the student from the teacher and its responses to images (N,3,H,W)."""
    pairs = list(pairs_of(teacher, student))
    products = responses([convolution for convolution, _, _ in pairs], teacher.eval(), images)
    for convolution, norm, target in pairs:
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        weight, bias = scale[:, None, None, None] * convolution.weight, norm.bias - scale * norm.running_mean
        if isinstance(target, Narrow):
            fill(target, weight, bias, scale, *statistics(products[convolution]))
        else:
            target.weight.copy_(weight)
            target.bias.copy_(bias)


def responses(convolutions: list[nn.Conv2d], network: nn.Module, images: Tensor) -> dict[nn.Conv2d, Tensor]:
    """For every convolution the sum over all cells of the products (C+1,C+1) of a 1 and its C responses."""
    products: dict[nn.Conv2d, Tensor] = {}

    def note(convolution: nn.Conv2d, _: object, response: Tensor) -> None:
        cells = response.transpose(0, 1).flatten(1).double()
        both = torch.cat([torch.ones_like(cells[:1]), cells])
        products[convolution] = products.get(convolution, 0) + both @ both.T

    hooks = [convolution.register_forward_hook(note) for convolution in convolutions]
    for part in images.split(AT_ONCE):
        network(part)
    for hook in hooks:
        hook.remove()
    return products


def statistics(products: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C,C) from such a sum (C+1,C+1)."""
    means = products / products[0, 0]
    return means[0, 1:], means[1:, 1:] - means[1:, :1] * means[:1, 1:]


def fill(target: Narrow, weight: Tensor, bias: Tensor, scale: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """A narrow convolution from one with these weights (O,I,h,w) and bias (O,), whose responses before `scale` (O,)
    have this mean (O,) and covariance (O,O)."""
    width = target.reduce.out_channels
    leading = torch.linalg.eigh(scale[:, None] * covariance * scale).eigenvectors[:, -width:]  # (O,width)
    centre = scale * mean + bias
    target.reduce.weight.copy_(torch.einsum("or,oihw->rihw", leading, weight))
    target.expand.weight.copy_(leading[:, :, None, None])
    target.expand.bias.copy_(leading @ (leading.T @ (bias - centre)) + centre)
