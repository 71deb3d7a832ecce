"""In which precision a run computes: as asked, or, for `auto`, as a timed probe of this machine found faster."""

import json
import platform
import re
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from devnetlib.cores import usable_cores
from devnetlib.errors import Misuse, unknown
from devnetlib.network import ResNet18
from devnetlib.study.runs import Run
from devnetlib.writing import atomic_write

PRECISIONS = ("fp32", "bf16", "auto")
FINE_TUNED = ("laptop", "released")  # the profiles for which another precision than fp32 may be asked
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")  # they decide how fast a processor multiplies
PROBED = {"images": 16, "pixels": 112, "steps": 3}


def check_precision(asked: str, profile: str) -> None:
    """Misuse for a precision that is none of `PRECISIONS`, and for bf16 in a profile whose scores are compared across
    machines."""
    if asked not in PRECISIONS:
        raise unknown("precision", asked, PRECISIONS)
    if asked == "bf16" and profile not in FINE_TUNED:
        raise Misuse(
            f"precision bf16: profile {profile} computes in fp32 alone; leave --precision out, or take one of the "
            f"profiles {' and '.join(FINE_TUNED)}"
        )


def precision_of(run: Run, asked: str, device: torch.device, cache_folder: Path) -> str:
    """`fp32` or `bf16`, in which a run's backbone computes; `auto` is fp32 but for `FINE_TUNED`. Misuse as by
    `check_precision`."""
    check_precision(asked, run.profile)
    if asked == "auto":
        return faster(device, cache_folder) if run.profile in FINE_TUNED else "fp32"
    return asked


def faster(device: torch.device, cache_folder: Path) -> str:
    """The precision in which a step took less time, from the probe that is kept for this machine and torch version."""
    machine = machine_name(device_name(device), usable_cores(), torch.__version__)
    path = cache_folder / "precision" / f"{machine}-{torch.get_num_threads()}threads.json"
    seconds = kept(path)
    if seconds is None:
        seconds = {precision: step_seconds(device, precision) for precision in ("fp32", "bf16")}
        with suppress(OSError):  # where nothing can be kept, the next process probes again
            atomic_write(path, lambda file: file.write_text(json.dumps(seconds) + "\n"))
    return min(seconds, key=seconds.__getitem__)


def kept(path: Path) -> dict[str, float] | None:
    """The seconds that a probe left, None where there are none that can be read."""
    try:
        seconds = json.loads(path.read_text())
        return {precision: float(seconds[precision]) for precision in ("fp32", "bf16")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def step_seconds(device: torch.device, precision: str) -> float:
    """Median seconds of a forward and backward pass of ResNet-18 over a few small images."""
    network = ResNet18().to(device, memory_format=torch.channels_last).train()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.01)
    shape = (PROBED["images"], 3, PROBED["pixels"], PROBED["pixels"])
    images = torch.ones(shape, device=device).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(1 + PROBED["steps"]):
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            maps = network(images)
        maps.float().mean().backward()
        wait_for(device)
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was asked; a processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@cache
def processor() -> dict[str, Any]:
    """The processor's model and its features by name, where Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {"model": platform.processor() or platform.machine(), "features": set()}
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {"model": facts.get("model name", platform.machine()), "features": set(facts.get("flags", "").split())}


def has_amx() -> bool:
    """Whether the processor has matrix units for bf16."""
    return "amx_bf16" in processor()["features"]


def device_name(device: torch.device) -> str:
    """What the device calls itself; a processor with its widest instructions, for many call themselves the same."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    widest = next((name for name in INSTRUCTIONS if name in processor()["features"]), None)
    return processor()["model"] + (f" ({widest})" if widest else "")


def machine_name(device: str, cores: int, version: str) -> str:
    """A device by its name, the cores beside it and torch's version, as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", f"{device} {cores} cores") + f"-torch{version.partition('+')[0]}"
