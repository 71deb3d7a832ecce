"""Who executes a grid: this process, a pool of processes that ends with it, or the workers of a Dask scheduler."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from devnetlib.errors import GO_ON
from devnetlib.study.execution import Machine
from devnetlib.study.grids import held, warm_caches
from devnetlib.study.runs import Run

# Read before Python starts, as the Makefile has them. glibc hands torch's large buffers back to the system and faults
# them in again, unless told otherwise, and asks for no large pages, which spare the processor looking addresses up.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


@contextmanager
def engine(
    scheduler: str | None, workers: int, runs: list[Run], results: Path, machine: Machine, pixels: bool = False
) -> Iterator[Executor | None]:
    """What executes the runs that `held` does not find stored (with `pixels`, not with these): the workers of a
    scheduler (an address, or `local` for so many workers of this machine), else a pool of so many processes, or None
    for this one.

    The device, and on a cluster much more, is checked first; banks and maps are made before several need them.
    """
    there = held(runs, results, machine, pixels)
    missing = [run for run in runs if run not in there]
    if not missing:
        yield None
        return
    if scheduler:
        from devnetlib.study.cluster import dask_workers

        with dask_workers(scheduler, workers, missing, machine) as executor:
            yield executor
        return
    machine.torch_device()
    if workers > 1:
        warm_caches(missing, results, machine)
    with process_pool(workers) as executor:
        yield executor


@contextmanager
def process_pool(workers: int) -> Iterator[Executor | None]:
    """A pool of `workers` processes, or None for one: then runs follow one another in this process.

    Runs that have not begun are dropped when the block is left by an exception such as Ctrl-C.
    """
    if workers <= 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    pool = ProcessPoolExecutor(workers, context, initializer=end_with_parent, initargs=(os.getpid(),))
    try:
        yield pool
    except BrokenProcessPool:
        raise BrokenExecutor(f"a process of the pool was killed (out of memory?): {GO_ON}") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def end_with_parent(parent: int) -> None:
    """Let a worker end when its parent is killed, which tells it nothing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
