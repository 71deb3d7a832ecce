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
# replays torch's own kernels as CUDA graphs, which takes no compiling.
COMPILERS: dict[str, dict[str, Any]] = {
    "inductor": {"backend": "inductor", "mode": "reduce-overhead"},
    "cudagraphs": {"backend": "cudagraphs"},
}


def check_compiler(asked: str | None) -> None:
    """Misuse for a compiler that is none of `COMPILERS`."""
    if asked is not None and asked not in COMPILERS:
        raise unknown("compiler", asked, COMPILERS)


def compiler_of(run: Run, asked: str | None, device: torch.device) -> str | None:
    """The compiler asked for; None for none, and for a run that trains nothing by updates. Misuse where the profile's
    scores are compared across machines, and where the device has no such compiler."""
    check_compiler(asked)
    if asked and run.profile not in FINE_TUNED:
        raise Misuse(
            f"compile {asked}: profile {run.profile} is not compiled; leave --compile out, or take one of the profiles "
            f"{' and '.join(FINE_TUNED)}"
        )
    if asked and asked not in compilers_for(device):
        raise Misuse(f"compile {asked}: needs a GPU, found the device {device.type}; expected --compile inductor")
    return asked if run.training.updates else None


def compilers_for(device: torch.device) -> list[str]:
    """The compilers that there are for a kind of device."""
    return list(COMPILERS) if device.type == "cuda" else ["inductor"]


def compiled(features: Callable[[Tensor], list[Tensor]], compiler: str | None) -> Callable[[Tensor], list[Tensor]]:
    """`features`, forward and backward, as one compiled graph of images of one size; as they are for None."""
    if compiler is None:
        return features
    return torch.compile(features, fullgraph=True, dynamic=False, **COMPILERS[compiler])
