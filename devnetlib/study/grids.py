"""`execute_all`: a grid of runs, each stored the moment it is done; what fails does not take the others with it."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from devnetlib.data.images import image_bank
from devnetlib.data.prepare import prepare
from devnetlib.errors import Misuse
from devnetlib.methods import CONTROLS
from devnetlib.methods.controls import Probe
from devnetlib.study import results as stored
from devnetlib.study.execution import HERE, Machine, build_detector, execute, lane_inputs
from devnetlib.study.results import Scores
from devnetlib.study.runs import Run


@dataclass(frozen=True)
class Failure:
    """A run that could not be finished, and why."""

    run: Run
    error: Exception

    def __str__(self) -> str:
        kind = "" if isinstance(self.error, Misuse) else f"{type(self.error).__name__}: "
        return f"{self.run.key}: {kind}{self.error}"


def execute_all(
    runs: Iterable[Run],
    results: Path = stored.YOURS,
    machine: Machine = HERE,
    executor: Executor | None = None,
    on_done: Callable[[Scores], None] = lambda scores: None,
) -> tuple[list[Scores], list[Failure]]:
    """Execute every run that `results` does not hold yet, one progress bar for all; each is stored the moment it is
    done.

    A damaged file is named and its run executed again. A failing run is reported and the others go on. `executor` may
    be any `concurrent.futures` executor; without one the runs follow one another here. Returns the scores, in the
    order of `runs`, and the failures.
    """
    wanted = list(dict.fromkeys(runs))
    check_writable(results)
    done = {run: scores for run in wanted if (scores := read_back(run, results)) is not None}
    for scores in done.values():
        on_done(scores)
    failures = []
    todo = [run for run in wanted if run not in done]
    with tqdm(total=len(todo), desc="runs", unit="run", disable=None if todo else True) as bar:
        for run, outcome in outcomes(todo, machine, executor):
            if isinstance(outcome, Exception):
                failures.append(Failure(run, outcome))
            else:
                stored.write(*outcome, results)
                done[run] = outcome[0]
                on_done(outcome[0])
            bar.update()
    return [done[run] for run in wanted if run in done], failures


def warm_caches(runs: Iterable[Run], results: Path, machine: Machine) -> None:
    """Make the banks and maps that the missing runs need, before several processes would each make them."""
    needed = {}
    for run in runs:
        if not stored.scores_path(results, run).exists() and not isinstance(CONTROLS.get(run.method), Probe):
            needed.setdefault((run.dataset, run.reading, run.row, run.training.pixels, run.weights), run)
    for run in needed.values():
        data = prepare(run.dataset, run.reading, machine.data_root)
        bank = image_bank(data.table, data.root, run.training.pixels, machine.cache)
        if run.training.trains == "head":
            lane_inputs(run, build_detector(run, machine)[0], data, bank, machine)


def outcomes(runs: list[Run], machine: Machine, executor: Executor | None) -> Iterable[tuple[Run, Any]]:
    """Each run with what `execute` gave or the exception it raised, as they finish."""
    if executor is None:
        calls: Iterable[tuple[Run, Callable[[], Any]]] = ((run, lambda run=run: execute(run, machine)) for run in runs)
    else:
        futures = {executor.submit(execute, run, machine): run for run in runs}
        calls = ((futures[future], future.result) for future in as_completed(futures))
    for run, call in calls:
        try:
            yield run, call()
        except Exception as error:  # a failed cell must not take the others with it
            yield run, error


def read_back(run: Run, results: Path) -> Scores | None:
    """Stored scores of a run; None where there are none or the file is damaged, which is said."""
    path = stored.scores_path(results, run)
    if not path.exists():
        return None
    try:
        return stored.read(path, results)
    except stored.DamagedScores as error:
        tqdm.write(f"{error}\nexecuting {run.key} again")
        return None


def check_writable(results: Path) -> None:
    """Misuse, before any compute is spent, where the results folder cannot be written."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        writable = os.access(results, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise Misuse(f"results folder {results} cannot be written: choose another with --results FOLDER")
