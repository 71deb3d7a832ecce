"""What goes wrong on machines: memory and disks that do not suffice, damaged caches, two processes on one folder."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from devnetlib.__main__ import main
from devnetlib.data import caches
from devnetlib.data.caches import cached_array, sound
from devnetlib.errors import Misuse, Unwritable
from devnetlib.study.execution import Machine
from devnetlib.study.grids import Failure, execute_all
from devnetlib.study.planning import plan
from devnetlib.study.results import collect
from devnetlib.study.runs import Run
from devnetlib.study.workers import process_pool

ROOT = Path(__file__).resolve().parents[2]
ONE = Machine(threads=1)
GREY = ["run", "--dataset", "toy", "--method", "grey", "--profile", "smoke", "--weights", "random", "--draw", "0-2"]
ON_A_PROCESSOR = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
Room = namedtuple("Room", "total used free")


# Memory.


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), ON_A_PROCESSOR])
def test_a_cell_that_runs_out_of_memory_names_its_batch_and_what_lowers_it_and_the_grid_goes_on(
    toy_runs, tmp_path, monkeypatch, error
):
    from devnetlib.study import execution

    runs, whole = toy_runs(draws=[0, 1]), execution.train

    def greedy(run, *rest):
        if run.draw == 0:
            raise error
        return whole(run, *rest)

    monkeypatch.setattr(execution, "train", greedy)
    scores, (failure,) = execute_all(runs, tmp_path, ONE)
    assert [one.run for one in scores] == runs[1:] and failure.run == runs[0]
    assert str(failure).endswith("(batch 16 of 64 px: lower it with --batch 8, or --workers)")
    assert failure.error.__traceback__ is None, "the failed cell's tensors are still held"


def test_other_failures_say_nothing_of_memory(toy_runs):
    assert "--batch" not in str(Failure(toy_runs()[0], RuntimeError("the file is gone")))


def test_another_batch_is_another_run_whose_command_executes_it_again():
    (usual,), (smaller,) = (plan("toy", "devnet", "smoke", "random", batch=batch) for batch in (None, 8))
    assert (usual.training.batch, smaller.training) == (16, replace(usual.training, batch=8))
    assert usual.key != smaller.key and "--batch" not in usual.command and "--batch 8" in smaller.command
    assert plan("toy", "devnet", "smoke", "random", batch=16) == [usual]
    with pytest.raises(Misuse, match="--batch 1: expected at least 2"):
        plan("toy", "devnet", "smoke", "random", batch=1)


# Disks.


class FullDisk:
    """A disk that is full from the n-th call of one way of writing below a folder; a text is cut where it is full."""

    def __init__(self, monkeypatch, call: str, folder: Path, number: int):
        self.left, whole = number, getattr(Path, call)

        def write(path: Path, *args, **kwargs):
            if folder in path.parents:
                if self.left == 0:
                    if call == "write_text":
                        whole(path, args[0][:50])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self.left -= 1
            return whole(path, *args, **kwargs)

        monkeypatch.setattr(Path, call, write)


@pytest.mark.parametrize("call", ["write_text", "replace"])
def test_a_full_results_disk_is_said_with_the_path_at_whichever_write_and_nothing_is_half_written(
    toy_runs, tmp_path, monkeypatch, capsys, call
):
    draws = toy_runs("grey", draws=range(3))
    for number in range(4):  # the partitions of three draws and their scores take six calls
        folder = tmp_path / f"{number}"
        with monkeypatch.context() as patch:
            FullDisk(patch, call, folder, number)
            assert main([*GREY, "--results", str(folder)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {folder}") and "not written (No space left on device)" in line
        assert "name another folder with --results" in line
        assert [one.run for one in collect(folder)] == draws[: number // 2]
        assert [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"] == []
        assert main([*GREY, "--results", str(folder)]) == 0
        assert [one.run for one in sorted(collect(folder), key=lambda one: one.run.draw)] == draws
        capsys.readouterr()


def test_a_disk_without_room_for_a_cache_is_said_before_a_byte_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(caches.shutil, "disk_usage", lambda folder: Room(10**9, 10**9 - 100, 100))
    monkeypatch.setattr(np, "save", lambda *_: pytest.fail("written"))
    with pytest.raises(Unwritable, match=r"some\.npy: not written \(2\.0 MB are needed, 0\.0 MB are free\); make room"):
        cached_array(tmp_path / "some.npy", lambda: np.zeros(250_000))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_under_a_cache_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(stream, array):
        stream.write(bytes(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(Unwritable, match=r"some\.npy: not written \(No space left on device\); make room"):
        cached_array(tmp_path / "some.npy", lambda: np.zeros(9))
    assert list(tmp_path.iterdir()) == []


# Caches.

ARRAY = np.arange(200, dtype=np.uint8)


def test_a_cache_cut_at_any_byte_or_with_any_bit_flipped_is_made_again_and_said(tmp_path, capsys):
    path = tmp_path / "some.npy"
    cached_array(path, lambda: ARRAY)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    flipped = [bytearray(whole) for _ in range(300)]
    for damaged in flipped:
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
    for damaged in [*flipped, *(whole[:length] for length in range(len(whole)))]:
        path.write_bytes(damaged)
        sound.cache_clear()  # as a new process
        assert np.array_equal(cached_array(path, lambda: ARRAY), ARRAY)
        assert f"{path}: damaged cache" in capsys.readouterr().err
        assert path.read_bytes() == whole


def test_a_whole_cache_is_not_made_again(tmp_path, capsys):
    cached_array(tmp_path / "some.npy", lambda: ARRAY)
    sound.cache_clear()
    assert np.array_equal(cached_array(tmp_path / "some.npy", lambda: pytest.fail("made again")), ARRAY)
    assert capsys.readouterr().err == ""


@pytest.fixture
def cached(tmp_path, toy_runs, capsys):
    """`cached(words)`: what the command `cache` prints, on a data root with the bank and the maps of the toy."""
    run = toy_runs("untrained", "quick")[0]
    small: Run = replace(run, training=replace(run.training, pixels=64))
    assert execute_all([small], tmp_path / "yours", Machine(threads=1, data_root=tmp_path))[1] == []

    def run_command(*words: str) -> str:
        capsys.readouterr()
        assert main(["cache", *words, "--data-root", str(tmp_path)]) == 0
        return capsys.readouterr().out

    return run_command


def test_caches_are_listed_with_their_size_their_data_set_and_what_they_depend_on_and_cleared(cached, tmp_path):
    bank, maps = json.loads(cached("list", "--json"))
    assert (bank["kind"], maps["kind"], bank["dataset"], maps["dataset"]) == ("bank", "maps", "toy", "toy")
    assert all(one["bytes"] == Path(one["path"]).stat().st_size > 0 for one in (bank, maps))
    assert "64px" in bank["depends_on"]
    assert all(word in maps["depends_on"] for word in ("64px", "resnet18", "stage3", "random", "fp32", "image table"))
    *_, last = cached("list").splitlines()
    assert last.split() == [f"{(bank['bytes'] + maps['bytes']) / 1e6:.1f}", "MB", "in", "all"]
    assert json.loads(cached("clear", "elpv", "--json")) == {"files": 0, "bytes": 0}
    assert json.loads(cached("clear", "toy", "--json")) == {"files": 2, "bytes": bank["bytes"] + maps["bytes"]}
    assert json.loads(cached("list", "--json")) == [] and list((tmp_path / "cache").rglob("*.npy")) == []


def test_what_a_dead_process_left_unfinished_is_cleared_and_what_a_living_one_is_making_is_not(cached, tmp_path):
    folder = tmp_path / "cache" / "banks"
    for name in ("dead", "living"):
        (folder / f"0123456789abcdef-64px.npy.{name}.tmp").write_bytes(b"half")
    with (folder / "0123456789abcdef-64px.npy.living.tmp").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        unfinished, *_ = json.loads(cached("list", "--json"))
        assert (unfinished["kind"], unfinished["dataset"]) == ("unfinished", None)
        assert json.loads(cached("clear", "--json"))["files"] == 3
    assert [path.name for path in folder.iterdir()] == ["0123456789abcdef-64px.npy.living.tmp"]


# Processes.


def test_a_pool_of_which_a_process_is_killed_says_how_to_go_on():
    said = r"a process of the pool was killed \(out of memory\?\): finished runs are stored"
    with pytest.raises(BrokenExecutor, match=said), process_pool(2) as pool:
        pool.submit(os._exit, 1).result()


@pytest.mark.slow
def test_two_processes_on_one_results_folder_store_each_cell_once_and_leave_no_lock(toy, toy_runs, tmp_path):
    command = [sys.executable, "-m", "devnetlib", "run", "--dataset", "toy", "--profile", "smoke", "--json"]
    command += ["--weights", "random", "--threads", "1", "--draw", "0-3", "--results", str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=240)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    keys = {run.key for run in toy_runs(draws=range(4))}
    assert [{json.loads(line)["key"] for line in lines} for lines in told] == [keys, keys]
    assert sorted(one.run.key for one in collect(tmp_path)) == sorted(keys)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json"}
