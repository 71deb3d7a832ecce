"""Files that take their place whole or not at all, and what a killed process left of them (standard library only).

A file is written beside its place under a name that says who writes it, `.<name>.<writer>.tmp`, and then renamed. The
writer is the machine, the process, when that process started, and a random part: locks are no help on file systems
that refuse them, and one process number may be alive on two machines.
"""

import hashlib
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".tmp"
ABANDONED = 24 * 3600  # seconds after which what another machine began and has not touched since counts as left behind


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a new file, which then takes the place of `path`.

    Raises OSError as it comes; `path` is then as it was, and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{writer()}{UNFINISHED}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def writer() -> str:
    """A name that no other writer has: machine, process, its start, and 8 random hex digits."""
    return f"{machine()}-{os.getpid()}-{started(os.getpid())}-{uuid4().hex[:8]}"


@cache
def machine() -> str:
    """8 hex digits that name this machine, or this container, which counts its processes for itself."""
    try:
        counted = os.readlink("/proc/self/ns/pid")
    except OSError:
        counted = ""
    return hashlib.sha256(f"{platform.node()} {counted}".encode()).hexdigest()[:8]


def started(process: int) -> str | None:
    """When a process started, in the system's own count ("0" where the system does not say); None where none lives."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it lives, and is somebody else's
        pass
    return "0"


def writer_lives(path: Path) -> bool | None:
    """Whether the process that an unfinished file names may still be writing it: on this machine by the process itself,
    on another one unless the file is older than ABANDONED. None where the name does not tell."""
    try:
        on, process, start, _ = path.name.removesuffix(UNFINISHED).rpartition(".")[2].split("-")
        if on == machine():
            return started(int(process)) == start
        int(process), int(on, 16)
    except ValueError:
        return None
    try:
        return time.time() - path.stat().st_mtime < ABANDONED
    except OSError:
        return False
