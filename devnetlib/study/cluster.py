"""A grid on Dask workers: every one checked before anything runs, and all of them lost is said instead of waited for.

The workers need this code, the data root and the weights. Results are written by the process that asked, alone.
"""

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from devnetlib.data.prepare import known, prepare
from devnetlib.errors import GO_ON, Incomplete, Misuse
from devnetlib.study.execution import Machine, build_detector
from devnetlib.study.grids import warm_caches
from devnetlib.study.kit import SAME, checked, differences, kit
from devnetlib.study.runs import Run
from devnetlib.study.weights import WORDS
from devnetlib.study.workers import ALLOCATOR

ANSWER = 5  # seconds in which a scheduler must answer, and after which one without workers is refused
PATIENCE = 15  # seconds without any worker: a nanny needs a few to start one again
LOCAL = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None, "memory_limit": 0}
THERE = "a worker reads data and weights on its own machine: put them there at the same paths, or on a shared disk"
START = "dask worker {address} --nworkers 2 --nthreads 1 --memory-limit 0"


def ready(runs: list[Run], machine: Machine) -> dict[str, str]:
    """On a worker: the digest of every image table that the runs need. Misuse or Incomplete where the device, the
    weights or the data are not there."""
    machine.torch_device()
    for run in {run.weights: run for run in runs if run.weights not in ("none", "random")}.values():
        build_detector(run, machine)
    return {
        f"{name} ({reading})": prepare(name, reading, machine.data_root, checked=True).digest
        for name, reading in dict.fromkeys((run.dataset, run.reading) for run in runs)
    }


def from_anywhere(machine: Machine) -> Machine:
    """The machine with absolute paths: a worker was started in a folder of its own."""
    root, weights = machine.data_root, machine.weights
    if weights not in (None, *WORDS):
        weights = os.path.abspath(weights)
    return replace(machine, data_root=root and root.absolute(), weights=weights)


