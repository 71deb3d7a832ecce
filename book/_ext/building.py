"""Builds the book: `python book/_ext/building.py [--profile NAME]`.

Executes the notebooks while Jupyter Book makes the site beside them, with warnings as errors and in an empty folder,
and puts it into `book/_build/html` once it is whole. Prints a line a step, and at the end the file to open.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from executing import (
    HEAVY_NEEDS,
    ROOT,
    NotebookFailed,
    drawing_settings,
    execute_with_key,
    heavy_available,
    lay_out,
    results_state,
)
from notebooks_last import BUILDER
from tqdm import tqdm

from devnetlib.cores import usable_cores
from devnetlib.report.remembered import recall
from devnetlib.study.results import DamagedScores

BOOK = ROOT / "book"
SITE = BOOK / "_build" / "html"
MOST_AT_ONCE = 4  # notebooks; each kernel with torch holds a gigabyte
KILLED = "a process that read scores or executed notebooks was killed (out of memory?); the same command goes on"
# What the theme and its extensions ship and no page asks for.
UNUSED = (".buildinfo", "_static/locales", "_static/**/*.map", "_static/**/*.scss")


class BuildFailed(Exception):
    """The site could not be made; the message says what Jupyter Book complained about."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the step's name, and when it is done the seconds."""
    print(f"{name} ...", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - started:.0f} s", flush=True)


def timed(source: Path, target: Path, parameters: dict[str, Any]) -> float:
    """Execute one notebook into its copy; the seconds it took."""
    started = time.monotonic()
    execute_with_key(source, target, parameters)
    return time.monotonic() - started


def processes() -> Executor:
    """Processes that execute notebooks side by side: papermill changes its process's folder and environment."""
    return ProcessPoolExecutor(min(usable_cores(), MOST_AT_ONCE), get_context("spawn"))


def copies() -> dict[Path, Path]:
    """The notebooks, and where the executed copy of each stands."""
    return {source: BOOK / "notebooks" / source.name for source in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def lay_out_copies(parameters: dict[str, Any]) -> list[Path]:
    """Have a copy of every notebook stand in `book/notebooks/`, and no other; the notebooks that are yet to be
    executed. That is decided here, once, before any page is read."""
    targets, results = copies(), results_state()
    for copy in (BOOK / "notebooks").glob("*.*"):
        if copy.is_file() and copy.stem not in {source.stem for source in targets}:
            copy.unlink()
    return [source for source, target in targets.items() if lay_out(source, target, parameters, results)]


def execute_notebooks(stale: list[Path], parameters: dict[str, Any], pool: Executor) -> None:
    """Execute these notebooks into their copies. Raises NotebookFailed for the first that stopped; those that run
    beside it end, the others are not begun."""
    if not heavy_available():
        missing = " or ".join(HEAVY_NEEDS)
        print(f"cells tagged heavy are shown, not executed: {missing} is not installed (`make study` has both)")
    targets = copies()
    for source in targets:
        if source not in stale:
            print(f"notebook {source.stem}: unchanged")
    with tqdm(total=len(stale), desc="notebooks", unit="notebook", disable=None) as bar:
        begun = {pool.submit(timed, source, targets[source], parameters): source.stem for source in stale}
        for done in as_completed(begun):
            try:
                seconds = done.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            bar.write(f"notebook {begun[done]}: executed, {seconds:.0f} s", file=sys.stdout)
            bar.update()


@contextmanager
def jupyter_book(output: Path) -> Iterator[Callable[[], Path]]:
    """Jupyter Book at work in the empty folder `output`, every warning an error, until the block ends. What is yielded
    waits for the site and returns where it lies, or raises BuildFailed."""
    program = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(BOOK), "--path-output", str(output), "-W", "-n", "--keep-going", "-q"]
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    settings = {"PYTHONPATH": search, "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0", BUILDER: str(os.getpid())}
    settings |= drawing_settings("agg")
    command = [sys.executable, "-c", program, *options]
    with (
        TemporaryFile("w+") as said,
        TemporaryFile("w+") as complained,
        subprocess.Popen(command, env=os.environ | settings, stdout=said, stderr=complained) as process,
    ):

        def finished() -> Path:
            if process.wait():
                complaints = text_of(complained) or text_of(said)
                raise BuildFailed(f"Jupyter Book found fault with {BOOK}:\n{complaints}")
            return output / "_build" / "html"

        try:
            yield finished
        finally:
            process.kill()  # of no effect on one that has ended


def text_of(file: IO[str]) -> str:
    """What was written to a file, without colours."""
    file.seek(0)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.read().strip())


def trim(site: Path) -> None:
    """Remove what no page asks for, and add the file without which GitHub Pages hides folders that begin with `_`."""
    for pattern in UNUSED:
        for path in list(site.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (site / ".nojekyll").touch()


@contextmanager
def site_beside(site: Path = SITE) -> Iterator[None]:
    """Make the site afresh while the block executes the notebooks, and put it at `site` when both are done; what was
    there stays until then."""
    fresh = site.with_name(f"{site.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with jupyter_book(fresh) as finished:
            yield
            with step("book: Jupyter Book, warnings as errors"):
                built = finished()
        trim(built)
        shutil.rmtree(site, ignore_errors=True)
        built.replace(site)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def build(parameters: dict[str, Any]) -> None:
    """The published scores are read first, once for all; pages are read while notebooks run.

    Raises DamagedScores, NotebookFailed or BuildFailed.
    """
    stale = lay_out_copies(parameters)
    try:
        with processes() as pool:
            with step("published scores"):
                recall(apply=pool.map)
            with site_beside():
                execute_notebooks(stale, parameters, pool)
    except BrokenExecutor:
        raise BuildFailed(KILLED) from None


def main(arguments: list[str] | None = None) -> int:
    """Build the book; 0 when it is built, 1 when a notebook or the build failed."""
    parser = argparse.ArgumentParser(prog="building.py", description="Execute the notebooks and build the book.")
    parser.add_argument("--profile", help="run the notebooks under this profile; by default each keeps its own")
    profile = parser.parse_args(arguments).profile
    try:
        build({"execute": 0} | ({"profile": profile} if profile else {}))  # a book trains nothing
    except (DamagedScores, NotebookFailed, BuildFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"The book is built. Open {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
