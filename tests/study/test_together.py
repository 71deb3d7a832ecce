"""Frozen runs side by side: the scores of each alone, and who shares with whom."""

from dataclasses import replace

import numpy as np
import pytest

from devnetlib.errors import Misuse
from devnetlib.methods import METHODS
from devnetlib.methods.devnet import DevNet
from devnetlib.metrics import auroc
from devnetlib.study import execution, grids, together
from devnetlib.study.execution import Collapse, Machine, build_detector, execute
from devnetlib.study.grids import execute_all, execute_group
from devnetlib.study.together import companions, execute_together
from devnetlib.study.training import Maps

ONE = Machine(threads=1)


@pytest.fixture
def small(toy_runs):
    """`small(method, **axes)`: quick runs with small images and few updates, before rounding can grow."""

    def runs(method: str = "devnet", **axes):
        found = toy_runs(method, "quick", **axes)
        return [replace(run, training=replace(run.training, pixels=96, updates=8)) for run in found]

    return runs


def mixed(small):
    """Runs that may all be trained together: three losses, a sign, a K, two draws."""
    options = [("devnet", {}), ("devnet", {"signed": True}), ("devnet", {"top_k": 0.5}), ("flos", {}), ("bce", {})]
    return [run for method, chosen in options for run in small(method, draws=(0, 1), options=chosen)]


@pytest.fixture
def in_double(monkeypatch):
    """Let heads be trained in double precision. In single precision Adam's first step, which is the sign of a gradient,
    turns a rounding error of a gradient near 0 into a whole step."""

    def build(run, machine):
        detector, missing = build_detector(run, machine)
        detector.scorer.double()
        return detector, missing

    for module in (execution, together):
        monkeypatch.setattr(module, "build_detector", build)
    monkeypatch.setattr(Maps, "plain", lambda self, rows: [maps.double() for maps in self.stored(rows)])


def test_runs_that_are_executed_together_have_the_scores_of_runs_executed_alone(small, in_double):
    runs = mixed(small)
    assert companions(runs) == [runs]
    for run, (scores, partition) in zip(runs, execute_together(runs, ONE), strict=True):
        alone, its_partition = execute(run, ONE)
        np.testing.assert_allclose(scores.score, alone.score, atol=3e-6)  # they are stored with 7 digits
        assert scores.run == run and scores.partition == alone.partition == its_partition.digest == partition.digest
        assert scores.origin["side_by_side"] == len(runs)


@pytest.mark.parametrize("method", ["devnet", "shuffled"])
def test_polluted_and_shuffled_runs_have_the_scores_of_runs_executed_alone(small, in_double, method):
    polluted = {"protocol": "contamination:0.2", "contamination": 0.1} if method == "devnet" else {}
    runs = small(method, draws=(0, 1), **polluted)
    for run, outcome in ((run, outcome) for group in companions(runs) for run, outcome in pair_up(group)):
        np.testing.assert_allclose(outcome[0].score, execute(run, ONE)[0].score, atol=3e-6)


def pair_up(group):
    """Each run of a group with what it gives beside the others."""
    return zip(group, execute_together(group, ONE), strict=True)


def test_in_single_precision_too_they_order_images_as_the_plain_loop_does(small):
    runs = mixed(small)
    for run, (scores, _) in zip(runs, execute_together(runs, ONE), strict=True):
        plain, _ = execute(run, ONE)
        assert auroc(scores.score, scores.labels) == pytest.approx(auroc(plain.score, plain.labels), abs=5e-3)


def test_the_scores_of_a_run_do_not_depend_on_its_companions(small, in_double):
    runs = mixed(small)
    many = execute_together(runs, ONE)
    for run, (scores, _) in list(zip(runs, many, strict=True))[::4]:
        ((alone, _),) = execute_together([run], ONE)
        np.testing.assert_allclose(scores.score, alone.score, atol=3e-6)


