"""Every method behind the one contract, on the toy; and each loss and closed form against its definition."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from devnetlib.data.images import image_bank
from devnetlib.errors import Misuse
from devnetlib.methods import CONTROLS, METHODS
from devnetlib.methods.flos import focal_loss
from devnetlib.methods.mahalanobis import Mahalanobis
from devnetlib.network import Standardise, cells_of
from devnetlib.study.execution import Machine, build_detector, lane_inputs, partition_of, row_numbers, train
from devnetlib.study.training import Pixels, fit, loss_of_heads

SIDE = 64


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(method: str):
    """A method at stage 1, which keeps the network small."""
    options = {"stage": 1, "n_scales": 2, "heads": 2}
    known = METHODS[method].options()
    return METHODS[method](torch.Generator().manual_seed(4), **{k: v for k, v in options.items() if k in known}).eval()


@pytest.fixture(scope="module", params=METHODS)
def frozen(request, toy, toy_runs):
    """A detector trained for ten updates on cached maps of the toy, its inputs, and the pixels of the test images."""
    (run,) = toy_runs(request.param, "quick")
    run = replace(run, training=replace(run.training, pixels=SIDE, updates=min(run.training.updates, 10)))
    machine = Machine()
    bank = image_bank(toy.table, toy.root, SIDE, machine.cache)
    rows = row_numbers(toy, partition_of(run, toy))
    detector, missing = build_detector(run, machine)
    inputs = lane_inputs(run, detector, toy, bank, machine)
    train(run, detector, inputs, rows)
    assert missing == []
    return detector.eval(), inputs, Pixels(bank, torch.device("cpu"), 0.0, np.random.default_rng(0)), rows


@torch.inference_mode()
def test_the_score_of_the_pixels_is_the_score_of_the_cached_maps_within_rounding(frozen):
    detector, inputs, pixels, rows = frozen
    whole, cached = detector(pixels.plain(rows["test"])), detector.score(inputs.plain(rows["test"]))
    assert whole.shape == (len(rows["test"]),)
    spread = cached.std().item()
    assert spread > 0
    torch.testing.assert_close(whole, cached, atol=0.02 * spread, rtol=2e-3)


@torch.inference_mode()
def test_training_on_ten_labels_of_the_toy_leaves_a_head_that_varies_with_the_image(frozen):
    detector, inputs, _, rows = frozen
    heads = detector.head_scores(inputs.plain(rows["test"]))
    torch.testing.assert_close(heads.mean(dim=1), detector.score(inputs.plain(rows["test"])))
    assert (heads.std(dim=0) > 0).all()


@torch.inference_mode()
def test_in_the_frozen_lane_every_channel_is_standardised_over_the_training_normals(frozen):
    detector, inputs, _, rows = frozen
    (layer,) = (module for module in detector.modules() if isinstance(module, Standardise))
    cells = torch.cat([cells_of(layer(maps)).flatten(0, 1) for maps in inputs.plain(rows["train"])])
    spread = cells.std(dim=0, unbiased=False)
    varying = layer.std != 1
    assert varying.sum() > len(varying) / 2
    torch.testing.assert_close(cells.mean(dim=0), torch.zeros(len(varying)), atol=1e-2, rtol=0)
    torch.testing.assert_close(spread[varying], torch.ones(int(varying.sum())), atol=1e-2, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@torch.inference_mode()
def test_an_image_scores_the_same_in_any_order_and_batch(method):
    detector, images = small(method), noise(5, 3, 32, 32)
    scores, order = detector(images), [3, 0, 4, 2, 1]
    torch.testing.assert_close(detector(images[order]), scores[order])
    torch.testing.assert_close(torch.cat([detector(image[None]) for image in images]), scores)


@pytest.mark.parametrize("method", METHODS)
@torch.inference_mode()
def test_the_same_seed_builds_the_same_detector(method):
    images = noise(2, 3, 32, 32)
    assert torch.equal(small(method)(images), small(method)(images))


@pytest.mark.parametrize("method", METHODS)
def test_one_map_comes_for_each_tap_and_every_option_has_a_default(method):
    detector = small(method)
    assert len(detector.features(noise(1, 3, 32, 32))) == len(detector.taps)
    assert METHODS[method].options() and all(type(value) in (int, float, bool) for value in detector.options().values())


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_option_is_refused_when_building_and_when_planning(method, toy_runs):
    with pytest.raises(TypeError, match="colour"):
        METHODS[method](torch.Generator(), colour=1)
    with pytest.raises(Misuse, match=f"unknown option of {method} 'stag'.*did you mean 'stage'"):
        toy_runs(method, options={"stag": 1})


@pytest.mark.parametrize("method", [name for name, kind in METHODS.items() if kind.uses_labels])
def test_every_loss_falls_when_anomalies_rise_above_normals(method):
    detector, labels = small(method), torch.tensor([0.0, 0.0, 1.0, 1.0])
    worse, better = (detector.loss(torch.tensor(s), labels).item() for s in ([3.0, 3, 0, 0], [0.0, 0, 3, 3]))
    assert better < worse


def test_the_focal_loss_with_exponent_0_is_the_cross_entropy():
    scores, labels = noise(20) * 4, (noise(20, seed=1) > 0).float()
    torch.testing.assert_close(focal_loss(scores, labels, 0.0), F.binary_cross_entropy_with_logits(scores, labels))


def test_the_focal_loss_of_two_scores_is_the_value_worked_out_by_hand():
    scores = torch.log(torch.tensor([1.0, 3.0]))  # p = 1/2 for a normal, p = 3/4 for an anomaly
    by_hand = (0.5**2 * np.log(2) + 0.25**2 * np.log(4 / 3)) / 2
    assert focal_loss(scores, torch.tensor([0.0, 1.0])).item() == pytest.approx(by_hand)


@torch.inference_mode()
def test_mahalanobis_is_scikit_learns_distance_under_the_ledoit_wolf_covariance():
    from sklearn.covariance import LedoitWolf

    detector = Mahalanobis(torch.Generator().manual_seed(0), stage=1)
    normals, tests = noise(50, 64, 3, 3) * 2 + 1, noise(9, 64, 3, 3, seed=2) + 2
    detector.prepare([normals])
    fitted = LedoitWolf().fit(normals.mean(dim=(2, 3)).double().numpy())
    expected = np.sqrt(fitted.mahalanobis(tests.mean(dim=(2, 3)).double().numpy()))
    np.testing.assert_allclose(detector.score([tests]).numpy(), expected, rtol=1e-4)


def test_heads_that_are_trained_side_by_side_end_as_each_would_alone(toy_runs):
    training = replace(toy_runs(profile="quick")[0].training, updates=5, learning_rate=0.05)
    maps, labels = noise(8, 64, 4, 4), torch.tensor([0.0] * 4 + [1.0] * 4)
    updates = [([maps], torch.arange(8), labels)] * training.updates

    def bce(heads: int):
        detector = METHODS["bce"](torch.Generator().manual_seed(1), stage=1, n_scales=1, heads=heads)
        detector.backbone.requires_grad_(False)
        return detector

    together = bce(3)
    weight, bias = (value.detach().clone() for value in together.scorer.unit.parameters())
    fit(together, updates, training)
    for head in range(3):
        alone = bce(1)
        alone.scorer.unit.weight.data, alone.scorer.unit.bias.data = weight[head : head + 1], bias[head : head + 1]
        fit(alone, updates, training)
        torch.testing.assert_close(alone.scorer.unit.weight[0], together.scorer.unit.weight[head], atol=1e-5, rtol=1e-4)


def test_the_loss_of_several_heads_is_the_sum_of_their_own():
    detector, scores, labels = small("bce"), noise(6, 3), torch.tensor([0.0, 0, 0, 1, 1, 1])
    alone = [detector.loss(head, labels) for head in scores.T]
    torch.testing.assert_close(loss_of_heads(detector, scores, labels), sum(alone))


def test_the_grey_control_is_the_mean_of_the_pixels():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    assert CONTROLS["grey"].value(pixels).tolist() == [5.5, 17.5]


def test_methods_and_controls_share_no_name():
    assert not set(METHODS) & set(CONTROLS)
