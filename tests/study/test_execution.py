"""Execution on the toy: the same twice, in a pool as alone, and what a failing, damaged or killed run leaves behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from devnetlib.backbones import build_backbone
from devnetlib.data.toy import SIZE
from devnetlib.errors import Misuse
from devnetlib.methods import METHODS, Detector
from devnetlib.methods.controls import CONTROLS, Images, Probe
from devnetlib.metrics import auroc
from devnetlib.network import initialise
from devnetlib.study import training
from devnetlib.study.execution import Collapse, Machine, check_scores, execute, partition_of, row_numbers
from devnetlib.study.grids import execute_all, warm_caches
from devnetlib.study.results import collect, partition_path, read, scores_path
from devnetlib.study.workers import process_pool

ROOT = Path(__file__).resolve().parents[2]
GRID = [sys.executable, "-m", "devnetlib", "run", "--dataset", "toy", "--profile", "smoke", "--weights", "random"]
GRID += ["--draw", "0-11", "--threads", "1", "--json"]
ONE = Machine(threads=1)  # so that the tests take no longer beside another busy process


class Constant(Detector):
    """A detector that gives every image the value that it was built with."""

    schedule: ClassVar = {"": {"updates": 0}}

    def __init__(self, generator: torch.Generator, *, stage: int = 3, value: float = 1.0):
        super().__init__()
        self.backbone, self.value = build_backbone("resnet18", stage), value
        initialise(self.backbone, generator)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images]

    def score(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return torch.full((len(maps[0]),), self.value)


@pytest.fixture
def constant(monkeypatch) -> None:
    monkeypatch.setitem(METHODS, "constant", Constant)


def small_frozen(toy_runs, method: str, **axes):
    """Runs of the frozen lane with small images and few updates."""
    return [
        replace(run, training=replace(run.training, pixels=64, updates=min(run.training.updates, 5)))
        for run in toy_runs(method, "quick", **axes)
    ]


@pytest.mark.parametrize("lane", ["fine-tuned", "frozen"])
def test_two_executions_of_one_run_give_identical_scores_and_draw_from_no_global_generator(toy_runs, lane):
    (run,) = toy_runs() if lane == "fine-tuned" else small_frozen(toy_runs, "devnet")
    assert run.training.lane == lane
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    first, partition = execute(run, ONE)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1] and random.getstate() == before[2]
    torch.manual_seed(1234)
    again, _ = execute(run, ONE)
    assert again.score == first.score and again.partition == first.partition == partition.digest
    assert len(first.score) == len(partition.test) and len(set(first.score)) > 1


def test_polluters_are_trained_as_normal_and_everything_stands_where_the_partition_says(toy, toy_runs):
    (run,) = toy_runs(protocol="contamination:0.2", contamination=0.2)
    partition = partition_of(run, toy)
    rows = {name: list(toy.table["id"].iloc[numbers]) for name, numbers in row_numbers(toy, partition).items()}
    assert len(partition.polluting) == len(partition.train) // 4
    assert set(rows["train"]) == {*partition.train, *partition.polluting}
    assert (rows["labelled"], rows["test"]) == (list(partition.labelled), list(partition.test))


def test_contamination_moves_the_scores_on_one_test_set(toy_runs):
    clean, polluted = (toy_runs(protocol="contamination:0.2", contamination=share)[0] for share in (0.0, 0.2))
    (first, one), (second, other) = (execute(run, ONE) for run in (clean, polluted))
    assert one.test == other.test and first.score != second.score


def test_each_axis_moves_the_scores(toy_runs):
    base, *moved = [*toy_runs(), *toy_runs(splits=[1]), *toy_runs(draws=[1]), *toy_runs(seeds=[1])]
    scores = execute(base, ONE)[0].score
    assert all(execute(run, ONE)[0].score != scores for run in moved)


def test_the_origin_says_what_is_needed_to_judge_a_difference_and_names_no_machine(toy_runs, data_root):
    scores, _ = execute(toy_runs("grey")[0], ONE)
    assert {"torch", "numpy", "device", "precision", "threads", "seconds", "image_table"} <= set(scores.origin)
    assert os.uname().nodename not in json.dumps(scores.as_json()) and str(data_root) not in json.dumps(
        scores.as_json()
    )


@pytest.mark.parametrize("method", ["flos", "minns", "deepsad", "nearest", "rep", "untrained", "shuffled", "border"])
def test_every_kind_of_method_and_treatment_runs_in_the_frozen_lane(toy_runs, method):
    (run,) = small_frozen(toy_runs, method)
    scores, partition = execute(run, ONE)
    assert 0 <= auroc(scores.values, scores.labels) <= 1
    assert (partition.made_of.get("treatment") == "shuffled") == (method == "shuffled")


def test_the_grey_probe_has_the_sign_under_which_the_labelled_anomalies_lie_above_the_training_normals(toy, toy_runs):
    from devnetlib.data.images import load_image

    scores, partition = execute(toy_runs("grey")[0], ONE)
    files = toy.table.set_index("id")["file"]
    mean = {name: np.asarray(load_image(toy.root / files[name], 64)).mean() for name in files.index}
    known = [*partition.train, *partition.labelled]
    labels = [0] * len(partition.train) + [1] * len(partition.labelled)
    sign = 1 if auroc([mean[name] for name in known], labels) >= 0.5 else -1
    np.testing.assert_allclose(scores.values, [sign * mean[name] for name in partition.test], rtol=1e-6)


def test_a_probe_sees_all_images_of_a_run_at_once_since_it_may_rank_them(toy_runs, monkeypatch):
    shown: list[tuple[str, ...]] = []

    def ranks(images: Images) -> np.ndarray:
        shown.append(tuple(images.ids))
        return np.arange(float(len(images.ids)))

    monkeypatch.setitem(CONTROLS, "order", Probe(ranks))
    scores, partition = execute(toy_runs("order")[0], ONE)
    assert shown == [partition.train + partition.labelled + partition.test]
    first = len(partition.train) + len(partition.labelled)
    assert list(scores.score) == list(range(first, first + len(partition.test)))


def test_a_probe_may_be_constant_and_is_stored(toy_runs, tmp_path):
    (scores,), failures = execute_all(toy_runs("size"), tmp_path, ONE)
    assert failures == [] and set(scores.score) == {float(SIZE * SIZE)} and auroc(scores.values, scores.labels) == 0.5


def test_scores_that_differ_by_less_than_single_precision_tells_are_a_collapse(toy_runs):
    (run,) = toy_runs()
    with pytest.raises(Collapse):
        check_scores(run, 5 + np.linspace(0, 1e-7, 10))
    check_scores(run, 5 + np.linspace(0, 1e-3, 10))


def test_constant_scores_of_a_detector_are_a_collapse_and_not_stored(constant, toy_runs, tmp_path):
    (run,) = toy_runs("constant")
    with pytest.raises(Collapse, match=f"{run.key}: every test image has the score 1"):
        execute(run, ONE)
    scores, (failure,) = execute_all([run], tmp_path, ONE)
    assert scores == [] and isinstance(failure.error, Collapse) and collect(tmp_path) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_fail_the_run_and_are_not_stored(constant, toy_runs, tmp_path, value):
    (run,) = toy_runs("constant", options={"value": value})
    scores, (failure,) = execute_all([run], tmp_path, ONE)
    assert scores == [] and isinstance(failure.error, FloatingPointError) and "not finite" in str(failure)
    assert list(tmp_path.rglob("*.json")) == []


def test_a_training_that_diverges_says_so(toy_runs):
    (run,) = toy_runs()
    with pytest.raises(FloatingPointError, match="not finite"):
        execute(replace(run, training=replace(run.training, learning_rate=1e30)), ONE)


def test_a_run_that_names_other_weights_than_those_at_hand_is_refused(toy_runs):
    (run,) = toy_runs()
    with pytest.raises(Misuse, match="names the weights 0123456789abcdef, at hand are random"):
        execute(replace(run, weights="0123456789abcdef"), Machine(weights="random", threads=1))


def test_the_layers_that_the_weights_lack_are_refused_when_frozen_and_recorded_when_trained(toy_runs, trunk):
    from devnetlib.study.planning import plan

    machine, weights = Machine(weights=str(trunk), threads=1), str(trunk)
    (trained,) = plan("toy", "devnet", "smoke", weights, options={"stage": 4})
    scores, _ = execute(trained, machine)
    assert all(key.startswith("layer4.") for key in scores.origin["untrained_keys"])
    (frozen,) = plan("toy", "devnet", "quick", weights, options={"stage": 4})
    with pytest.raises(Misuse, match=r"end before stage 4 \(layer4.*is missing\)"):
        execute(frozen, machine)


def test_a_device_that_is_not_there_or_unknown_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Machine().torch_device() == torch.device("cpu")
    for device in ("cuda", "cuda:0"):
        with pytest.raises(Misuse, match=f"device {device}: no GPU"):
            Machine(device=device).torch_device()
    for device in ("tpu9", "mps", "meta", "", "cpu:1", "cuda:", "cuda:٣", "cuda:-1", "CPU"):
        with pytest.raises(Misuse, match=f"device '{device}': expected auto, cpu or cuda"):
            Machine(device=device).torch_device()


def test_a_gpu_beyond_those_that_are_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Machine(device="cuda:1").torch_device() == torch.device("cuda:1")
    for device in ("cuda:2", "cuda:99"):
        with pytest.raises(Misuse, match=f"device {device}: only 2 GPUs, counted from 0, are here"):
            Machine(device=device).torch_device()


def test_a_grid_is_de_duplicated_stored_and_not_executed_twice(toy_runs, tmp_path, monkeypatch):
    runs, told = toy_runs("grey", draws=[0, 1]), []
    scores, failures = execute_all([*runs, *runs], tmp_path, on_done=told.append)
    assert [one.run for one in scores] == runs == [one.run for one in told] and failures == []
    monkeypatch.setattr("devnetlib.study.grids.execute", lambda *_: pytest.fail("executed again"))
    assert execute_all(runs, tmp_path)[0] == scores


def test_a_damaged_file_is_named_and_its_run_executed_again(toy_runs, tmp_path, capsys):
    runs = toy_runs("grey", draws=[0, 1])
    expected, _ = execute_all(runs, tmp_path)
    path = scores_path(tmp_path, runs[1])
    path.write_bytes(path.read_bytes()[:100])
    untouched = scores_path(tmp_path, runs[0]).stat().st_mtime_ns
    again, failures = execute_all(runs, tmp_path)
    assert [one.score for one in again] == [one.score for one in expected] and failures == []
    assert read(path, tmp_path).score == expected[1].score
    assert scores_path(tmp_path, runs[0]).stat().st_mtime_ns == untouched
    output = "".join(capsys.readouterr())
    assert path.name in output and f"executing {runs[1].key} again" in output


def test_a_damaged_partition_is_mended_with_the_runs_that_share_it(toy_runs, tmp_path):
    runs = toy_runs("grey")
    (scores,), _ = execute_all(runs, tmp_path)
    partition_path(tmp_path, "toy", scores.partition).write_text("{")
    assert execute_all(runs, tmp_path)[1] == []
    assert [one.score for one in collect(tmp_path)] == [scores.score]


def test_a_failing_cell_is_reported_and_the_others_go_on(toy_runs, tmp_path):
    good = toy_runs("grey", draws=[0, 1])
    bad = toy_runs("grey", anomalies=100)
    scores, (failure,) = execute_all([good[0], *bad, good[1]], tmp_path)
    assert [one.run for one in scores] == good == [one.run for one in collect(tmp_path)]
    assert failure.run == bad[0] and "100 labelled anomalies" in str(failure) and "choose 0 to 99" in str(failure)


@pytest.mark.parametrize("place", ["file", "below a file"])
def test_a_results_folder_that_cannot_be_written_is_refused_before_anything_runs(toy_runs, tmp_path, place):
    (tmp_path / "taken").write_text("")
    folder = tmp_path / "taken" / ("" if place == "file" else "deeper")
    with pytest.raises(Misuse, match=r"cannot be written: choose another with --results"):
        execute_all(toy_runs("grey"), folder)


def test_maps_that_several_methods_tap_are_made_in_one_pass_before_the_runs(toy_runs, tmp_path, monkeypatch):
    runs = [run for method in ("devnet", "minns", "grey") for run in small_frozen(toy_runs, method)]
    runs = [replace(run, training=replace(run.training, pixels=72)) for run in runs]  # maps that nobody else has made
    passes, compute = [], training.compute_maps
    monkeypatch.setattr(training, "compute_maps", lambda *args: passes.append(args[2]) or compute(*args))
    warm_caches(runs, tmp_path, ONE)
    execute_all(runs, tmp_path, ONE)
    assert [{tap.stage for tap in taps} for taps in passes] == [{2, 3}]


@pytest.mark.slow
def test_a_pool_of_two_processes_gives_the_scores_of_one(toy_runs, tmp_path):
    runs = [*toy_runs(draws=[0, 1]), *toy_runs("grey")]
    alone, _ = execute_all(runs, tmp_path / "alone", ONE)
    with process_pool(2) as pool:
        together, failures = execute_all(runs, tmp_path / "pool", ONE, executor=pool)
    assert failures == [] and [one.score for one in together] == [one.score for one in alone]


def heed_interrupts() -> None:
    """A process begun in the background inherits that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def undisturbed(toy_runs, tmp_path_factory) -> dict[str, tuple[float, ...]]:
    """The scores of the grid by key, from a process that nobody disturbs."""
    scores, failures = execute_all(toy_runs(draws=range(12)), tmp_path_factory.mktemp("undisturbed"), ONE)
    assert failures == []
    return {one.run.key: one.score for one in scores}


