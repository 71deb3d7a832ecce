"""What `bench` times as whole commands: starting, grids that grow, runs side by side on a GPU, the book."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from devnetlib.study.results import REPOSITORY
from devnetlib.study.stretches import Case
from devnetlib.study.workers import ALLOCATOR

CROWDS = 1, 2, 4, 8  # runs side by side on one GPU


def starting() -> dict[str, float]:
    """Median seconds to import the package and to print its help."""
    commands = {"import": ["-c", "import devnetlib"], "help": ["-m", "devnetlib", "--help"]}
    return {name: median(command_seconds(words) for _ in range(3)) for name, words in commands.items()}


def growing(case: Case) -> list[dict[str, Any]]:
    """Seconds of whole commands in the frozen lane, maps cached: more runs, on other normals and on the same, and one
    or two workers."""
    grids = [("0", "0", 1), ("0-1", "0", 1), ("0-3", "0", 1), ("0-3", "0", 2), ("0", "0-3", 1)]
    return [
        {"splits": splits, "draws": draws, "workers": workers, "seconds": grid_seconds(case, splits, draws, workers)}
        for splits, draws, workers in grids
    ]


def grid_seconds(case: Case, splits: str, draws: str, workers: int) -> float:
    """Seconds of one command that executes splits x draws afresh."""
    started = time.perf_counter()
    run_command(case, ["--split", splits, "--draw", draws, "--workers", str(workers)])
    return time.perf_counter() - started


def run_command(case: Case, words: list[str]) -> subprocess.CompletedProcess[str]:
    """The command `run`, with results of its own; it prints a JSON line a run."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "devnetlib", "run", "--dataset", case.dataset, "--json", "--results", folder, *words]
        words += ["--device", case.device, *(["--data-root", str(case.data_root)] if case.data_root else [])]
        return command(words)


def crowds(case: Case) -> Iterator[dict[str, Any]]:
    """`crowded` for ever more released runs, until they do not fit on the device, which is said."""
    for runs in CROWDS:
        try:
            yield crowded(case, runs)
        except subprocess.CalledProcessError as error:
            print(f"{runs} released runs side by side failed: {error.stderr.strip()[-300:]}", file=sys.stderr)
            return


def crowded(case: Case, runs: int, profile: str = "released") -> dict[str, Any]:
    """So many runs of a profile at once on one device: median seconds of one, from reading its images to its scores,
    Python's start not included; and how many an hour makes, were there always so many."""
    words = ["--profile", profile, "--draw", f"0-{runs - 1}", "--workers", str(runs), "--precision", case.precision]
    found = [json.loads(line)["seconds"] for line in run_command(case, words).stdout.splitlines()]
    return {"runs": runs, "seconds": median(found), "an_hour": runs * 3600 / median(found)}


def rebuilding() -> float | None:
    """Seconds to build the book from the published scores, every notebook executed; None, with a word, where it cannot
    be built."""
    book = REPOSITORY / "book"
    shutil.rmtree(book / "notebooks", ignore_errors=True)  # executed copies, which a build would take as they are
    try:
        return command_seconds([str(book / "_ext" / "building.py")])
    except subprocess.CalledProcessError:
        print("the book could not be built, which was not timed: make book says why", file=sys.stderr)
        return None


def command_seconds(words: list[str]) -> float:
    """Seconds of a Python command that must succeed."""
    started = time.perf_counter()
    command(words)
    return time.perf_counter() - started


def command(words: list[str]) -> subprocess.CompletedProcess[str]:
    """A Python command that must succeed, with our allocator's settings."""
    settings = {"env": {**os.environ, **ALLOCATOR}, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=True, **settings)
