"""The deviation loss: values worked out by hand, the direction it pushes scores in, and where its reference is from."""

import random

import numpy as np
import pytest
import torch

from devnetlib.deviation import REFERENCE_SIZE, deviation, deviation_loss, reference_scores
from devnetlib.methods import DevNet

REFERENCE = torch.tensor([0.0, 2.0, 4.0])  # mean 2, unbiased standard deviation 2 (the biased one would be 1.63)


def gradients(scores: list[float], labels: list[float]) -> list[float]:
    leaf = torch.tensor(scores, requires_grad=True)
    deviation_loss(leaf, torch.tensor(labels), REFERENCE).backward()
    return leaf.grad.tolist()


def test_deviation_counts_in_unbiased_standard_deviations_of_the_reference():
    assert deviation(torch.tensor([2.0, 5.0, -2.0]), REFERENCE).tolist() == [0.0, 1.5, -2.0]


def test_the_loss_of_four_scores_is_the_value_worked_out_by_hand():
    scores, labels = torch.tensor([-2.0, 5.0, 4.0, 20.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])
    # deviations -2, 1.5, 1, 9: normals cost 2 and 1.5, anomalies 5 - 1 = 4 and 0
    assert deviation_loss(scores, labels, REFERENCE).item() == pytest.approx((2 + 1.5 + 4 + 0) / 4)


def test_a_smaller_margin_asks_less_of_anomalies():
    scores, labels = torch.tensor([4.0]), torch.tensor([1.0])
    assert deviation_loss(scores, labels, REFERENCE, margin=3.0).item() == pytest.approx(3 - 1)


def test_the_loss_is_zero_for_a_normal_at_the_reference_mean_and_an_anomaly_past_the_margin():
    assert deviation_loss(torch.tensor([2.0, 12.5]), torch.tensor([0.0, 1.0]), REFERENCE).item() == 0


def test_normals_are_pulled_to_the_reference_mean_from_both_sides():
    above, below = gradients([3.0, 1.0], [0.0, 0.0])
    assert above > 0 > below


def test_anomalies_are_pushed_up_below_the_margin_and_left_alone_above_it():
    far_below, below, above = gradients([-30.0, 11.0, 13.0], [1.0, 1.0, 1.0])
    assert far_below < 0 and below < 0 and above == 0


@pytest.mark.parametrize("labels", [torch.zeros(4, 1), torch.zeros(3), torch.zeros(1, 4)])
def test_scores_and_labels_that_would_broadcast_are_refused(labels):
    with pytest.raises(ValueError, match=r"must be \(N,\)"):
        deviation_loss(torch.zeros(4), labels, REFERENCE)


def test_every_call_of_the_loss_draws_5000_new_reference_scores_from_the_detectors_own_generator():
    own = torch.Generator().manual_seed(7)
    detector = DevNet(own, stage=1, n_scales=1)
    twin = torch.Generator()
    twin.set_state(own.get_state())
    scores, labels = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([0.0, 0.0, 1.0])
    found = [detector.loss(scores, labels).item() for _ in range(2)]
    references = [torch.randn(5000, generator=twin) for _ in range(2)]
    assert found == [deviation_loss(scores, labels, reference).item() for reference in references]
    assert found[0] != found[1]
    assert REFERENCE_SIZE == 5000 and len(reference_scores(own)) == 5000


def test_building_a_detector_and_computing_its_loss_leave_every_global_generator_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    detector = DevNet(torch.Generator().manual_seed(0), stage=2)
    images = torch.zeros(2, 3, 32, 32)
    detector.loss(detector(images), torch.tensor([0.0, 1.0])).backward()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1] and random.getstate() == before[2]