def disturbed_grid(folder: Path, how: signal.Signals, stored: int, later: float, workers: int = 1) -> tuple[int, str]:
    """Start the grid, send a signal so many seconds after so many runs are stored; exit status and what it said."""
    command = [*GRID, "--results", str(folder / "yours"), "--workers", str(workers)]
    with (folder / "told").open("w") as told:
        pipes = {"stdout": told, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, preexec_fn=heed_interrupts, **pipes)
        deadline = time.monotonic() + 240
        while len(list(folder.glob("yours/smoke/toy/devnet-*.json"))) < stored:
            assert process.poll() is None and time.monotonic() < deadline, f"{stored} runs were not stored"
            time.sleep(0.02)
        time.sleep(later)
        process.send_signal(how)
        said = process.communicate(timeout=120)[1]
    return process.returncode, said


def resumed_as_if_undisturbed(folder: Path, runs: list, undisturbed: dict[str, tuple[float, ...]]) -> set[str]:
    """Check that all of the grid that was told is stored and whole, that what is stored is not executed again, and that
    the grid ends as if undisturbed; the keys of what was stored before."""
    kept = {one.run.key: scores_path(folder / "yours", one.run) for one in collect(folder / "yours")}
    stamps = {path: path.stat().st_mtime_ns for path in kept.values()}
    told = [json.loads(line)["key"] for line in (folder / "told").read_text().splitlines() if line.endswith("}")]
    assert set(told) <= set(kept)
    scores, failures = execute_all(runs, folder / "yours", ONE)
    assert failures == [] and {path: path.stat().st_mtime_ns for path in kept.values()} == stamps
    assert {one.run.key: one.score for one in collect(folder / "yours")} == undisturbed
    assert {one.run.key for one in scores} == set(undisturbed)
    return set(kept)


