"""The focal loss and the cross-entropy against their definitions."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from devnetlib.methods.bce import Bce
from devnetlib.methods.flos import Flos, focal_loss

LABELS = torch.tensor([0.0, 0.0, 1.0, 1.0])


def test_with_exponent_0_it_is_the_cross_entropy(noise):
    scores, labels = noise(20) * 4, (noise(20, seed=1) > 0).float()
    torch.testing.assert_close(focal_loss(scores, labels, 0.0), F.binary_cross_entropy_with_logits(scores, labels))


def test_the_focal_loss_of_two_scores_is_the_value_worked_out_by_hand():
    scores = torch.log(torch.tensor([1.0, 3.0]))  # p = 1/2 for a normal, p = 3/4 for an anomaly
    by_hand = (0.5**2 * np.log(2) + 0.25**2 * np.log(4 / 3)) / 2
    assert focal_loss(scores, torch.tensor([0.0, 1.0])).item() == pytest.approx(by_hand)


def test_bce_takes_the_cross_entropy_and_flos_the_focal_loss_with_exponent_2_unless_another_is_asked_for(
    generator, noise
):
    scores, labels = noise(20) * 4, (noise(20, seed=1) > 0).float()
    entropy = F.binary_cross_entropy_with_logits(scores, labels)
    torch.testing.assert_close(Bce(generator, stage=1).loss(scores, labels), entropy)
    torch.testing.assert_close(Flos(generator, stage=1).loss(scores, labels), focal_loss(scores, labels, 2.0))
    torch.testing.assert_close(Flos(generator, stage=1, gamma=0.0).loss(scores, labels), entropy)


@pytest.mark.parametrize("method", [Flos, Bce])
def test_the_loss_falls_when_anomalies_rise_above_normals(method, generator):
    detector = method(generator, stage=1)
    worse, better = (detector.loss(torch.tensor(s), LABELS).item() for s in ([3.0, 3, 0, 0], [0.0, 0, 3, 3]))
    assert better < worse


def test_as_released_no_image_can_be_called_more_likely_normal_than_anomalous(generator, noise):
    maps, detector = [noise(20, 64, 4, 4)], Flos(generator, stage=1, n_scales=1)
    detector.scorer.unit.bias.data.fill_(-2.0)
    released = detector.score(maps)
    detector.signed = True
    signed = detector.score(maps)
    assert released.sigmoid().min() >= 0.5 > signed.sigmoid().min()
