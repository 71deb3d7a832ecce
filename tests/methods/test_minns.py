"""MINNS: pooling a bag, the loss over the levels, and the stages that are supervised."""

import pytest
import torch
from torch.nn import functional as F

from devnetlib.methods.minns import POOLINGS, Minns, mil_pool


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_bag_has_no_order(pooling, noise):
    cells = noise(3, 12, 5)
    torch.testing.assert_close(mil_pool(cells[:, torch.randperm(12)], pooling), mil_pool(cells, pooling))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_bag_of_equal_instances_is_that_instance(pooling, noise):
    instance = noise(2, 1, 5)
    torch.testing.assert_close(mil_pool(instance.expand(-1, 7, -1), pooling), instance[:, 0])


def test_the_pooled_values_of_a_hand_made_bag():
    bag = torch.tensor([[[0.0], [0.0], [torch.log(torch.tensor(4.0))]]])  # exponentials 1, 1, 4: their mean is 2
    found = [mil_pool(bag, pooling).item() for pooling in POOLINGS]
    assert found == pytest.approx([1.3863, 0.4621, 0.6931], abs=1e-4)


def test_the_loss_is_the_sum_over_levels_of_their_mean_cross_entropies(generator, noise):
    detector, logits, labels = Minns(generator, stages="1,2"), noise(6, 2), torch.tensor([0.0, 0, 0, 1, 1, 1])
    expected = sum(F.binary_cross_entropy_with_logits(level, labels) for level in logits.T)
    torch.testing.assert_close(detector.loss(logits, labels), expected)


def test_the_score_is_the_mean_probability_of_the_levels(generator, noise):
    detector = Minns(generator, stages="1,2", heads=1)
    maps = [noise(4, 64, 4, 4), noise(4, 128, 4, 4)]
    alone = [
        torch.sigmoid(level.unit(tap.amax(dim=(2, 3))))[:, 0] for level, tap in zip(detector.levels, maps, strict=True)
    ]
    torch.testing.assert_close(detector.score(maps), (alone[0] + alone[1]) / 2)


def test_finer_maps_are_averaged_onto_the_cells_of_the_last_stage(generator, noise):
    maps = Minns(generator, stages="1,3").eval().features(noise(2, 3, 64, 64))
    assert [tuple(tap.shape[1:]) for tap in maps] == [(64, 4, 4), (256, 4, 4)]


@pytest.mark.parametrize(
    "options", [{"stages": "3,2"}, {"stages": "2,5"}, {"stages": ""}, {"stages": "2,2"}, {"pooling": "median"}]
)
def test_stages_and_poolings_that_are_not_there_are_refused(options, generator):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.*expected"):
        Minns(generator, **options)