def test_runs_share_across_draws_methods_and_options_but_never_across_seeds_splits_or_data(small):
    runs = mixed(small)
    strangers = [*small(seeds=(1,)), *small(splits=(1,)), *small(anomalies=5), *small(options={"heads": 2})]
    strangers += [replace(runs[0], weights="f" * 16), replace(runs[0], protocol="budget:20")]
    assert companions([*runs, *strangers]) == [runs, *([stranger] for stranger in strangers)]


@pytest.mark.parametrize("method", ["shuffled", "border", "patch_ds", "mahalanobis", "grey", "deepsad"])
def test_a_run_with_other_normals_or_another_head_is_executed_alone(small, method):
    first, second = small(method, draws=(0, 1))
    assert companions([first, second]) == [[first], [second]]


def test_fine_tuned_and_untrained_runs_are_executed_alone(toy_runs):
    runs = [*toy_runs(draws=(0, 1)), *toy_runs("untrained", "quick", draws=(0, 1))]
    assert companions(runs) == [[run] for run in runs]


def test_polluted_runs_share_normals_with_those_of_the_same_draw_alone(small):
    polluted = {"draws": (0, 1), "protocol": "contamination:0.2", "contamination": 0.1}
    runs = [*small("devnet", **polluted), *small("bce", **polluted)]
    assert companions(runs) == [[runs[0], runs[2]], [runs[1], runs[3]]]


@pytest.mark.parametrize(("most", "parts"), [(80, [2, 2, 1]), (128, [3, 2]), (160, [5])])
def test_at_most_so_many_heads_are_trained_side_by_side_in_even_parts(small, monkeypatch, most, parts):
    monkeypatch.setattr(together, "MOST_HEADS", most)
    runs = small(draws=range(5))  # of 32 heads each
    assert [len(group) for group in companions(runs)] == parts


def test_every_method_that_is_trained_together_has_the_head_and_labels_that_this_takes():
    chosen = {name for name, method in METHODS.items() if issubclass(method, together.TopKDetector)}
    assert chosen - {"patch_ds"} >= {"devnet", "flos", "bce", "ds"}
    assert all(METHODS[name].uses_labels and not METHODS[name].prepares for name in chosen)


class Failing(DevNet):
    """DevNet whose loss cannot be computed."""

    def loss(self, scores, labels):
        raise Misuse("no loss")


def test_a_run_that_fails_is_found_and_its_companions_are_executed(small, monkeypatch, tmp_path):
    monkeypatch.setitem(METHODS, "failing", Failing)
    good, bad = small(draws=(0, 1)), small("failing")
    assert companions([good[0], *bad, good[1]]) == [[good[0], *bad, good[1]]]
    scores, (failure,) = execute_all([good[0], *bad, good[1]], tmp_path, ONE)
    assert [done.run for done in scores] == good and failure.run == bad[0] and "no loss" in str(failure)


def test_a_collapsed_run_is_reported_and_its_companions_keep_their_scores(small, monkeypatch):
    monkeypatch.setattr(execution, "check_scores", refuse_draw(1))
    runs = small(draws=(0, 1))
    (scores, _), error = execute_group(runs, ONE)
    assert scores.run == runs[0] and isinstance(error, Collapse)


def refuse_draw(draw):
    def check(run, values):
        if run.draw == draw:
            raise Collapse("every test image has the same score")

    return check


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"precision": "bf16"}, "computes in fp32 alone"), ({"compiler": "inductor"}, "is not compiled")],
)
def test_half_precision_and_compilers_are_refused_together_as_they_are_alone(small, tmp_path, asked, words):
    scores, (failure,) = execute_all(small(), tmp_path, Machine(threads=1, **asked))
    assert not scores and isinstance(failure.error, Misuse) and words in str(failure)


def test_a_grid_stores_every_run_of_a_group_and_goes_on_where_it_stopped(small, monkeypatch, tmp_path):
    runs = mixed(small)
    some, _ = execute_all(runs[:3], tmp_path, ONE)
    asked = []
    monkeypatch.setattr(
        grids, "execute_together", lambda group, machine: asked.extend(group) or execute_together(group, machine)
    )
    scores, failures = execute_all(runs, tmp_path, ONE)
    assert not failures and scores[:3] == some and asked == runs[3:]