@pytest.mark.slow
def test_an_interrupted_grid_says_how_to_go_on_and_ends_as_if_undisturbed(toy, toy_runs, tmp_path, undisturbed):
    status, said = disturbed_grid(tmp_path, signal.SIGINT, stored=2, later=0)
    assert status == 130 and said.strip().endswith("the same command goes on with the rest")
    assert "Traceback" not in said
    kept = resumed_as_if_undisturbed(tmp_path, toy_runs(draws=range(12)), undisturbed)
    assert 2 <= len(kept) < 12, "the signal came after the end"


ROUNDS = [*range(2), *(pytest.param(number, marks=pytest.mark.stress) for number in range(2, 102))]


@pytest.mark.slow
@pytest.mark.parametrize("number", ROUNDS)
def test_a_grid_that_is_killed_at_a_random_moment_loses_no_cell_and_ends_as_if_undisturbed(
    toy, toy_runs, tmp_path, undisturbed, number
):
    moment, runs = random.Random(number), toy_runs(draws=range(12))
    workers = 1 + number % 2
    disturbed_grid(tmp_path, signal.SIGKILL, moment.randrange(11), moment.random(), workers)
    kept = resumed_as_if_undisturbed(tmp_path, runs, undisturbed)
    if workers == 1:  # one cell was in flight at most: what is stored is the beginning of the grid
        assert kept == {run.key for run in runs[: len(kept)]}


@pytest.mark.slow
def test_devnet_learns_elpv_in_the_frozen_lane(trunk, tmp_path):
    from devnetlib.study.planning import plan

    runs = plan("elpv", "devnet", "quick", str(trunk), splits=[42])
    (scores,), failures = execute_all(runs, tmp_path, Machine(weights=str(trunk)))
    assert failures == [] and len(scores.score) == 377 + 705
    assert auroc(scores.values, scores.labels) >= 0.80
