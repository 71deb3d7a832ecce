"""What must be the same wherever the runs of one grid are executed, and the check of it on a worker (no torch)."""

import hashlib
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from devnetlib.errors import Misuse

COMPUTING = ("torch", "torchvision", "numpy", "scikit-learn", "pillow", "distributed")  # what may move a number
SAME = "install the same there and start it again"


@cache
def kit() -> dict[str, str]:
    """What must be the same wherever runs of one grid are executed: the package's sources and the libraries that
    compute. Taken once a process: a worker keeps the code that it has loaded, whatever its files become."""
    return {
        "devnetlib": code_digest(Path(__file__).parents[1]),
        "Python": ".".join(platform.python_version_tuple()[:2]),
    } | {name: installed(name) for name in COMPUTING}


def code_digest(package: Path) -> str:
    """12 hex digits that name the sources of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def installed(name: str) -> str:
    """The version of a library, or "none"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """In what a kit differs from the one expected; empty where it does not."""
    names = [name for name in expected if found.get(name) != expected[name]]
    return ", ".join(f"{name} {found.get(name)}, expected {expected[name]}" for name in names)


def checked(expected: Mapping[str, str], function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a function on a worker, which may have joined after all others were checked; Misuse where it differs."""
    if differ := differences(expected, kit()):
        raise Misuse(f"worker on {platform.node()} has {differ}: {SAME}")
    return function(*args, **kwargs)
