"""What compiling a backbone costs and spares, timed for `bench` in a process of its own."""

import time
from typing import Any

from devnetlib.study.precision import wait_for
from devnetlib.study.stretches import Case, OurLoop

STARTING = 3  # updates in which everything is compiled and, on a GPU, recorded


def compile_seconds(case: Case, compiler: str, turns: int = 3, updates: int = 6) -> dict[str, Any]:
    """Seconds of the first `STARTING` updates, of an update in each turn as it is and compiled, and of what runs: on a
    GPU those of `released`, else those of `laptop`.

    Nothing that another process compiled is used. Misuse where the compiler does not work.
    """
    from torch._inductor.utils import fresh_cache

    cuda = case.machine.torch_device().type == "cuda"
    profile, case = ("released", case.at(448)) if cuda else ("laptop", case.at(224))
    ours = OurLoop(case, profile)
    update_seconds(ours, None, 1)
    with fresh_cache():
        starting = STARTING * update_seconds(ours, compiler, STARTING)
        timed = [[update_seconds(ours, one, updates) for one in (None, compiler)] for _ in range(turns)]
    facts = {"compiler": compiler, "profile": profile, "pixels": case.pixels}
    return facts | {"starting": starting, "started": STARTING, "turns": timed}


def update_seconds(ours: OurLoop, compiler: str | None, updates: int) -> float:
    """Seconds an update."""
    device = ours.machine.torch_device()
    wait_for(device)
    started = time.perf_counter()
    ours.train(updates, compiler)
    wait_for(device)
    return (time.perf_counter() - started) / updates
