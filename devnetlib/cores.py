"""How many cores this process may use, which are fewer than the machine's under taskset, SLURM or in a container.

`os.process_cpu_count` comes with Python 3.13 and knows no quota.
"""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The cores on which the system lets this process run, no more than its quota of processor time pays for, rounded
    up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *map(math.ceil, quotas())]))


def quotas() -> Iterator[float]:
    """The cores that each limit of the process's control groups pays for, of either version of them; none where
    nothing is limited. A container may see its own group as the root, so all folders up to the root are asked."""
    with suppress(OSError):
        for line in MEMBERSHIP.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            root = CGROUPS / controllers
            group = root / place.lstrip("/")
            for folder in [group, *(parent for parent in group.parents if parent.is_relative_to(root))]:
                yield from quota_of(folder)


def quota_of(folder: Path) -> Iterator[float]:
    """The cores that the limit of one control group pays for, where it has one."""
    with suppress(OSError, ValueError):  # no such group or controller; `max`: no limit
        if (version_2 := folder / "cpu.max").exists():
            quota, period = map(int, version_2.read_text().split())
        else:
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if quota > 0 < period:  # -1: no limit
            yield quota / period
