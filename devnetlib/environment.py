"""Set up the virtual environment of the study: once, from a lock file.

    python3 devnetlib/environment.py full    .venv: training, tests and the book
    python3 devnetlib/environment.py read    .venv-read: reading, checking and the book, without torch

``read`` uses ``.venv`` where that is complete. The packages come through uv where it is installed, else through pip.
The caller's settings of either hold where they say how packages are reached, not where they would put them elsewhere.
An environment is complete once it has what its lock names, and its stamp the SHA-256 of the lock; the stamp is written
last, so a set-up that was cut short is made again, and a complete one costs neither time nor network.

This file runs before anything is installed: it needs the standard library alone, imports nothing of the package, and
keeps to a syntax that an interpreter too old for the study can still read, so that it can be told so.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
STAMP = "lock.sha256"
PATH_FILE = "devnetlib.pth"
STDERR = 2
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)( *;)?", re.MULTILINE)  # the last where a marker follows
# The caller's settings of pip that hold: how packages are reached, and what is told meanwhile.
PIP_OBEYS = "INDEX_URL EXTRA_INDEX_URL NO_INDEX FIND_LINKS TRUSTED_HOST PROXY CERT CLIENT_CERT CACHE_DIR NO_CACHE_DIR "
PIP_OBEYS += "TIMEOUT DEFAULT_TIMEOUT RETRIES RESUME_RETRIES KEYRING_PROVIDER USE_FEATURE NO_INPUT QUIET VERBOSE LOG"
# Those of uv that do not: they would choose another environment, or other packages than the lock.
UV_IGNORES = "SYSTEM_PYTHON BREAK_SYSTEM_PACKAGES PYTHON PROJECT PROJECT_ENVIRONMENT WORKING_DIR DRY_RUN NO_BINARY "
UV_IGNORES += "CONSTRAINT OVERRIDE EXCLUDE_NEWER TORCH_BACKEND NO_VERIFY_HASHES"


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder and the lock that fills it, both within the repository, and what it takes."""

    folder: str
    lock: str
    room: float  # GB, once installed, with something to spare
    wheels: float  # GB, as downloaded


ENVIRONMENTS = {
    "full": Environment(".venv", "requirements.lock", 8, 3),
    "read": Environment(".venv-read", "requirements-read.lock", 1, 0.2),
}


class SetupError(Exception):
    """The environment cannot be set up; the text is one line and ends with the mend."""


def check_python(version: tuple[int, ...], executable: str) -> None:
    """Refuse an interpreter older than the study supports."""
    if version < OLDEST_PYTHON:
        found, needed = (".".join(map(str, numbers[:2])) for numbers in (version, OLDEST_PYTHON))
        raise SetupError(
            f"{executable} is Python {found}, {needed} or newer is needed: install one and name it, "
            f"as in 'make study PYTHON=python{needed}'"
        )


def check_modules(needed: list[str]) -> None:
    """Refuse a Python whose distribution has left out modules that make virtual environments, as Debian's does."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"{sys.executable} lacks {' and '.join(missing)}, without which no virtual environment can be made: "
            "sudo apt install python3-venv (Debian, Ubuntu)"
        )


def check_disk(venv: Path, gigabytes: float) -> None:
    """Refuse a disk that cannot hold the environment; what an earlier set-up left there will be replaced and counts."""
    there = sum(path.lstat().st_size for path in venv.rglob("*"))
    free = (shutil.disk_usage(venv.parent).free + there) / 1e9
    if free < gigabytes:
        raise SetupError(
            f"{free:.1f} GB are free in {venv.parent}, {gigabytes:g} GB are needed to set up {venv.name}: "
            "free some space, or move the repository to a larger disk"
        )


def wheel_copies(disk: Path) -> int:
    """How often pip keeps what it downloads on this disk: in a temporary folder until the end, and in its cache."""
    places = [Path(tempfile.gettempdir()), Path(os.environ.get("PIP_CACHE_DIR", Path.home()))]
    return sum(place.exists() and place.stat().st_dev == disk.stat().st_dev for place in places)


def find_uv() -> str | None:
    """The path of a uv that answers, or None: a version manager may put a uv on the PATH with nothing behind it."""
    uv = shutil.which("uv")
    answers = uv and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0
    return uv if answers else None


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "bin" / "python"


def digest(lock: Path) -> str:
    """The SHA-256 of a lock, in hexadecimal."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def is_complete(venv: Path, lock: Path) -> bool:
    """Whether the stamp says that all of this lock is installed, it still is, and the interpreter behind it exists."""
    stamp = venv / STAMP
    stamped = stamp.is_file() and stamp.read_text().strip() == digest(lock)
    return stamped and python_of(venv).exists() and not missing(venv, lock)


