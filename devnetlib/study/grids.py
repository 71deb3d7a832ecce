"""`execute_all`: a grid of runs, each stored the moment it is done; what fails does not take the others with it."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from tqdm import tqdm

from devnetlib.data.images import image_bank
from devnetlib.data.prepare import Prepared, known, prepare
from devnetlib.errors import Incomplete, Misuse, told_to_user
from devnetlib.methods import CONTROLS
from devnetlib.methods.controls import Probe
from devnetlib.study import results as stored
from devnetlib.study.execution import HERE, Machine, execute, warm_maps
from devnetlib.study.localisation import explain
from devnetlib.study.results import Scores
from devnetlib.study.runs import Run
from devnetlib.study.together import Outcome, companions, execute_together, shares


@dataclass(frozen=True)
class Failure:
    """A run that could not be finished, and why."""

    run: Run
    error: Exception

    def __str__(self) -> str:
        told = told_to_user(self.error) if isinstance(self.error, Misuse | Incomplete | OSError) else None
        return f"{self.run.key}: {told or f'{type(self.error).__name__}: {self.error}'}{self.mend}"

    @property
    def mend(self) -> str:
        """What to do where the memory did not suffice; on a processor torch calls that a RuntimeError."""
        lacking = isinstance(self.error, MemoryError | torch.OutOfMemoryError)
        if not lacking and "can't allocate memory" not in str(self.error):
            return ""
        batch, pixels = self.run.training.batch, self.run.training.pixels
        return f" (batch {batch} of {pixels} px: lower it with --batch {max(2, batch // 2)}, or --workers)"


def execute_all(
    runs: Iterable[Run],
    results: Path = stored.YOURS,
    machine: Machine = HERE,
    executor: Executor | None = None,
    on_done: Callable[[Scores], None] = lambda scores: None,
    pixels: bool = False,
) -> tuple[list[Scores], list[Failure]]:
    """Execute every run that `results` does not hold yet, one progress bar for all; each is stored the moment it is
    done.

    A damaged file is named and its run executed again, as is one whose images are not those at hand. A failing run is
    reported and the others go on. `executor` may be any `concurrent.futures` executor; without one the runs follow one
    another here. With `pixels` every run is explained, too, and what is stored without them counts as missing. Returns
    the scores, in the order of `runs`, and the failures.
    """
    wanted = list(dict.fromkeys(runs))
    check_writable(results)
    done = held(wanted, results, machine, pixels, partial(tqdm.write, file=sys.stderr))
    for scores in done.values():
        on_done(scores)
    failures = []
    todo = [run for run in wanted if run not in done]
    with tqdm(total=len(todo), desc="runs", unit="run", disable=None if todo else True) as bar:
        for run, outcome in outcomes(todo, machine, executor, pixels):
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
    needed: dict[Hashable, dict[str, Run]] = {}
    runs = list(runs)
    there = held(runs, results, machine)
    for run in runs:
        if run not in there and not isinstance(CONTROLS.get(run.method), Probe):
            rows = needed.setdefault((run.dataset, run.reading, run.training.pixels, run.weights), {})
            rows.setdefault(run.row, run)
    for rows in needed.values():
        first, *_ = rows.values()
        try:
            data = prepare(first.dataset, first.reading, machine.data_root, checked=True)
            bank = image_bank(data.table, data.root, first.training.pixels, machine.cache)
        except (Misuse, Incomplete):  # every one of its runs will say so; the others go on
            continue
        warm_maps([run for run in rows.values() if run.training.trains == "head"], data, bank, machine)


def outcomes(
    runs: list[Run], machine: Machine, executor: Executor | None, pixels: bool = False
) -> Iterable[tuple[Run, Outcome]]:
    """Each run with what its execution gave or the exception it raised, as they finish."""
    calls: Iterable[tuple[list[Run], Callable[[], list[Outcome]]]]
    groups = [[run] for run in runs] if pixels else companions(runs)
    if executor is None:
        calls = ((group, partial(execute_group, group, machine, pixels)) for group in groups)
    else:
        futures = {executor.submit(execute_group, group, machine, pixels): group for group in groups}
        calls = ((futures[future], future.result) for future in as_completed(futures))
    for group, call in calls:
        try:
            found = call()
        except BrokenExecutor:  # nobody is left to execute the others
            raise
        except Exception as error:  # a failed cell must not take the others with it, nor keep its tensors
            found = [error.with_traceback(None)] * len(group)
        yield from zip(group, found, strict=True)


def execute_group(group: list[Run], machine: Machine, pixels: bool = False) -> list[Outcome]:
    """Execute the runs of one group; where that fails and there are several, each alone, to find the one at fault."""
    try:
        if pixels:
            return [explain(run, machine) for run in group]
        return execute_together(group, machine) if shares(group[0]) else [execute(run, machine) for run in group]
    except Exception as error:
        if len(group) == 1:
            return [error.with_traceback(None)]
    return [outcome for run in group for outcome in execute_group([run], machine, pixels)]


def is_stored(run: Run, results: Path, pixels: bool = False, machine: Machine = HERE) -> bool:
    """Whether a scores file of a run counts, as in `held`."""
    return run in held([run], results, machine, pixels)


def held(
    runs: Iterable[Run],
    results: Path,
    machine: Machine,
    pixels: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[Run, Scores]:
    """The stored scores that count, by run: whole, of the images that are at hand, and with `pixels` those that hold
    them, of the masks at hand. What is damaged is told, and how many runs of a data set are of other images.

    Nothing counts of a data set whose images are not as they were prepared. Where there are none, their table is held
    against the one that is known.
    """
    partitions, images = cache(stored.read_partition), cache(partial(images_of, machine.data_root))
    found: dict[Run, Scores] = {}
    of_others: Counter[str] = Counter()
    for run in runs:
        if not (path := stored.scores_path(results, run)).exists():
            continue
        try:
            scores = stored.read(path, results, partitions)
        except stored.DamagedScores as error:
            tell(f"{error}\nexecuting {run.key} again")
            continue
        data = images(run.dataset, run.reading)
        kept = (
            scores if data is None else isinstance(data, Prepared) and scores.of_images(data.digest, data.mask_digest)
        )
        if kept is None:
            of_others[f"{run.dataset} ({run.reading})"] += 1
        elif kept and (kept.pixels is not None or not pixels):
            found[run] = kept
    for name, count in of_others.items():
        tell(f"{name}: stored runs of other images than those at hand: {count}, executed again")
    return found


def images_of(data_root: Path | None, dataset: str, reading: str) -> Prepared | Incomplete | None:
    """The images at hand, else those that are known by their table, None where neither are; the error where they are
    not as they were prepared."""
    try:
        return prepare(dataset, reading, data_root, checked=True)
    except Incomplete as error:
        return error
    except Misuse:  # not at hand
        return known(dataset, reading, data_root)


def check_writable(results: Path) -> None:
    """Misuse, before any compute is spent, where the results folder cannot be written."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        writable = os.access(results, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise Misuse(f"results folder {results} cannot be written: choose another with --results FOLDER")
