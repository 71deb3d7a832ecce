"""`torch.compile` for the backbone of a run that is fine-tuned, where it is asked for: whether it pays is measured by
`bench`, machine by machine, for compiling takes as long as many updates."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from devnetlib.errors import Misuse, unknown
from devnetlib.study.precision import FINE_TUNED
from devnetlib.study.runs import Run

# What torch calls its back ends: the one generates fused kernels and, on a GPU, replays them as CUDA graphs; the other
# replays torch's own operators as CUDA graphs, which generates nothing.
COMPILERS: dict[str, dict[str, Any]] = {
    "inductor": {"backend": "inductor", "mode": "reduce-overhead"},
    "cudagraphs": {"backend": "cudagraphs"},
}
MOST_GRAPHS = 64  # of one process; torch gives up at eight, and methods that share their code need one each

Features = Callable[[Tensor], list[Tensor]]


def check_compiler(asked: str | None, profile: str) -> None:
    """Misuse for a compiler that is none of `COMPILERS`, and for any in a profile whose scores are compared across
    machines."""
    if asked is None:
        return
    if asked not in COMPILERS:
        raise unknown("compiler", asked, COMPILERS)
    if profile not in FINE_TUNED:
        raise Misuse(
            f"compile {asked}: profile {profile} is not compiled; leave --compile out, or take one of the profiles "
            f"{' and '.join(FINE_TUNED)}"
        )


def compiler_of(run: Run, asked: str | None, device: torch.device) -> str | None:
    """The compiler asked for; None for none, and for a run that trains no backbone by updates. Misuse as by
    `check_compiler`, and where the device has no such compiler."""
    check_compiler(asked, run.profile)
    if asked and asked not in compilers_for(device):
        raise Misuse(f"compile {asked}: needs a GPU, found the device {device.type}; expected --compile inductor")
    return asked if run.training.lane == "fine-tuned" and run.training.updates else None


def compilers_for(device: torch.device) -> list[str]:
    """The compilers that there are for a kind of device."""
    return list(COMPILERS) if device.type == "cuda" else ["inductor"]


def compiled(features: Features, compiler: str | None) -> Features:
    """`features`, forward and backward, as one compiled graph of images of one size; as they are for None.

    What is returned raises Misuse where torch cannot compile, as without a C++ compiler.
    """
    if compiler is None:
        return features
    fast = torch.compile(features, fullgraph=True, dynamic=False, recompile_limit=MOST_GRAPHS, **COMPILERS[compiler])
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import, and few runs are compiled

    def called(images: Tensor) -> list[Tensor]:
        try:
            return fast(images)
        except TorchDynamoException as error:
            raise Misuse(f"compile {compiler}: {reason(error)}; mend it, or leave --compile out") from error

    return called


def reason(error: Exception) -> str:
    """The first line of what made a compiler fail."""
    return str(getattr(error, "inner_exception", error)).partition("\n")[0]