def missing(venv: Path, lock: Path) -> list[str]:
    """The packages of a lock that the environment's folder does not have at a version that the lock names. One whose
    only pin has a marker may be for other platforms and counts as there."""
    folders = (path.stem.rpartition("-") for path in venv.glob("lib*/*/site-packages/*.dist-info"))
    there = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, _, version in folders}
    pins: dict[str, list[tuple[str, str]]] = {}
    for name, version, marker in PIN.findall(lock.read_text()):
        pins.setdefault(name, []).append((version, marker))
    asked = {name: found for name, found in pins.items() if len(found) > 1 or not found[0][1]}
    return [name for name, found in asked.items() if not any((name, version) in there for version, _ in found)]


def check_installed(venv: Path, lock: Path, client: str) -> None:
    """Raise SetupError unless the environment holds its lock and can import the largest of its packages."""
    absent = missing(venv, lock)
    if absent:
        raise SetupError(
            f"{client} is content, but {len(absent)} packages of {lock.name} are not in {venv}, {absent[0]} for one: "
            f"take out the setting of {client} that sends them elsewhere, and run the same command again"
        )
    names = ", ".join(name for name in ("numpy", "pandas", "torch") if f"\n{name}==" in lock.read_text())
    program = [python_of(venv), "-I", "-c", names and f"import {names}"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise SetupError(f"{names} cannot be imported from {venv}: {why}; mend that and run the same command again")


def call(command: list[str | Path], settings: dict[str, str]) -> None:
    """Run a command under these settings; its talk goes to stderr, stdout being kept for the answer of this script."""
    done = subprocess.run(command, env=settings, stdout=STDERR, check=False)
    if done.returncode:
        shown = " ".join([Path(word).name for word in command if word != "-I"][:3])
        raise SetupError(
            f"'{shown} …' failed with exit status {done.returncode} and says why above: "
            "mend that (is there a network?) and run the same command again"
        )


def caller_without(*prefixes: str) -> dict[str, str]:
    """The caller's environment without names that begin so, nor those that move an interpreter, such as PYTHONPATH."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", *prefixes))}


def pip_settings(python: Path) -> dict[str, str]:
    """The caller's environment for pip with those of his settings, from variables and files, that pip shall obey. The
    files are shut out then, because most settings cannot be taken back one by one."""
    settings, given = caller_without("PIP_"), {n: v for n, v in os.environ.items() if n.startswith("PIP_")}
    files = {name: value for name, value in given.items() if name == "PIP_CONFIG_FILE"}
    files.update(PIP_USER="0", PIP_QUIET="0")  # else it may list the user's own file alone, or nothing
    command = [python, "-I", "-m", "pip", "config", "list"]
    told = subprocess.run(command, env={**settings, **files}, stdout=subprocess.PIPE, text=True, check=False).stdout
    lines = re.findall(r"^(?:global|install)\.([a-z-]+)=(.*)$", told, re.MULTILINE)  # those of install come last
    chosen = {f"PIP_{name.upper().replace('-', '_')}": str(ast.literal_eval(value)) for name, value in lines}
    obeyed = {name: value for name, value in {**chosen, **given}.items() if name[len("PIP_") :] in PIP_OBEYS.split()}
    return {**settings, **obeyed, "PIP_CONFIG_FILE": os.devnull}


def uv_settings(uv: str, venv: Path) -> dict[str, str]:
    """The caller's environment for uv without what uv shall ignore; no interpreter of uv's own; and plain copies where
    its cache lies on another disk, which it would warn about."""
    settings = caller_without()
    for name in UV_IGNORES.split():
        settings.pop(f"UV_{name}", None)
    settings["UV_PYTHON_DOWNLOADS"] = "never"
    cache = Path(subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=False).stdout.strip())
    while not cache.exists():
        cache = cache.parent
    if cache.stat().st_dev != venv.parent.stat().st_dev and "UV_LINK_MODE" not in os.environ:
        settings["UV_LINK_MODE"] = "copy"
    return settings


def install_with_uv(uv: str, venv: Path, lock: Path) -> None:
    """Make the folder hold the lock's packages and no others; what it already has of them stays."""
    if not python_of(venv).exists():
        call([sys.executable, "-I", "-m", "venv", "--clear", "--without-pip", venv], caller_without())
    call([uv, "pip", "sync", "--python", python_of(venv), "--require-hashes", lock], uv_settings(uv, venv))


def install_with_pip(venv: Path, lock: Path) -> None:
    """Install the lock into an empty environment, for pip does not take away what a new lock no longer names.

    A lock is complete, so there is nothing to resolve, and Python compiles a module when it first imports it: leaving
    both out halves the time.
    """
    call([sys.executable, "-I", "-m", "venv", "--clear", venv], caller_without())
    options = ["--disable-pip-version-check", "--require-hashes", "--no-deps", "--no-compile"]
    python = python_of(venv)
    call([python, "-I", "-m", "pip", "install", *options, "-r", lock], pip_settings(python))


def write_path_file(venv: Path) -> None:
    """Make ``import devnetlib`` work from any folder, kernels included, by a path file: nothing is built or copied.

    The path is relative to the file, so that it needs no encoding and follows the repository to another place.
    """
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.check_output([python_of(venv), "-I", "-c", question], text=True)
    packages = Path(answer.strip())
    (packages / PATH_FILE).write_text(os.path.relpath(venv.parent, packages) + "\n")


def set_up(venv: Path, lock: Path, takes: Environment) -> None:
    """Check what is needed, install, make the package importable, and write the stamp."""
    check_python(sys.version_info[:3], sys.executable)
    uv = find_uv()
    check_modules(["venv"] if uv else ["venv", "ensurepip"])
    check_disk(venv, takes.room if uv else takes.room + takes.wheels * wheel_copies(venv.parent))
    begun = time.monotonic()
    say(f"setting up {venv.name} from {lock.name} with {'uv' if uv else 'pip'}; this happens once")
    if uv:
        install_with_uv(uv, venv, lock)
    else:
        install_with_pip(venv, lock)
    check_installed(venv, lock, "uv" if uv else "pip")
    write_path_file(venv)
    (venv / STAMP).write_text(digest(lock) + "\n")
    say(f"{venv.name} is complete, after {time.monotonic() - begun:.0f} s")


@contextlib.contextmanager
def held(lock: Path):
    """Keep a second set-up of the same environment waiting, where the file system offers locks."""
    with lock.open("r+b") as handle:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure(kind: str, repository: Path = REPOSITORY) -> Path:
    """Set up the environment of this kind unless one that serves is complete, and return its interpreter."""
    accepted = ["full", "read"] if kind == "read" else ["full"]
    for name in accepted:
        venv, lock = repository / ENVIRONMENTS[name].folder, repository / ENVIRONMENTS[name].lock
        if is_complete(venv, lock):
            return python_of(venv)
    with held(lock):
        # Another process may have done the work while this one waited.
        if not is_complete(venv, lock):
            set_up(venv, lock, ENVIRONMENTS[kind])
    return python_of(venv)


def say(line: str) -> None:
    """Tell the reader one thing, on stderr."""
    print(f"environment: {line}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Set up what the command line asks for; 0 when it is complete, 1 when it cannot be."""
    parser = argparse.ArgumentParser(prog="devnetlib/environment.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kind", choices=sorted(ENVIRONMENTS), help="full: .venv; read: without torch")
    parser.add_argument("--print-python", action="store_true", help="print the path of the environment's interpreter")
    chosen = parser.parse_args(arguments)
    try:
        python = ensure(chosen.kind)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error.strerror}: {error.filename}; clone the repository anew, into a folder that you may write to")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run begins this set-up again")
        return 130
    if chosen.print_python:
        print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
