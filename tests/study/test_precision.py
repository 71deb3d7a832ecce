"""Precision: single unless it is asked otherwise, refused where scores are compared, the faster one by a kept probe."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from devnetlib.data.batches import IMAGENET_STD, normalise
from devnetlib.errors import Misuse
from devnetlib.network import ResNet18
from devnetlib.study import precision
from devnetlib.study.execution import Machine, execute

CPU = torch.device("cpu")


@pytest.fixture
def probed(monkeypatch):
    """The probe finds bf16 faster; which precisions it timed."""
    asked = []
    monkeypatch.setattr(
        precision, "step_seconds", lambda _, name: (asked.append(name), {"fp32": 2, "bf16": 1}[name])[1]
    )
    return asked


def test_an_unknown_precision_is_refused_with_the_valid_ones(toy_runs, tmp_path):
    with pytest.raises(Misuse, match=r"'fp16'.*auto, bf16, fp32"):
        precision.precision_of(*toy_runs(), "fp16", CPU, tmp_path)


@pytest.mark.parametrize("profile", ["quick", "smoke"])
def test_half_precision_is_refused_for_runs_that_are_compared_across_machines(toy_runs, tmp_path, probed, profile):
    (run,) = toy_runs(profile=profile)
    with pytest.raises(Misuse, match=f"profile {profile} computes in fp32 alone"):
        precision.precision_of(run, "bf16", CPU, tmp_path)
    assert precision.precision_of(run, "auto", CPU, tmp_path) == "fp32" and probed == []


def test_auto_takes_the_faster_precision_and_keeps_the_probe_for_the_machine(toy_runs, tmp_path, probed):
    (run,) = toy_runs(profile="laptop")
    assert [precision.precision_of(run, "auto", CPU, tmp_path) for _ in range(2)] == ["bf16", "bf16"]
    assert probed == ["fp32", "bf16"]
    (kept,) = (tmp_path / "precision").iterdir()
    assert torch.__version__.partition("+")[0] in kept.name


def test_a_damaged_probe_is_made_again(toy_runs, tmp_path, probed):
    (run,) = toy_runs(profile="laptop")
    precision.precision_of(run, "auto", CPU, tmp_path)
    (kept,) = (tmp_path / "precision").iterdir()
    kept.write_text('{"fp32":')
    assert precision.precision_of(run, "auto", CPU, tmp_path) == "bf16" and len(probed) == 4


def test_the_probe_times_both_precisions():
    assert all(precision.step_seconds(CPU, name) > 0 for name in ("fp32", "bf16"))


def test_scores_in_half_precision_say_so_and_are_near_those_in_single(toy_runs):
    (planned,) = toy_runs(profile="laptop")
    run = replace(planned, training=replace(planned.training, pixels=64, updates=1, batch=8))
    single, half = (execute(run, Machine(threads=1, precision=name))[0] for name in ("fp32", "bf16"))
    assert (single.origin["precision"], half.origin["precision"]) == ("fp32", "bf16")
    assert half.score != single.score
    assert np.corrcoef(half.values, single.values)[0, 1] > 0.9


def test_half_precision_does_not_make_a_filter_for_colour_see_noise_on_grey_images():
    generator = torch.Generator().manual_seed(0)
    network = ResNet18(1).train()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
    grey = torch.rand(4, 1, 64, 64, generator=generator).expand(-1, 3, -1, -1)
    sees_no_grey = torch.tensor([IMAGENET_STD[0], -IMAGENET_STD[1], 0.0]).view(1, 3, 1, 1)
    network.conv1.weight.data[::2] = network.conv1.weight.data[::2, :1] * sees_no_grey  # red less green
    with torch.no_grad():
        single = network(normalise(grey))
        with torch.autocast("cpu", torch.bfloat16):
            half = network(normalise(grey)).float()
    assert ((half - single).norm() / single.norm()).item() < 0.05


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ({"avx2", "avx512f", "avx512_bf16"}, "Some CPU (avx512_bf16)"),
        ({"avx2", "avx512f"}, "Some CPU (avx512f)"),
        (set(), "Some CPU"),
    ],
)
def test_processors_that_call_themselves_the_same_are_told_apart_by_their_instructions(monkeypatch, features, name):
    monkeypatch.setattr(precision, "processor", lambda: {"model": "Some CPU", "features": features})
    assert precision.device_name(CPU) == name
