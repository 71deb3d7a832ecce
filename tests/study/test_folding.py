"""Detectors whose normalisations are folded away score as they did."""

import pytest
import torch
from torch import nn

from devnetlib.methods import METHODS
from devnetlib.study.folding import folded


def settled(detector: nn.Module) -> nn.Module:
    """The detector with statistics as training leaves them, none of which is the identity."""
    generator = torch.Generator().manual_seed(1)
    for layer in detector.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values, least in ((layer.running_mean, -0.2), (layer.running_var, 0.5), (layer.weight.data, 0.5)):
                values.copy_(least + torch.rand(values.shape, generator=generator))
    return detector


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", "alexnet"])
@torch.inference_mode()
def test_a_folded_detector_has_the_same_scores_and_no_normalisation_left(backbone):
    detector = settled(METHODS["devnet"](torch.Generator().manual_seed(0), backbone=backbone, stage=3))
    images = torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    copy = folded(detector)
    assert torch.allclose(copy(images), detector.eval()(images), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in copy.modules())
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


def test_a_detector_without_a_backbone_stays_as_it_is():
    detector = METHODS["deepsvdd"](torch.Generator().manual_seed(0))
    assert folded(detector) is detector and not detector.training
