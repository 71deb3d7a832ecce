"""What `bench` times, each called in a process of its own: stretches of either loop, a frozen run, decoding."""

import multiprocessing
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from devnetlib.data.images import image_bank
from devnetlib.data.prepare import prepare
from devnetlib.metrics import auroc
from devnetlib.network import ResNet18, TopKNetwork
from devnetlib.study.execution import (
    Machine,
    build_detector,
    execute,
    forget_peak_memory,
    lane_inputs,
    partition_of,
    peak_memory,
    pin_threads,
    row_numbers,
    score,
    train,
)
from devnetlib.study.planning import plan
from devnetlib.study.precision import wait_for
from devnetlib.study.training import Pixels, compute_maps

SETTLING = 1.0  # seconds in which the plain loop's workers fill their queue, so that they work in no turn of ours


@dataclass(frozen=True)
class Case:
    """What both loops are given: DevNet fine-tuned on a data set, at a size, as the profile `laptop` says."""

    dataset: str
    pixels: int
    device: str = "auto"
    precision: str = "fp32"  # of ours; the plain loop computes in fp32
    data_root: Path | None = None
    batch: int = 48

    def at(self, pixels: int) -> "Case":
        return replace(self, pixels=pixels)

    @property
    def machine(self) -> Machine:
        return Machine(device=self.device, data_root=self.data_root, precision=self.precision)


class Setting:
    """The run of a case, its images and rows; ours is built on it, and the plain loop reads the same files."""

    def __init__(self, case: Case, profile: str = "laptop", weights: str | None = "random"):
        (run,) = plan(case.dataset, "devnet", profile, weights, data_root=case.data_root)
        self.run = replace(run, training=replace(run.training, pixels=case.pixels, batch=case.batch))
        self.case, self.machine = case, case.machine
        self.data = prepare(run.dataset, run.reading, case.data_root, checked=True)
        self.rows = row_numbers(self.data, partition_of(run, self.data))

    def bank(self) -> np.ndarray:
        return image_bank(self.data.table, self.data.root, self.run.training.pixels, self.machine.cache)

    def files(self, rows: np.ndarray) -> list[Path]:
        return [self.data.root / name for name in self.data.table["file"].iloc[rows]]


class OurLoop(Setting):
    """Our training step and evaluation, kept between the stretches that are timed."""

    def __init__(self, case: Case, profile: str = "laptop"):
        super().__init__(case, profile)
        pin_threads(self.run, self.machine)
        self.detector, _ = build_detector(self.run, self.machine)
        self.inputs = lane_inputs(self.run, self.detector, self.data, self.bank(), self.machine)

    def train(self, updates: int, compiler: str | None = None) -> None:
        run = replace(self.run, training=replace(self.run.training, updates=updates))
        train(run, self.detector, self.inputs, self.rows, self.case.precision, compiler)

    def score(self, batches: int) -> np.ndarray:
        rows = np.resize(self.rows["test"], batches * self.case.batch)
        return score(self.detector, self.inputs, rows, self.case.precision)


@cache
def loop(side: str, case: Case) -> Any:
    """Our loop or the plain one, built once in its process."""
    forget_peak_memory()
    return OurLoop(case) if side == "ours" else plain_loop(case)


def end_loops() -> None:
    """Let go of the loops of this process, and with them of the workers that open files."""
    loop.cache_clear()


def plain_loop(case: Case) -> Any:
    """The plain loop over the files of a case."""
    from devnetlib.study.plain_loop import Files, PlainLoop, transform

    setting = Setting(case)
    training, rows = setting.run.training, setting.rows
    known, labels = np.r_[rows["train"], rows["labelled"]], [0] * len(rows["train"]) + [1] * len(rows["labelled"])
    trained = Files(setting.files(known), labels, transform(training.pixels, training.rotation))
    tested = Files(setting.files(rows["test"]), [0] * len(rows["test"]), transform(training.pixels, 0.0))
    return PlainLoop(trained, tested, training, setting.machine.torch_device())


def timed(side: str, case: Case, what: str, count: int) -> tuple[float, float]:
    """Seconds of so many updates ("train") or scored batches ("score") of one side, and the processor's seconds that
    they took."""
    call, device = getattr(loop(side, case), what), case.machine.torch_device()
    wait_for(device)
    started, worked = time.perf_counter(), processor_seconds()
    call(count)
    wait_for(device)
    seconds = time.perf_counter() - started, processor_seconds() - worked
    if side == "plain":
        time.sleep(SETTLING)
    return seconds


