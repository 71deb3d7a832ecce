"""The model: which patches make the score, the pyramid, and a backbone that is torchvision's."""

import pytest
import torch

from devnetlib.network import (
    PatchScorer,
    ResNet18,
    Standardise,
    TopKNetwork,
    cells_of,
    initialise,
    pyramid,
    top_k_mean,
)


def network(seed: int = 0, **options) -> TopKNetwork:
    net = TopKNetwork(ResNet18(options.pop("stage", 4)), **options)
    initialise(net, torch.Generator().manual_seed(seed))
    return net.eval()


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_score_of_a_hand_made_map_is_the_mean_of_its_two_largest_patches_of_twenty():
    patches = torch.zeros(1, 20)
    patches[0, 3], patches[0, 11], patches[0, 17] = 5.0, 2.0, 1.0
    assert top_k_mean(patches).tolist() == [3.5]


@pytest.mark.parametrize(
    ("patches", "chosen"), [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (49, 4), (100, 10), (196, 19)]
)
def test_k_is_a_tenth_of_the_patches_rounded_down_and_at_least_one(patches, chosen):
    values = torch.arange(1.0, patches + 1)  # the mean of the K largest is P - (K - 1) / 2
    assert top_k_mean(values).item() == pytest.approx(patches - (chosen - 1) / 2)


@pytest.mark.parametrize(("share", "patches", "chosen"), [(0.3, 10, 3), (0.29, 100, 29), (0.7, 10, 7), (0.01, 196, 1)])
def test_shares_that_binary_fractions_miss_still_give_the_k_that_they_say(share, patches, chosen):
    values = torch.arange(1.0, patches + 1)
    assert top_k_mean(values, share).item() == pytest.approx(patches - (chosen - 1) / 2)


def test_a_share_of_one_is_the_mean_of_all_patches():
    patches = noise(3, 2, 49)
    torch.testing.assert_close(top_k_mean(patches, 1.0), patches.mean(dim=-1))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        top_k_mean(torch.zeros(1, 4), share)


def test_the_pyramid_halves_the_image_by_keeping_every_second_pixel():
    images = noise(2, 3, 8, 6)
    full, half = pyramid(images, 2)
    assert torch.equal(full, images)
    assert torch.equal(half, images[:, :, ::2, ::2])


def test_the_score_over_two_scales_is_the_mean_of_the_scores_of_either():
    net, images = network(stage=1, n_scales=2), noise(3, 3, 64, 64)
    alone = [net.score([maps]) for maps in net.features(images)]
    torch.testing.assert_close(net(images), (alone[0] + alone[1]) / 2)
    assert not torch.allclose(alone[0], alone[1])


def test_without_a_sign_patches_count_by_their_absolute_value():
    signed, unsigned = network(stage=1, n_scales=1, signed=True), network(stage=1, n_scales=1)
    maps = unsigned.features(noise(2, 3, 64, 64))
    patches = unsigned.scorer(maps[0])
    assert (patches < 0).any()
    torch.testing.assert_close(unsigned.score(maps), top_k_mean(patches.abs()).mean(dim=1))
    torch.testing.assert_close(signed.score(maps), top_k_mean(patches).mean(dim=1))


def test_several_heads_score_as_the_average_of_each_alone():
    net = network(stage=1, n_scales=1, heads=3)
    maps = net.features(noise(2, 3, 64, 64))
    alone = []
    for head in range(3):
        single = network(stage=1, n_scales=1)
        single.scorer.unit.weight.data = net.scorer.unit.weight.data[head : head + 1]
        single.scorer.unit.bias.data = net.scorer.unit.bias.data[head : head + 1]
        alone.append(single.score(maps))
    torch.testing.assert_close(net.score(maps), torch.stack(alone).mean(dim=0))


def test_standardisation_gives_every_channel_of_the_normals_mean_0_and_deviation_1():
    maps = noise(150, 5, 4, 4) * torch.tensor([1.0, 2.0, 30.0, 0.1, 0.0])[:, None, None] + 3
    layer = Standardise(5)
    assert torch.equal(layer(maps), maps)  # the identity until fitted
    layer.fit([maps])
    cells = cells_of(layer(maps)).flatten(0, 1)
    torch.testing.assert_close(cells.mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(cells.std(dim=0, unbiased=False)[:4], torch.ones(4), atol=1e-3, rtol=0)
    assert layer.std[4] == 1  # a channel that never varies is not blown up


def test_the_standardisation_folded_into_the_linear_unit_equals_doing_one_after_the_other():
    scorer, maps = PatchScorer(6, heads=2), noise(3, 6, 4, 5) * 4 + 1
    initialise(scorer, torch.Generator().manual_seed(3))
    scorer.standardise.fit([maps])
    plainly = scorer.unit(cells_of(scorer.standardise(maps))).transpose(1, 2)
    torch.testing.assert_close(scorer(maps), plainly, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("stage", "side"), [(3, 6), (4, 3)])
def test_the_backbone_gives_the_maps_of_torchvisions_resnet18_under_the_same_weights(stage, side):
    from torch import nn
    from torchvision.models import resnet18

    ours = ResNet18(stage)
    initialise(ours, torch.Generator().manual_seed(5))
    theirs = resnet18()
    loaded = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not loaded.unexpected_keys and all(key.startswith(("fc.", "layer4.")) for key in loaded.missing_keys)
    trunk = nn.Sequential(*list(theirs.children())[: 4 + stage])
    images = noise(2, 3, 96, 96)
    for mode in (True, False):  # batch statistics in training, running ones in evaluation
        found, expected = ours.train(mode)(images), trunk.train(mode)(images)
        assert found.shape == (2, {3: 256, 4: 512}[stage], side, side)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("options", [{"stage": 5}, {"stage": 0}, {"stage": 1, "n_scales": 0}, {"stage": 1, "heads": 0}])
def test_a_network_that_cannot_be_built_is_refused_in_words(options):
    with pytest.raises(ValueError, match="expected"):
        TopKNetwork(ResNet18(options.get("stage", 1)), **{k: v for k, v in options.items() if k != "stage"})


def test_the_same_generator_gives_the_same_weights_and_another_seed_others():
    first, again, other = (network(seed, stage=1).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])
