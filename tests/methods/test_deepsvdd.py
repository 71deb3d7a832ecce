"""Deep SVDD and Deep SAD: the centre rule, the losses, and the preprocessing."""

import pytest
import torch

from devnetlib.methods.deepsad import EPSILON, DeepSad
from devnetlib.methods.deepsvdd import WARM_UP, DeepSvdd, centre_of, contrast_normalised, squared_distance


def test_coordinates_of_the_centre_that_are_close_to_0_move_to_a_tenth_on_their_own_side():
    codes = torch.tensor([[0.04, -0.04, 0.0, 0.5, -0.2], [0.06, -0.02, 0.0, 0.7, -0.2]])
    torch.testing.assert_close(centre_of(codes), torch.tensor([0.1, -0.1, 0.0, 0.6, -0.2]))


def test_distances_are_squared():
    torch.testing.assert_close(
        squared_distance(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.zeros(2)), torch.tensor([25.0, 1.0])
    )


def test_contrast_normalisation_gives_mean_0_and_mean_absolute_value_1_whatever_brightness_and_contrast(noise):
    images = noise(4, 3, 8, 8)
    found = contrast_normalised(images * 7 + 3)
    torch.testing.assert_close(found.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.abs().mean(dim=(1, 2, 3)), torch.ones(4))
    torch.testing.assert_close(found, contrast_normalised(images), atol=1e-4, rtol=1e-4)
    assert torch.isfinite(contrast_normalised(torch.full((1, 3, 4, 4), 0.5))).all()


def test_the_training_normals_fill_the_range_from_0_to_1(generator, noise):
    detector, images = DeepSvdd(generator, pretraining=0), noise(10, 3, 32, 32).abs()
    detector.prepare([images], [images[:0]])
    ranged = detector.inputs(images)
    assert ranged.min() == 0 and ranged.max() == pytest.approx(1)


def test_the_centre_is_the_mean_code_of_the_training_normals_as_they_are_scored(generator, noise):
    detector, images = DeepSvdd(generator, pretraining=3), noise(10, 3, 32, 32).abs()
    detector.prepare([images], [images[:0]])
    with torch.inference_mode():
        codes = detector.eval().encode(detector.inputs(images))
        torch.testing.assert_close(detector.centre, centre_of(codes))
        torch.testing.assert_close(detector.score([images]), squared_distance(codes, detector.centre))


def test_pretraining_lowers_the_reconstruction_error(generator, noise):
    detector = DeepSvdd(generator, pretraining=30, pretraining_rate=1e-3)
    losses = detector.pretrain(noise(20, 3, 32, 32).sigmoid())
    assert len(losses) == 30 and sum(losses[-5:]) < sum(losses[:5])


def test_no_layer_of_the_encoder_has_a_bias_or_a_learned_shift(generator):
    names = [name for name, _ in DeepSvdd(generator).encode.named_parameters()]
    assert names and all(name.endswith("weight") for name in names) and len(names) == 4


def test_the_one_class_loss_is_the_mean_squared_distance(generator):
    assert DeepSvdd(generator).loss(torch.tensor([1.0, 2.0, 6.0]), torch.zeros(3)).item() == 3


def test_the_soft_boundary_charges_what_lies_outside_and_follows_the_distances_after_its_warm_up(generator):
    detector = DeepSvdd(generator, nu=0.5)
    distances, labels = torch.tensor([1.0, 4.0, 9.0]), torch.zeros(3)
    detector.radius.fill_(2.0)
    assert detector.loss(distances, labels).item() == pytest.approx(4 + (5 / 3) / 0.5)
    assert detector.radius == 2
    for _ in range(WARM_UP):
        detector.loss(distances, labels)
    assert detector.radius == 2  # the median of 1, 2, 3
    detector.loss(torch.tensor([16.0, 25.0, 36.0]), labels)
    assert detector.radius == 5


def test_images_of_another_size_are_brought_to_that_of_the_encoder(generator, noise):
    detector = DeepSvdd(generator, pretraining=0).eval()
    assert detector(noise(2, 3, 48, 64)).shape == (2,)


def test_deep_sads_loss_is_d_for_normals_and_its_inverse_for_anomalies(generator):
    detector = DeepSad(generator, stage=1, eta=2.0)
    loss = detector.loss(torch.tensor([3.0, 0.5]), torch.tensor([0.0, 1.0]))
    assert loss.item() == pytest.approx((3 + 2 / (0.5 + EPSILON)) / 2)


def test_deep_sads_loss_falls_as_an_anomaly_moves_away_and_rises_as_a_normal_image_does(generator):
    detector, away = DeepSad(generator, stage=1), torch.linspace(0.1, 5, 20)
    anomalous, normal = ([detector.loss(d[None], torch.tensor([label])).item() for d in away] for label in (1.0, 0.0))
    assert anomalous == sorted(anomalous, reverse=True) and normal == sorted(normal)


def test_deep_sads_centre_is_the_mean_code_of_all_training_images(generator, noise):
    detector = DeepSad(generator, stage=1, dimensions=6)
    normals, anomalies = noise(8, 64, 3, 3), noise(2, 64, 3, 3, seed=1) + 1
    detector.prepare([normals], [anomalies])
    with torch.no_grad():
        codes = detector.encode(torch.cat([normals, anomalies]).mean(dim=(2, 3)))
    torch.testing.assert_close(detector.centre, centre_of(codes))
    torch.testing.assert_close(detector.score([normals]), (codes[:8] - detector.centre).square().sum(dim=1))
