"""Grids on Dask workers: the scores of one process, workers that are lost or differ, schedulers that are not there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devnetlib.__main__ import main
from devnetlib.errors import Misuse
from devnetlib.study import kit
from devnetlib.study.cluster import from_anywhere, on_every_worker
from devnetlib.study.execution import Machine
from devnetlib.study.grids import execute_all
from devnetlib.study.planning import plan
from devnetlib.study.results import collect
from devnetlib.study.workers import engine

ROOT = Path(__file__).resolve().parents[2]
ONE = Machine(threads=1)
GO_ON = "finished runs are stored, the same command goes on with the rest"
GREY = ["run", "--dataset", "toy", "--method", "grey", "--profile", "smoke", "--threads", "1"]


class Scheduler:
    """A scheduler started by hand, whose workers are too; all end with it."""

    def __init__(self, folder: Path):
        self.file, self.workers = folder / "scheduler.json", []
        self.process = self.start("scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard")
        self.address = json.loads(wait_for(lambda: self.file.exists() and self.file.read_text()))["address"]

    def start(self, what: str, *words: str, **settings: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *words]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        return subprocess.Popen(command, cwd=self.file.parent, env=os.environ | settings, **silent)

    def worker(self, *words: str, **settings: str) -> subprocess.Popen:
        """A worker (or several), once the scheduler knows it."""
        before = len(self.pids())
        started = self.start("worker", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *words, **settings)
        self.workers.append(started)
        wait_for(lambda: len(self.pids()) > before)
        return started

    def pids(self) -> list[int]:
        """Process numbers of the workers that the scheduler knows."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return list(client.run(os.getpid).values())

    def stop(self) -> None:
        for process in [*self.workers, self.process]:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)


def wait_for(answer: Callable, seconds: float = 120) -> object:
    """What the function answers, once it is something."""
    deadline = time.monotonic() + seconds
    while not (found := answer()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


@pytest.fixture
def scheduler(tmp_path) -> Iterator[Scheduler]:
    started = Scheduler(tmp_path)
    yield started
    started.stop()


def refusal(address: str, capsys, *words: str) -> str:
    """The one line with which the command line refuses the workers of a scheduler."""
    assert main([*GREY, *words, "--scheduler", address, "--results", "nowhere"]) == 2
    output, errors = capsys.readouterr()
    assert output == "" and len(errors.splitlines()) == 1 and not Path("nowhere").exists()
    return errors


@pytest.mark.slow
def test_a_local_cluster_gives_the_scores_of_one_process_at_one_thread_and_at_two(toy_runs, tmp_path):
    (frozen,) = toy_runs(profile="quick")
    frozen = replace(frozen, training=replace(frozen.training, pixels=64, updates=5))
    runs = [*toy_runs(draws=[0, 1]), frozen, *toy_runs("grey")]
    with engine("local", 2, runs, tmp_path, ONE) as executor:
        for threads in (1, 2):
            machine = Machine(threads=threads)
            alone, _ = execute_all(runs, tmp_path / f"alone{threads}", machine)
            spread, failures = execute_all(runs, tmp_path / f"cluster{threads}", machine, executor)
            assert failures == [] and [one.score for one in spread] == [one.score for one in alone]
            assert {one.origin["threads"] for one in spread} == {threads}


@pytest.mark.slow
def test_a_killed_worker_costs_no_cell(toy_runs, tmp_path, scheduler):
    scheduler.worker("--nworkers", "2")
    runs, killed = toy_runs(draws=range(5)), []

    def kill_one(_):
        if not killed:
            killed.append(scheduler.pids()[0])
            os.kill(killed[0], signal.SIGKILL)

    with engine(scheduler.address, 2, runs, tmp_path / "yours", ONE) as executor:
        scores, failures = execute_all(runs, tmp_path / "yours", ONE, executor, kill_one)
    assert killed and failures == [] and [one.run for one in scores] == runs == [one.run for one in collected(tmp_path)]
    wait_for(lambda: len(scheduler.pids()) == 2)
    assert killed[0] not in scheduler.pids()


def collected(folder: Path) -> list:
    """What is stored, in the order of the draws."""
    return sorted(collect(folder / "yours"), key=lambda scores: scores.run.draw)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["all workers are", "the scheduler is"])
def test_a_lost_cluster_is_said_within_seconds_and_the_grid_resumes_without_it(
    toy_runs, tmp_path, scheduler, monkeypatch, capsys, lost
):
    monkeypatch.setattr("devnetlib.study.cluster.PATIENCE", 2)
    worker, moments = scheduler.worker("--no-nanny"), []

    def lose(_):
        if not moments:
            (worker if lost.startswith("all") else scheduler.process).kill()
            moments.append(time.monotonic())

    command = [
        "run",
        "--dataset",
        "toy",
        "--profile",
        "smoke",
        "--weights",
        "random",
        "--draw",
        "0-3",
        "--threads",
        "1",
    ]
    command += ["--results", str(tmp_path / "yours")]
    monkeypatch.setattr("devnetlib.report.tables.run_record", lambda scores: lose(scores) or {"key": scores.run.key})
    assert main([*command, "--json", "--scheduler", scheduler.address]) == 1
    assert time.monotonic() - moments[0] < 30
    output, errors = capsys.readouterr()
    assert (
        errors.splitlines()[-1]
        == f"error: {lost} lost: finished runs are stored, the same command goes on with the rest"
    )
    kept = {one.run.key for one in collected(tmp_path)}
    assert kept == {json.loads(line)["key"] for line in output.splitlines()} and 1 <= len(kept) < 4
    assert main([*command, "--json"]) == 0
    assert [one.run for one in collected(tmp_path)] == toy_runs(draws=range(4))