def processor_seconds() -> float:
    """Seconds of all cores that this process and its workers have used; of the workers where the system tells."""
    tick, used = os.sysconf("SC_CLK_TCK"), time.process_time()
    for worker in multiprocessing.active_children():
        with suppress(OSError):
            facts = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
            used += (int(facts[11]) + int(facts[12])) / tick  # in user mode, and in the system's
    return used


def peak_mb(case: Case) -> int:
    """Most memory held, in MB: on a GPU what torch gave out there, else by this process and its workers."""
    if case.machine.torch_device().type == "cuda":
        return torch.cuda.max_memory_allocated() // 2**20
    return peak_memory() + sum(held_by(worker.pid) for worker in multiprocessing.active_children())


def held_by(process: int) -> int:
    """Most memory that another process held, in MB; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def flops(pixels: int, scales: int) -> dict[str, int]:
    """Floating-point operations for one image: of a forward pass, and of an update. Counted, nothing is computed."""
    network = TopKNetwork(ResNet18(), n_scales=scales).to("meta")
    with FlopCounterMode(display=False) as counter:
        scores = network(torch.empty(1, 3, pixels, pixels, device="meta"))
        forward = counter.get_total_flops()
        scores.sum().backward()
    return {"pixels": pixels, "scales": scales, "forward": forward, "update": counter.get_total_flops()}


def matrix_peak(case: Case) -> float:
    """The fastest of several matrix products, in 10^12 operations a second, in the precision of a case."""
    device = case.machine.torch_device()
    size = 8192 if device.type == "cuda" else 2048
    number = torch.bfloat16 if case.precision == "bf16" else torch.float32
    matrix = torch.ones(size, size, device=device, dtype=number)
    seconds = []
    for _ in range(6):
        wait_for(device)
        started = time.perf_counter()
        matrix @ matrix
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds) / 1e12


def frozen_seconds(case: Case, updates: int) -> dict[str, Any]:
    """Median seconds of a frozen run on cached maps, and how many images it scores."""
    setting = Setting(case.at(224), "quick", None)
    run = replace(setting.run, training=replace(setting.run.training, updates=updates))
    machine = replace(setting.machine, precision="fp32")
    execute(run, machine)  # makes the maps where there are none
    seconds = [execute(run, machine)[0].origin["seconds"] for _ in range(3)]
    return {"ours": median(seconds), "images": len(setting.rows["test"])}


def decoding(case: Case) -> list[dict[str, float]]:
    """Seconds to decode images into a bank and to compute their maps, with ResNet-18 and with the embedded trunk, by
    the number of images; the last is the whole data set."""
    settings = {
        "maps": Setting(case.at(224), "quick", "random"),
        "embedded": Setting(case.at(224), "quick", "embedded"),
    }
    backbones = {name: build_detector(one.run, one.machine)[0] for name, one in settings.items()}
    setting, found = settings["maps"], []
    device, table = setting.machine.torch_device(), setting.data.table
    for images in (64, 128, 256, len(table)):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            bank = image_bank(table.iloc[:images], setting.data.root, setting.run.training.pixels, Path(folder))
            found.append({"images": images, "decode": time.perf_counter() - started})
            for name, detector in backbones.items():
                started = time.perf_counter()
                compute_maps(detector.backbone, Pixels(bank, device, 0.0, np.random.default_rng(0)), detector.taps)
                found[-1][name] = time.perf_counter() - started
    return found


def half_precision(case: Case) -> dict[str, Any]:
    """AUROC of one trained head whose backbone computes in either precision."""
    setting = Setting(case.at(224), "quick", None)
    machine = replace(setting.machine, precision="fp32")
    detector, _ = build_detector(setting.run, machine)
    bank = setting.bank()
    train(setting.run, detector, lane_inputs(setting.run, detector, setting.data, bank, machine), setting.rows)
    pixels = Pixels(bank, machine.torch_device(), 0.0, np.random.default_rng(0))
    labels = partition_of(setting.run, setting.data).test_label
    values = {name: score(detector, pixels, setting.rows["test"], name) for name in ("fp32", "bf16")}
    return {name: auroc(scores, labels) for name, scores in values.items()} | {"images": len(labels)}
