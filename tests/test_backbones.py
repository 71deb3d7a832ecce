"""The backbones: torchvision's networks, cut and tapped."""

import pytest
import torch

from devnetlib.backbones import BACKBONES, build_backbone
from devnetlib.network import Tap, initialise, tapped

CLASSIFIER = ("fc.", "classifier.")


def built(name: str, stage: int = 4) -> torch.nn.Module:
    network = build_backbone(name, stage)
    initialise(network, torch.Generator().manual_seed(1))
    return network.eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", BACKBONES)
@torch.inference_mode()
def test_keys_and_outputs_are_torchvisions(name, images):
    from torchvision.models import get_model
    from torchvision.models.feature_extraction import create_feature_extractor

    ours, theirs = built(name), get_model(name, weights=None).eval()
    keys = {key for key in theirs.state_dict() if not key.startswith(CLASSIFIER)}
    assert set(ours.state_dict()) == keys
    theirs.load_state_dict(dict(ours.state_dict()), strict=False)
    last = create_feature_extractor(theirs, ["layer4" if hasattr(theirs, "layer4") else "features"])
    torch.testing.assert_close(ours(images), next(iter(last(images).values())), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
@torch.inference_mode()
def test_a_cut_network_gives_the_map_that_the_whole_one_gives_on_the_way(name, images):
    whole, cut = built(name), build_backbone(name, 3)
    cut.load_state_dict({key: value for key, value in whole.state_dict().items() if key in cut.state_dict()})
    cut.eval()
    torch.testing.assert_close(cut(images), whole.maps(images)[3])
    assert cut.channels == cut(images).shape[1] and list(whole.maps(images)) == list(whole.stages)


def test_building_a_network_draws_no_random_number():
    before = torch.random.get_rng_state()
    for name in BACKBONES:
        build_backbone(name, 3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_name_or_stage_that_is_not_there_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="backbone 'resnet19': expected one of resnet18, resnet50"):
        build_backbone("resnet19")
    for name in ("alexnet", "vgg16", "resnet50"):
        with pytest.raises(ValueError, match=rf"stage 9 of {name}: expected one of \["):
            build_backbone(name, 9)


@torch.inference_mode()
def test_a_tap_is_the_map_of_a_level_of_the_pyramid_averaged_onto_the_cells_it_names(images):
    network = built("resnet18", 2)
    fine, coarse, half = tapped(network, images, [Tap(0, 1, 2), Tap(0, 2, 2), Tap(1, 2, 2)])
    maps = network.maps(images)
    torch.testing.assert_close(fine, torch.nn.functional.avg_pool2d(maps[1], 2))
    torch.testing.assert_close(coarse, maps[2])
    torch.testing.assert_close(half, network(images[:, :, ::2, ::2]))
