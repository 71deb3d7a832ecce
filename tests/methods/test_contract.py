"""Every method behind the one contract, on the toy: what `study` and its readers may rely on whatever the method."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from devnetlib.data.images import image_bank
from devnetlib.data.toy import weave
from devnetlib.errors import Misuse
from devnetlib.methods import CONTROLS, METHODS, Detector
from devnetlib.methods.saving import load, save
from devnetlib.metrics import auroc
from devnetlib.network import Standardise, cells_of
from devnetlib.saliency import saliency
from devnetlib.study.execution import (
    Machine,
    batch_stream,
    build_detector,
    built_options,
    check_scores,
    lane_inputs,
    partition_of,
    row_numbers,
    score,
    train,
)
from devnetlib.study.runs import Run
from devnetlib.study.training import Pixels, fit, loss_of_heads

SIDE = 48
BATCH_OF = {"kdad": 8, "ds_resnet50": 8}  # their networks are several times slower
UPDATES = 40
TRAINED = [*((name, {}) for name in METHODS), ("kdad", {"teacher": "resnet18"})]  # the last as it is published
WITH_LOSS = [name for name, kind in METHODS.items() if kind.schedule.get("", {}).get("updates") != 0]
FROZEN_LANE = [name for name in METHODS if name not in ("kdad", "deepsvdd")]  # these two have networks of their own


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(method: str, seed: int = 4) -> Detector:
    """A method on few layers, which keeps the network small."""
    options = {"stage": 2, "stages": "1,2", "n_scales": 2, "heads": 2, "projection": 8, "coreset": 20}
    known = METHODS[method].options()
    chosen = {name: value for name, value in options.items() if name in known}
    return METHODS[method](torch.Generator().manual_seed(seed), **chosen).eval()


@pytest.fixture(scope="module")
def easy() -> np.ndarray:
    """A bank of woven surfaces, every second one with a big dark square."""
    rng = np.random.default_rng(3)
    images = np.stack([weave(rng, SIDE) for _ in range(100)])
    for number, (top, left) in enumerate(rng.integers(4, SIDE - 22, (50, 2))):
        images[2 * number + 1, top : top + 18, left : left + 18] = 0.1
    return (images.clip(0, 1) * 255).astype(np.uint8)[:, None]


def rows_of(swapped: bool) -> dict[str, np.ndarray]:
    """The rows of each list; `swapped` takes the surfaces with a square for the normal ones."""
    normal, anomalous = np.arange(100).reshape(50, 2).T[:: -1 if swapped else 1]
    return {"train": normal[:30], "labelled": anomalous[:10], "test": np.r_[normal[30:], anomalous[10:]]}


TEST_LABELS = np.r_[np.zeros(20), np.ones(40)]


@dataclass(frozen=True)
class Trained:
    """A method after its training on the easy toy."""

    run: Run
    detector: Detector
    inputs: Pixels
    rows: dict[str, np.ndarray]
    losses: list[float]
    scores: np.ndarray

    @property
    def options(self) -> dict[str, Any]:
        return built_options(self.run.method, self.run.profile, self.run.options)


def trained_on(easy: np.ndarray, toy_runs: Any, method: str, options: dict[str, Any]) -> Trained:
    """The method from random weights, everything trained, at its smoke schedule with more updates at a higher rate.

    The two kinds are so far apart that random weights rank them, one way or the other. A method that uses labels is
    given the way in which its untrained network is wrong, so that a good ranking must have been learned from them.
    """
    (run,) = toy_runs(method, options=options)
    updates, batch = UPDATES if run.training.updates else 0, BATCH_OF.get(method, run.training.batch)
    run = replace(run, training=replace(run.training, updates=updates, batch=batch, learning_rate=1e-3))
    detector, _ = build_detector(run, Machine(weights="random"))
    inputs = Pixels(easy, torch.device("cpu"), 0.0, np.random.default_rng(0), detector.raw)
    rows = rows_of(swapped=False)
    if detector.uses_labels and auroc(score(detector, inputs, rows["test"]), TEST_LABELS) > 0.5:
        rows = rows_of(swapped=True)
    losses = train(run, detector, inputs, rows)
    return Trained(run, detector, inputs, rows, losses, score(detector, inputs, rows["test"]))


@pytest.fixture(scope="module", params=TRAINED, ids=lambda row: " ".join([row[0], *row[1].values()]))
def trained(request, easy, toy_runs) -> Trained:
    return trained_on(easy, toy_runs, *request.param)


def test_training_lowers_the_loss(trained):
    assert len(trained.losses) == trained.run.training.updates
    if trained.losses:
        quarter = len(trained.losses) // 4
        assert np.mean(trained.losses[-quarter:]) < np.mean(trained.losses[:quarter])


def test_gradients_reach_every_parameter_that_is_trained(trained):
    if not trained.losses:
        return
    detector, rows = deepcopy(trained.detector), trained.rows
    labelled = rows["labelled"] if detector.uses_labels else rows["labelled"][:0]
    images, places, labels = next(iter(batch_stream(trained.run, trained.inputs, rows["train"], labelled)))
    places, labels = places[1:], labels[1:]  # where every patch pushes by one, equal halves can cancel to nothing
    detector.train().zero_grad()
    loss_of_heads(detector, detector.outputs(detector.features(images))[places], labels).backward()
    without = [
        name for name, p in detector.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert without == []


def test_scores_are_finite_vary_with_the_image_and_set_the_kinds_apart_as_they_were_labelled(trained):
    check_scores(trained.run, trained.scores)
    bar = 0.75 if trained.detector.uses_labels else 0.5
    assert auroc(trained.scores, TEST_LABELS) > bar


@pytest.mark.parametrize("method", METHODS)
def test_two_trainings_under_one_seed_give_the_same_scores(method, easy, toy_runs, monkeypatch):
    monkeypatch.setattr(f"{__name__}.UPDATES", 2)
    once, again = (trained_on(easy, toy_runs, method, {}).scores for _ in range(2))
    np.testing.assert_array_equal(once, again)


@torch.inference_mode()
def test_an_image_scores_the_same_in_any_order_and_batch(trained):
    detector, images = trained.detector.eval(), trained.inputs.plain(trained.rows["test"][15:25])
    scores, order = torch.from_numpy(trained.scores[15:25]), torch.tensor([7, 3, 0, 9, 4, 2, 8, 1, 6, 5])
    close = {"atol": 1e-3 * scores.std().item(), "rtol": 1e-4}
    torch.testing.assert_close(detector(images[order]), scores[order], **close)
    torch.testing.assert_close(torch.cat([detector(image[None]) for image in images]), scores, **close)


def test_a_saved_detector_reloads_to_the_same_scores(trained, tmp_path):
    save(trained.detector, trained.run.method, trained.options, tmp_path / "detector.safetensors")
    loaded = load(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(score(loaded, trained.inputs, trained.rows["test"]), trained.scores)


@pytest.mark.parametrize("guided", [False, True])
def test_a_trained_detector_explains_every_score_by_a_map_of_the_image(trained, guided):
    images = trained.inputs.plain(trained.rows["test"][-3:])
    maps = saliency(trained.detector.eval(), images, normalise=False, guided=guided)
    assert maps.shape == (3, SIDE, SIDE) and torch.isfinite(maps).all()
    assert (maps >= 0).all() and (maps.amax(dim=(1, 2)) > maps.amin(dim=(1, 2))).all()


def test_a_file_that_is_no_saved_detector_is_refused_by_name(tmp_path):
    (tmp_path / "some.safetensors").write_bytes(b"no tensors")
    with pytest.raises(Misuse, match=r"some\.safetensors: no detector that this version saved"):
        load(tmp_path / "some.safetensors")


@pytest.fixture(scope="module", params=FROZEN_LANE)
def frozen(request, toy, toy_runs):
    """A detector trained for ten updates on cached maps of the toy, its inputs, and the pixels of the test images."""
    (run,) = toy_runs(request.param, "quick")
    run = replace(run, training=replace(run.training, pixels=SIDE, updates=min(run.training.updates, 10)))
    machine = Machine(weights="random")
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
def test_in_the_frozen_lane_every_channel_is_standardised_over_the_training_normals(frozen):
    detector, inputs, _, rows = frozen
    layers = [module for module in detector.modules() if isinstance(module, Standardise)]
    maps = inputs.plain(rows["train"])
    for layer, tap in zip(layers, maps, strict=True):
        cells = cells_of(layer(tap)).flatten(0, 1)
        varying = layer.std != 1
        assert varying.sum() > len(varying) / 4
        torch.testing.assert_close(cells.mean(dim=0), torch.zeros(len(varying)), atol=1e-2, rtol=0)
        spread = cells.std(dim=0, unbiased=False)[varying]
        torch.testing.assert_close(spread, torch.ones(int(varying.sum())), atol=1e-2, rtol=0)


@torch.inference_mode()
def test_pooled_maps_score_like_the_maps_themselves_where_a_method_reads_only_that(frozen):
    detector, inputs, _, rows = frozen
    if detector.pools:
        whole, pooled = (detector.score(part.stored(rows["test"])) for part in (inputs, inputs.pooled(detector.pools)))
        torch.testing.assert_close(pooled, whole, atol=1e-3 * whole.std().item(), rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_builds_the_same_detector_and_another_seed_another(method):
    once, again, other = (small(method, seed).state_dict() for seed in (4, 4, 5))
    assert list(once) == list(again) and all(torch.equal(once[key], again[key]) for key in once)
    assert any(not torch.equal(once[key], other[key]) for key in once)


@pytest.mark.parametrize("method", FROZEN_LANE)
def test_one_map_comes_for_each_tap(method):
    detector = small(method)
    assert len(detector.features(noise(1, 3, 64, 64))) == len(detector.taps)


@pytest.mark.parametrize("method", METHODS)
def test_every_option_has_a_plain_default(method):
    assert METHODS[method].options()
    assert all(type(value) in (int, float, bool, str) for value in METHODS[method].options().values())


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_option_is_refused_when_building_and_when_planning(method, toy_runs):
    with pytest.raises(TypeError, match="colour"):
        METHODS[method](torch.Generator(), colour=1)
    with pytest.raises(Misuse, match=f"unknown option of {method} 'colour': valid are"):
        toy_runs(method, options={"colour": 1})


@pytest.mark.parametrize("method", WITH_LOSS)
def test_a_loss_refuses_outputs_and_labels_that_would_broadcast_or_do_not_fit(method):
    detector = small(method)
    outputs = torch.rand(4, *detector.outputs(detector.features(noise(1, 3, 64, 64))).shape[2:])
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert detector.loss(outputs, labels).shape == ()
    for other in ((outputs, labels[:, None]), (outputs, labels[:3]), (outputs[:, None], labels), (outputs[:1], labels)):
        with pytest.raises(ValueError, match="labels"):
            detector.loss(*other)


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


def test_methods_and_controls_share_no_name():
    assert not set(METHODS) & set(CONTROLS)
