"""`bench`: both loops do the same work, take turns, and leave a record that bears its machine's name."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from devnetlib.data.batches import normalise
from devnetlib.study import bench, bench_commands, bench_records
from devnetlib.study.stretches import Case, flops, loop, processor_seconds

ROOT = Path(__file__).resolve().parents[2]
TOY = Case("toy", 64, device="cpu", batch=8)
FACTS = {"device": "Some (R) CPU @ 2 GHz", "cores": 4, "torch": "2.14.1+cu130", "precision": "fp32"}


@pytest.fixture
def loops(data_root):
    """Both loops on the toy, the plain one with our weights."""
    ours, plain = loop("ours", TOY), loop("plain", TOY)
    names = dict(
        zip(("0", "1", "4", "5", "6", "7"), ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"), strict=True)
    )
    state = ours.detector.backbone.state_dict()
    with torch.no_grad():
        for key, value in plain.model.state_dict().items():
            place, _, rest = key.partition(".")
            unit = {"weight": "scorer.unit.weight", "bias": "scorer.unit.bias"}
            source = state[f"{names[place]}.{rest}"] if place in names else ours.detector.get_parameter(unit[rest])
            value.copy_(source.view_as(value))
    return ours, plain


def test_both_loops_give_the_same_scores_for_the_same_weights(loops):
    ours, plain = loops
    np.testing.assert_allclose(ours.score(3), plain.score(3), rtol=1e-3)


def test_both_loops_train_on_half_labelled_batches_of_one_size_at_one_rate(loops):
    ours, plain = loops
    images, labels = next(plain.batches)
    assert images.shape == (TOY.batch, 3, TOY.pixels, TOY.pixels) and labels.sum() == TOY.batch / 2
    assert plain.training == ours.run.training and plain.optimiser.defaults["lr"] == ours.run.training.learning_rate
    before = [p.detach().clone() for p in (ours.detector.scorer.unit.weight, plain.model[-1].weight)]
    ours.train(1)
    plain.train(1)
    after = ours.detector.scorer.unit.weight, plain.model[-1].weight
    assert all((new - old).abs().max() > 1e-5 for new, old in zip(after, before, strict=True))


def test_the_plain_loop_turns_images_about_a_black_corner_and_leaves_the_tested_ones_upright(loops):
    _, plain = loops
    black = normalise(torch.zeros(1, 3, 1, 1)).flatten()
    turned, still = (torch.stack([images[place][0] for place in range(12)]) for images in (plain.known, plain.tested))
    corners = [torch.isclose(images[:, :, 0, 0], black).all(dim=1) for images in (turned, still)]
    assert corners[0].sum() > corners[1].sum()


def test_operations_are_counted_as_he_et_al_count_resnet18_and_grow_with_the_pixels():
    small, large, pyramid = flops(224, 1), flops(448, 1), flops(448, 2)
    assert small["forward"] / 2 == pytest.approx(1.8e9, rel=0.02)
    assert large["forward"] == 4 * small["forward"]
    assert pyramid["forward"] == large["forward"] + small["forward"]
    assert 2.8 < small["update"] / small["forward"] < 3


class Scripted:
    """An executor that answers with the seconds of a list, one after another."""

    def __init__(self, *answers: tuple[float, float]):
        self.answers = list(answers)

    def submit(self, *_) -> Future:
        done = Future()
        done.set_result(self.answers.pop(0))
        return done


def test_the_ratio_is_the_median_over_the_turns_after_one_that_warms_up():
    ours = Scripted((99, 99), (2, 4), (4, 4), (2, 4))
    plain = Scripted((99, 99), (6, 8), (4, 8), (10, 12))
    found = bench.turns({"ours": ours, "plain": plain}, TOY, "train", 2, 3)
    assert (found["ratio"], found["work_ratio"]) == (3, 2)
    assert found["seconds"] == {"ours": 1, "plain": 3}


def test_the_plain_run_beside_the_frozen_one_is_extrapolated_from_the_turns(monkeypatch):
    monkeypatch.setattr(bench, "alone", lambda *_: {"ours": 4.0, "images": 96})
    timed = {"seconds": {"plain": 3.0}, "batches": 2, "turns": [0, 0]}
    found = bench.frozen(TOY, {"batch": 48, "training": timed, "evaluation": {"seconds": {"plain": 1.0}}})
    assert found["plain"] == 100 * 3 + 2 * 1 and found["ratio"] == 302 / 4 and found["measured"] == 4


@pytest.mark.parametrize("settings", [bench.ALLOCATOR, {}])
def test_a_process_has_the_allocators_settings_that_it_is_given_and_no_others(monkeypatch, settings):
    (name, value), *_ = bench.ALLOCATOR.items()
    monkeypatch.setenv(name, "17")
    with bench.process(settings) as executor:
        assert executor.submit(os.getenv, name).result() == (value if settings else None)
    assert os.environ[name] == "17"


def test_the_allocators_settings_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"export {name} := {value}\n" in makefile for name, value in bench.ALLOCATOR.items())


def test_work_that_is_done_counts_as_seconds_of_the_processor():
    before = processor_seconds()
    sum(range(10**7))
    assert processor_seconds() > before


def test_records_of_other_machines_versions_and_precisions_have_other_names(tmp_path):
    others = [{"device": "GPU"}, {"cores": 8}, {"torch": "2.15.0"}, {"precision": "bf16"}]
    records = [FACTS, *(FACTS | other for other in others)]
    paths = [bench_records.keep(record, tmp_path) for record in records]
    assert len(set(paths)) == len(records)
    assert paths[0].name == "Some_R_CPU_2_GHz_4_cores-torch2.14.1-fp32.json"
    assert json.loads(paths[0].read_text()) == FACTS


def test_numbers_of_a_record_have_four_digits():
    assert bench_records.rounded({"a": [1.23456, 1234567, "x", True], "b": {"c": 0.000123456}}) == {
        "a": [1.235, 1234567, "x", True],
        "b": {"c": 0.0001235},
    }


@pytest.mark.parametrize("path", sorted(bench_records.RECORDS.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_record_bears_the_name_of_what_it_is_of_and_its_ratios_once(path):
    record = json.loads(path.read_text())
    assert bench_records.record_name(record) == path.name
    for name in ("training_ratio", "evaluation_ratio", "frozen_ratio", "amx"):
        assert path.read_text().count(f'"{name}"') == 1


@pytest.mark.slow
def test_the_command_prints_one_record_with_every_ratio_once(tmp_path):
    words = ["-m", "devnetlib", "bench", "--quick", "--json", "--dataset", "toy", "--data-root", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    for name in ("training_ratio", "evaluation_ratio", "frozen_ratio"):
        assert done.stdout.count(f'"{name}"') == 1 and record[name] > 0
    assert isinstance(record["amx"], bool) and [table["pixels"] for table in record["sizes"]] == [bench.STATED]
    assert bench_records.told(record).count("times as fast") == 3


def test_the_book_is_timed_with_every_notebook_executed_again(monkeypatch, tmp_path):
    executed = tmp_path / "book" / "notebooks" / "q1.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_text("{}")
    monkeypatch.setattr(bench_commands, "REPOSITORY", tmp_path)
    monkeypatch.setattr(bench_commands, "command_seconds", lambda words: 0.0 if executed.exists() else 7.0)
    assert bench_commands.rebuilding() == 7.0


@pytest.mark.slow
def test_runs_side_by_side_are_timed_without_the_start_of_python(toy, data_root):
    started = time.perf_counter()
    found = bench_commands.crowded(replace(TOY, data_root=data_root), 2, "smoke")
    assert found["runs"] == 2 and 0 < found["seconds"] < time.perf_counter() - started
    assert found["an_hour"] == pytest.approx(7200 / found["seconds"])


def test_runs_that_do_not_fit_side_by_side_end_the_row_and_lose_nothing(monkeypatch, capsys):
    def run(case, runs):
        if runs > 2:
            raise subprocess.CalledProcessError(1, "run", stderr="CUDA out of memory")
        return {"runs": runs}

    monkeypatch.setattr(bench_commands, "crowded", run)
    assert list(bench_commands.crowds(TOY)) == [{"runs": 1}, {"runs": 2}]
    assert capsys.readouterr().err == "4 released runs side by side failed: CUDA out of memory\n"
