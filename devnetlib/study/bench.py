"""`bench`: our training step and evaluation beside the loop that everyone writes, in turns, on this machine.

Each of the two has a process of its own, ours with the allocator's settings that the Makefile gives it. They take turns
so that whatever else the machine does meets both; the ratio is the median over the turns.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from statistics import median
from typing import Any

import torch

from devnetlib.cores import usable_cores
from devnetlib.study.bench_commands import crowds, growing, rebuilding, starting
from devnetlib.study.compile_times import compile_seconds
from devnetlib.study.compiling import compilers_for, reason
from devnetlib.study.execution import Machine
from devnetlib.study.precision import check_precision, device_name, faster, has_amx
from devnetlib.study.stretches import (
    Case,
    decoding,
    end_loops,
    frozen_seconds,
    half_precision,
    matrix_peak,
    peak_mb,
    timed,
)
from devnetlib.study.stretches import flops as counted_flops
from devnetlib.study.workers import ALLOCATOR, end_with_parent

STATED = 224  # the ratios at the head of a record are for images of this side
FROZEN_UPDATES = 100
SIDES = ("ours", "plain")


@dataclass(frozen=True)
class Effort:
    """How much is measured: image sides, turns of either loop, updates and batches a turn, whether what else takes time
    is, and whether the accuracy of half precision is."""

    sides: tuple[int, ...]
    turns: int
    updates: int
    batches: int
    whole: bool
    accuracy: bool = False


# Enough of either that what is done once a call, such as folding the normalisations away, weighs as little as in a run.
FULL = Effort((112, STATED), turns=3, updates=6, batches=9, whole=True)
QUICK = Effort((STATED,), turns=2, updates=2, batches=4, whole=False)


def bench(case: Case, effort: Effort) -> dict[str, Any]:
    """Measure everything; the record, whose numbers are seconds, images a second, megabytes and operations."""
    device = Machine(device=case.device).torch_device()
    sides = (*effort.sides, 448) if device.type == "cuda" and effort.whole else effort.sides
    tables = [side_by_side(case.at(pixels), effort) for pixels in sides]
    stated = next(table for table in tables if table["pixels"] == max(effort.sides))
    record = facts(case, device) | {
        "sizes": tables,
        "frozen": frozen(case, stated),
        "training_ratio": stated["training"]["ratio"],
        "evaluation_ratio": stated["evaluation"]["ratio"],
        "starting": starting(),
    }
    record["frozen_ratio"] = record["frozen"]["ratio"]
    if device.type == "cuda" and effort.whole:
        record["released"] = list(crowds(case))
    if effort.whole:
        record |= {"compiling": list(compiling(case, device)), "preparing": alone(decoding, case)}
        record |= {"growing": growing(case), "book": rebuilding()}
    if effort.accuracy:
        record["half_precision"] = alone(half_precision, case)
    return record


def facts(case: Case, device: torch.device) -> dict[str, Any]:
    """What the record is of."""
    return {
        "device": device_name(device),
        "cores": usable_cores(),
        "amx": has_amx(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "precision": case.precision,
        "dataset": case.dataset,
        "load": os.getloadavg()[0],
        "matrix_tflops": alone(matrix_peak, case),
        "flops": [counted_flops(pixels, scales) for pixels, scales in ((112, 1), (STATED, 1), (448, 1), (448, 2))],
    }


def side_by_side(case: Case, effort: Effort) -> dict[str, Any]:
    """Training and evaluation of both loops at one size, in turns."""
    with process(ALLOCATOR) as ours, process({}) as plain:
        executors = dict(zip(SIDES, (ours, plain), strict=True))
        tables = {
            "training": turns(executors, case, "train", effort.updates, effort.turns),
            "evaluation": turns(executors, case, "score", effort.batches, effort.turns),
        }
        peaks = {side: executors[side].submit(peak_mb, case).result() for side in SIDES}
        plain.submit(end_loops).result()
    return {"pixels": case.pixels, "batch": case.batch, "peak_mb": peaks, **tables}


def turns(executors: Mapping[str, Executor], case: Case, what: str, count: int, number: int) -> dict[str, Any]:
    """Seconds a batch of both loops, turn by turn after one that warms up, how many times as fast ours is, and how many
    times as many seconds of the processor the plain loop takes: on a busy machine the fairer number, for the system
    gives more of it to the loop with more processes."""

    def turn(side: str, batches: int) -> list[float]:
        return [part / batches for part in executors[side].submit(timed, side, case, what, batches).result()]

    for side in SIDES:
        turn(side, 1)
    pairs = [[turn(side, count) for side in SIDES] for _ in range(number)]
    ratios, work_ratios = ([plain[kind] / ours[kind] for ours, plain in pairs] for kind in (0, 1))
    return {
        "seconds": {name: median(pair[side][0] for pair in pairs) for side, name in enumerate(SIDES)},
        "turns": pairs,
        "batches": count,
        "ratio": median(ratios),
        "work_ratio": median(work_ratios),
    }


def frozen(case: Case, beside: Mapping[str, Any]) -> dict[str, Any]:
    """A run of the frozen lane on cached maps, beside the plain loop's seconds for as many updates and test images,
    extrapolated from its turns."""
    ours = alone(frozen_seconds, case, FROZEN_UPDATES)
    update, scored = (beside[what]["seconds"]["plain"] for what in ("training", "evaluation"))
    expected = FROZEN_UPDATES * update + ours["images"] / beside["batch"] * scored
    measured = beside["training"]["batches"] * len(beside["training"]["turns"])
    found = {"updates": FROZEN_UPDATES, "plain": expected, "measured": measured}
    return ours | found | {"ratio": expected / ours["ours"]}


def compiling(case: Case, device: torch.device) -> Iterator[dict[str, Any]]:
    """`compile_seconds` of every compiler that works here; what does not is said."""
    for compiler in compilers_for(device):
        try:
            yield alone(compile_seconds, case, compiler)
        except Exception as error:  # whatever a compiler or a small GPU breaks, the rest of the record is kept
            print(f"--compile {compiler} was not timed: {reason(error)}", file=sys.stderr)


@contextmanager
def process(settings: Mapping[str, str]) -> Iterator[Executor]:
    """A process of its own, started with just these settings of the allocator, which are read before Python starts."""
    before = dict(os.environ)
    context, watch = get_context("spawn"), {"initializer": end_with_parent, "initargs": (os.getpid(),)}
    with ProcessPoolExecutor(1, context, **watch) as pool:
        try:
            for name in ALLOCATOR:
                os.environ.pop(name, None)
            os.environ.update(settings)
            pool.submit(os.getpid).result()  # a process starts with its first task
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield pool


def alone(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a process of its own, with our allocator's settings."""
    with process(ALLOCATOR) as executor:
        return executor.submit(function, *args).result()


def effort_of(asked: Any) -> Effort:
    """How much is measured, from the words of the command line."""
    return replace(QUICK if asked.quick else FULL, accuracy=asked.accuracy)


def case_of(asked: Any) -> Case:
    """What is measured, from the words of the command line; `auto` is resolved by the timed probe."""
    check_precision(asked.precision, "laptop")
    machine = Machine(device=asked.device, data_root=asked.data_root)
    device, auto = machine.torch_device(), asked.precision == "auto"
    precision = faster(device, machine.cache) if auto else asked.precision
    return Case(asked.dataset, STATED, device.type, precision, asked.data_root)