class Workers(Executor):
    """The workers of a Dask scheduler as an executor, which breaks when all of them are gone.

    A run whose worker is lost is executed by another, Dask sees to that; one that takes its workers with it again
    and again fails alone.
    """

    def __init__(self, client: Any):
        self.client, self.open, self.closed = client, set(), threading.Event()
        self.client_kit = kit()
        threading.Thread(target=self.watch, daemon=True).start()

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """As any executor's; a function is called by every request for it, for runs are no pure functions to Dask."""
        promise = Future()
        args = [from_anywhere(each) if isinstance(each, Machine) else each for each in args]
        asked = self.client.submit(checked, self.client_kit, function, *args, pure=False, **kwargs)
        self.open.add(promise)
        asked.add_done_callback(lambda done: self.keep(promise, done))
        return promise

    def keep(self, promise: Future, done: Any) -> None:
        """Hand on what a task came to."""
        from distributed import KilledWorker

        if done.status == "finished":
            self.settle(promise, result=done.result())
        elif done.status == "error":
            error = done.exception()
            if isinstance(error, KilledWorker):
                deaths = error.allowed_failures + 1
                error = RuntimeError(f"{deaths} workers died one after another while they ran it; out of memory?")
            self.settle(promise, error=error)
        else:  # the connection to the scheduler is lost, and with it all that was asked
            self.settle(promise, error=BrokenExecutor(f"the scheduler is lost: {GO_ON}"))

    def settle(self, promise: Future, result: Any = None, error: BaseException | None = None) -> None:
        """Fulfil a promise, once."""
        try:
            self.open.remove(promise)
        except KeyError:  # it was given up meanwhile
            return
        if error is None:
            promise.set_result(result)
        else:
            promise.set_exception(error)

    def watch(self) -> None:
        """Break when no worker has been there for a while."""
        seen = time.monotonic()
        while not self.closed.wait(1):
            try:
                seen = time.monotonic() if self.client.nthreads() else seen
            except Exception:  # the scheduler does not answer: the client gives its futures up by itself
                continue
            if time.monotonic() - seen > PATIENCE:
                for promise in list(self.open):
                    self.settle(promise, error=BrokenExecutor(f"all workers are lost: {GO_ON}"))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop watching; the client is closed by whoever opened it."""
        self.closed.set()


@contextmanager
def dask_workers(scheduler: str, workers: int, runs: list[Run], machine: Machine) -> Iterator[Executor]:
    """The workers of the scheduler at an address, or with `local` so many of this machine, as an executor.

    Raises Misuse before anything runs where the scheduler cannot be reached or has no workers, and where a worker has
    another version of the code, several threads, or lacks the data, the weights or the device.
    """
    with connected(scheduler, workers) as client:
        hosts = check_workers(client, scheduler, runs, machine)
        print(f"machines: {len(hosts)}, workers: {sum(map(len, hosts.values()))}", file=sys.stderr)
        with Workers(client) as executor:
            makers = [
                executor.submit(warm_caches, runs, NOWHERE, machine, workers=[host], allow_other_workers=True)
                for host in hosts
            ]
            for made in makers:
                made.result()
            yield executor


NOWHERE = Path("no-results-on-a-worker")  # so that caches are made for all runs, which are those that are missing


@contextmanager
def connected(scheduler: str, workers: int) -> Iterator[Any]:
    """A client of the scheduler, closed again afterwards; with `local` of a cluster that ends with it."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise Misuse("--scheduler needs Dask: install the extra 'cluster' (requirements.lock has it)") from None
    for name in ("distributed", "distributed.client", "distributed.nanny", "distributed.scheduler", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said by us, in a line
    if scheduler == "local":
        with (
            dask.config.set({"distributed.nanny.pre-spawn-environ": own_environment(dask)}),
            LocalCluster(workers, **LOCAL) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    if not re.fullmatch(r"(tcp|tls|ucx|wss?)://\S+:[0-9]+", scheduler):
        raise Misuse(f"--scheduler {scheduler}: expected an address such as tcp://host:8786, or local")
    try:
        client = Client(scheduler, timeout=ANSWER, set_as_default=False)
    except Exception as error:  # every transport has errors of its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise Misuse(
            f"no scheduler answers at {scheduler} ({reason}): start one with 'dask scheduler' and name its address, "
            "such as tcp://host:8786"
        ) from None
    with client:
        yield client


def own_environment(dask: Any) -> dict[str, Any]:
    """The environment in which local workers start: Dask's, with the allocator's settings that suit torch; its own one
    makes them slower."""
    return dask.config.get("distributed.nanny.pre-spawn-environ") | ALLOCATOR


def check_workers(client: Any, scheduler: str, runs: list[Run], machine: Machine) -> dict[str, list[str]]:
    """The addresses of the workers by their host; Misuse that names the first one that cannot take part, and why."""
    try:
        client.wait_for_workers(1, timeout=ANSWER)
    except TimeoutError:
        start = START.format(address=scheduler)
        raise Misuse(f"the scheduler at {scheduler} has no workers: start some with '{start}'") from None
    for address, threads in client.nthreads().items():
        if threads != 1:
            raise Misuse(f"worker {address} runs {threads} tasks at once, expected 1: start it with --nthreads 1")
    for address, found in on_every_worker(client, kit).items():
        if differ := differences(kit(), found):
            raise Misuse(f"worker {address} has {differ}: {SAME}")
    answers = on_every_worker(client, ready, runs, from_anywhere(machine))
    sets = dict.fromkeys((run.dataset, run.reading) for run in runs)
    tables = {f"{name} ({reading})": known(name, reading, machine.data_root) for name, reading in sets}
    here = {name: images.digest for name, images in tables.items() if images is not None}
    first = next(iter(answers.values()), {}) | here  # what is stored is held against the images known here
    for address, digests in answers.items():
        for name, digest in digests.items():
            if digest != first[name]:
                other = f"image table {digest} of {name}, {'here' if name in here else 'others'} {first[name]}"
                raise Misuse(f"worker {address} has the {other}: prepare it again there")
    hosts: dict[str, list[str]] = {}
    for address in answers:
        hosts.setdefault(address.rpartition("//")[2].rpartition(":")[0], []).append(address)
    return hosts


def on_every_worker(client: Any, function: Callable, *args: Any) -> dict[str, Any]:
    """What a function gives on each worker by its address; Misuse that names the first one where it fails."""
    answers = client.run(function, *args, on_error="return")
    for address, answer in answers.items():
        if isinstance(answer, (Misuse, Incomplete)):
            raise Misuse(f"worker {address}: {answer}; {THERE}")
        if isinstance(answer, Exception):
            raise Misuse(f"worker {address}: {type(answer).__name__}: {answer}; is this package installed there?")
    return answers