@pytest.mark.slow
def test_workers_that_would_give_other_scores_are_refused_by_name(scheduler, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "devnetlib", tmp_path / "other" / "devnetlib")
    with (tmp_path / "other" / "devnetlib" / "deviation.py").open("a") as source:
        source.write("# changed\n")
    expected = kit.kit()["devnetlib"]
    found = kit.code_digest(tmp_path / "other" / "devnetlib")
    cases = [
        (("--nthreads", "2"), {}, "runs 2 tasks at once, expected 1: start it with --nthreads 1"),
        ((), {"PYTHONPATH": str(tmp_path / "other")}, f"has devnetlib {found}, expected {expected}: install the same"),
        ((), {"DEVNET_DATA": str(tmp_path / "empty")}, f"headct is not prepared in {tmp_path / 'empty'}"),
    ]
    for words, settings, reason in cases:
        worker = scheduler.worker("--no-nanny", *words, **settings)
        said = refusal(scheduler.address, capsys, "--dataset", "headct")
        assert said.startswith("error: worker tcp://127.0.0.1:") and reason in said
        worker.terminate()
        wait_for(lambda: not scheduler.pids())


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_or_has_no_workers_is_said_within_seconds(
    scheduler, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("devnetlib.study.cluster.ANSWER", 2)
    started = time.monotonic()
    assert "has no workers: start some with 'dask worker" in refusal(scheduler.address, capsys)
    scheduler.stop()
    assert f"no scheduler answers at {scheduler.address}" in refusal(scheduler.address, capsys)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("address", ["cluster7", "foo://host:8786", "tcp://host", "tcp://host:٣"])
def test_what_is_no_address_is_refused(address, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "expected an address such as tcp://host:8786, or local" in refusal(address, capsys)


@pytest.mark.slow
def test_paths_that_are_relative_here_are_found_by_workers_started_elsewhere(
    scheduler, toy_runs, tmp_path, monkeypatch, trunk
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(trunk, "trunk.safetensors")
    machine = Machine(weights="trunk.safetensors", threads=1, data_root=Path("data"))
    runs = plan("toy", "devnet", "smoke", "trunk.safetensors")
    scheduler.worker("--no-nanny")
    with engine(scheduler.address, 1, runs, Path("results"), machine) as executor:
        scores, failures = execute_all(runs, Path("results"), machine, executor)
    assert failures == [] and len(scores) == 1 and (tmp_path / "here/data/cache").is_dir()
    assert not (tmp_path / "data").exists()


def test_words_for_weights_and_defaults_are_sent_to_workers_as_they_are():
    for weights in (None, "imagenet", "embedded", "random"):
        assert from_anywhere(Machine(weights=weights)) == Machine(weights=weights)


def test_what_a_worker_lacks_is_told_with_its_address_and_that_it_reads_its_own_disk():
    class Client:
        def run(self, *_, **__):
            return {"tcp://a:1": Misuse("no weights file some.pth")}

    with pytest.raises(
        Misuse, match=r"worker tcp://a:1: no weights file some\.pth; a worker reads .* on its own machine"
    ):
        on_every_worker(Client(), max)


def test_a_grid_that_is_stored_already_asks_no_scheduler(toy_runs, tmp_path):
    runs = toy_runs("grey")
    execute_all(runs, tmp_path, ONE)
    with engine("tcp://127.0.0.1:9", 2, runs, tmp_path, ONE) as executor:
        assert executor is None


def test_every_source_of_the_package_is_part_of_its_digest(tmp_path):
    shutil.copytree(ROOT / "devnetlib", tmp_path / "devnetlib")
    digest = kit.code_digest(tmp_path / "devnetlib")
    assert digest == kit.code_digest(ROOT / "devnetlib")
    for path in list((tmp_path / "devnetlib").rglob("*.py"))[::7]:
        whole = path.read_text()
        path.write_text(whole + " ")
        assert kit.code_digest(tmp_path / "devnetlib") != digest
        path.write_text(whole)
    (tmp_path / "devnetlib" / "methods" / "bce.py").rename(tmp_path / "devnetlib" / "methods" / "cross_entropy.py")
    assert kit.code_digest(tmp_path / "devnetlib") != digest


def test_a_task_is_refused_by_a_worker_that_joined_later_with_another_library():
    assert kit.checked(kit.kit(), max, 1, 2) == 2
    with pytest.raises(Misuse, match=r"has torch [\d.]+\S*, expected 1\.0: install the same there"):
        kit.checked(kit.kit() | {"torch": "1.0"}, max, 1, 2)
