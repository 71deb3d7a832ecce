"""Many linear units at once: image scores and gradients of the plain formula, on a processor as on a GPU."""

import pytest
import torch

from devnetlib.network import top_k_mean
from devnetlib.study import unit_scores as fast
from devnetlib.study.unit_scores import Rule, unit_scores

RUNS, HEADS, IMAGES, PATCHES, CHANNELS = 3, 2, 4, 20, 8
SHAPES = {"shared": (IMAGES, PATCHES, CHANNELS), "own": (RUNS, IMAGES, PATCHES, CHANNELS)}


@pytest.fixture(params=SHAPES)
def units(request):
    """Weights, biases and cells, which all runs share or each has of its own."""
    generator = torch.Generator().manual_seed(0)
    weights, biases, cells = (
        torch.randn(shape, generator=generator)
        for shape in ((RUNS, HEADS, CHANNELS), (RUNS, HEADS), SHAPES[request.param])
    )
    return weights.requires_grad_(), biases.requires_grad_(), cells


def plain_scores(weights, biases, cells, rules):
    """Image scores (R,H,N) as the formula says, run by run."""
    each = [rule for rule in rules for _ in range(rule.runs)]
    found = []
    for run, rule in enumerate(each):
        seen = cells if cells.dim() == 3 else cells[run]
        scores = torch.einsum("npc,hc->hnp", seen, weights[run]) + biases[run][:, None, None]
        found.append(top_k_mean(scores if rule.signed else scores.abs(), rule.share))
    return torch.stack(found)


def with_gradients(function, weights, biases, cells, rules):
    """Scores, and the gradients of weights and biases under a sum in which every score has another factor."""
    scores = function(weights, biases, cells, rules)
    factors = torch.arange(1.0, scores.numel() + 1).view(scores.shape) / scores.numel()
    return scores.detach(), *torch.autograd.grad((scores * factors).sum(), (weights, biases))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_scores_and_gradients_equal_those_of_the_formula(units, share, signed):
    rules = [Rule(RUNS, signed, share)]
    torch.testing.assert_close(*(with_gradients(way, *units, rules) for way in (unit_scores, plain_scores)))


def test_every_run_is_scored_by_its_own_rule(units):
    rules = [Rule(1, True, 0.1), Rule(2, False, 0.3)]
    torch.testing.assert_close(*(with_gradients(way, *units, rules) for way in (unit_scores, plain_scores)))


def test_rules_that_do_not_cover_the_runs_are_refused(units):
    with pytest.raises(RuntimeError, match="split"):
        unit_scores(*units, [Rule(RUNS - 1, True, 0.1)])


def test_magnitudes_that_are_zero_have_no_slope():
    weights, biases = torch.zeros(1, 2, CHANNELS, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    found = with_gradients(unit_scores, weights, biases, torch.ones(SHAPES["shared"]), [Rule(1, False, 0.1)])
    assert all(not part.any() for part in found)


@pytest.mark.parametrize("signed", [True, False])
def test_the_way_of_a_gpu_gives_what_that_of_a_processor_does(units, signed):
    weights, biases, cells = (part.detach() for part in units)
    scores = fast.patch_scores(weights, biases, cells)
    ways = [(fast.largest_on_processor, fast.sums_on_processor), (fast.largest_on_gpu, fast.sums_on_gpu)]
    found = []
    for largest, sums in ways:
        means, slopes = largest(scores, 3, signed)
        found.append((means, slopes, *sums(slopes, means, cells)))
    torch.testing.assert_close(*found)


def test_a_value_counts_no_more_often_than_k_allows_where_several_tie():
    values = torch.tensor([[1.0, 5.0, 5.0, 5.0, 0.0, 2.0, 3.0, 1.0, 0.0, 9.0]])
    cells, ones = values[..., None], torch.ones(1, 1, 1)
    assert unit_scores(ones, torch.zeros(1, 1), cells, [Rule(1, True, 0.2)]).item() == 7 == top_k_mean(values, 0.2)
