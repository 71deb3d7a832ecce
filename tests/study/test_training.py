"""The loop: what it does to a network equals what a plain loop over torchvision's network does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from devnetlib.data.images import image_bank
from devnetlib.deviation import deviation_loss, reference_scores
from devnetlib.methods import Detector
from devnetlib.study.execution import (
    Machine,
    batch_stream,
    build_detector,
    lane_inputs,
    partition_of,
    row_numbers,
)
from devnetlib.study.training import batches, endless, fit


def test_the_endless_walk_visits_everything_before_it_returns():
    walk = endless(5, 12, np.random.default_rng(0))
    assert sorted(walk[:5]) == sorted(walk[5:10]) == list(range(5))


def test_half_of_every_batch_is_labelled_and_all_is_normal_without_labels(toy_runs):
    (run,) = toy_runs()
    half = run.training.batch // 2
    with_labels = np.array(list(batches(30, 10, run.training, *map(np.random.default_rng, (0, 1)))))
    assert ((with_labels >= 30).sum(axis=1) == half).all()
    without = np.array(list(batches(30, 0, run.training, *map(np.random.default_rng, (0, 1)))))
    assert without.shape == (run.training.updates, run.training.batch) and (without < 30).all()


def test_unbalanced_batches_walk_through_all_images_whatever_their_label(toy_runs):
    (run,) = toy_runs()
    training = replace(run.training, balanced=False, batch=8, updates=5)
    positions = np.array(list(batches(30, 10, training, *map(np.random.default_rng, (0, 1)))))
    assert positions.shape == (5, 8) and sorted(positions.ravel()) == list(range(40))


class Slope(Detector):
    """One number that is scored as it is and whose gradient is always 1: Adam moves it by the learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def outputs(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return self.value.expand(len(maps[0]), 1)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return outputs.mean()


def test_the_rate_is_a_tenth_of_what_it_was_after_each_update_of_decay_at(toy_runs):
    (run,) = toy_runs(profile="quick")
    training = replace(run.training, updates=7, learning_rate=0.1, weight_decay=0.0, decay_at=(2, 4))
    updates = [([torch.zeros(1)], torch.zeros(1, dtype=torch.long), torch.zeros(1))] * training.updates
    steps = -np.diff(fit(Slope(), updates, training))
    np.testing.assert_allclose(steps, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-3)


def test_gradients_that_a_pretraining_left_do_not_move_the_first_update(toy_runs):
    (run,) = toy_runs(profile="quick")
    updates = [([torch.zeros(1)], torch.zeros(1, dtype=torch.long), torch.zeros(1))] * 3
    fresh, pretrained = Slope(), Slope()
    pretrained.value.grad = torch.full((1,), -100.0)
    fit(fresh, updates, run.training)
    fit(pretrained, updates, run.training)
    assert pretrained.value == fresh.value


def plain_losses(detector, updates, training) -> list[float]:
    """Losses of torchvision's ResNet-18 with a 1x1 convolution, trained as anyone would write it."""
    from torchvision.models import resnet18

    whole = resnet18()
    whole.load_state_dict({k: v.clone().contiguous() for k, v in detector.backbone.state_dict().items()}, strict=False)
    layers = whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1, whole.layer2, whole.layer3
    head = nn.Conv2d(256, 1, 1)
    head.weight.data = detector.scorer.unit.weight.data.clone()[:, :, None, None]
    head.bias.data = detector.scorer.unit.bias.data.clone()
    network = nn.Sequential(*layers, head)
    optimiser = torch.optim.Adam(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    draws = torch.Generator()
    draws.set_state(detector.generator.get_state())
    losses = []
    for images, _, labels in updates:
        patches = network(images).flatten(1).abs()
        scores = patches.topk(max(1, patches.shape[1] // 10), dim=1).values.mean(dim=1)
        loss = deviation_loss(scores, labels, reference_scores(draws))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), training.clip)
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_fine_tuning_equals_a_plain_loop_over_torchvisions_network(toy, toy_runs, data_root):
    (planned,) = toy_runs()
    run, machine = replace(planned, training=replace(planned.training, clip=1.0, rotation=180.0)), Machine(threads=1)
    rows = row_numbers(toy, partition_of(run, toy))
    bank = image_bank(toy.table, toy.root, run.training.pixels, machine.cache)
    detector, _ = build_detector(run, machine)
    inputs = lane_inputs(run, detector, toy, bank, machine)
    updates = list(batch_stream(run, inputs, rows["train"], rows["labelled"]))
    expected = plain_losses(detector, updates, run.training)
    assert fit(detector, updates, run.training) == pytest.approx(expected, rel=2e-3)


class Readings(TorchDispatchMode):
    """Counts the numbers that are read from tensors, for each of which a GPU would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("method", ["devnet", "flos", "deepsad", "rep"])
def test_no_update_reads_a_number_from_the_device(toy, toy_runs, method):
    (planned,) = toy_runs(method)
    machine, counts = Machine(threads=1), []
    rows = row_numbers(toy, partition_of(planned, toy))
    bank = image_bank(toy.table, toy.root, planned.training.pixels, machine.cache)
    for updates in (1, 3):
        training = replace(planned.training, updates=updates, batch=4, clip=1.0, rotation=180.0)
        run = replace(planned, training=training)
        detector, _ = build_detector(run, machine)
        stream = batch_stream(run, lane_inputs(run, detector, toy, bank, machine), rows["train"], rows["labelled"])
        with Readings() as readings:
            fit(detector, stream, training)
        counts.append(readings.count)
    assert counts[0] == counts[1]


def test_a_number_that_is_read_would_be_counted():
    with Readings() as readings:
        torch.ones(2).sum().item()
    assert readings.count == 1
