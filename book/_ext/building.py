"""Builds the book: `python book/_ext/building.py [--profile NAME]`.

Executes the notebooks, has Jupyter Book make the site with warnings as errors in an empty folder, and puts it into
`book/_build/html` once it is whole. Prints a line a step, and at the end the file to open.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from executing import HEAVY_NEEDS, ROOT, NotebookFailed, execute_if_changed, heavy_available
from tqdm import tqdm

from devnetlib.report.remembered import recall
from devnetlib.study.results import DamagedScores

BOOK = ROOT / "book"
SITE = BOOK / "_build" / "html"
MOST_AT_ONCE = 4  # notebooks; each kernel with torch holds a gigabyte
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


def timed(source: Path, target: Path, parameters: dict[str, Any]) -> tuple[str, float]:
    """Bring one executed copy up to date; what happened, and the seconds it took."""
    started = time.monotonic()
    ran = execute_if_changed(source, target, parameters)
    return "executed" if ran else "unchanged", time.monotonic() - started


def processes() -> Executor:
    """Processes that execute notebooks side by side: papermill changes its process's folder and environment."""
    return ProcessPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE), get_context("spawn"))


def execute_notebooks(parameters: dict[str, Any]) -> None:
    """Bring the executed copies in `book/notebooks/` up to date, and remove those whose notebook is gone.

    The published scores are read before, once for all of them. Raises DamagedScores where one is not whole, and
    NotebookFailed for the first notebook that stopped; those that run beside it end, the others are not begun.
    """
    sources, folder = sorted((ROOT / "notebooks").glob("*.ipynb")), BOOK / "notebooks"
    if not heavy_available():
        missing = " or ".join(HEAVY_NEEDS)
        print(f"cells tagged heavy are shown, not executed: {missing} is not installed (`make study` has both)")
    for copy in folder.glob("*.*"):
        if copy.is_file() and copy.stem not in {source.stem for source in sources}:
            copy.unlink()
    with processes() as pool, tqdm(total=len(sources), desc="notebooks", unit="notebook", disable=None) as bar:
        with step("published scores"):
            recall(apply=pool.map)
        begun = {pool.submit(timed, source, folder / source.name, parameters): source.stem for source in sources}
        for done in as_completed(begun):
            try:
                happened, seconds = done.result()
            except NotebookFailed:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            bar.write(f"notebook {begun[done]}: {happened}, {seconds:.0f} s", file=sys.stdout)
            bar.update()


def jupyter_book(output: Path) -> Path:
    """Build the site in the empty folder `output`, every warning an error; return where it lies."""
    program = "from jupyter_book.cli.main import main; main()"
    options = ["build", str(BOOK), "--path-output", str(output), "-W", "-n", "--keep-going", "-q"]
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search, "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-c", program, *options], env=environment, capture_output=True, text=True)
    if done.returncode:
        complaints = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr.strip() or done.stdout.strip())  # without colours
        raise BuildFailed(f"Jupyter Book found fault with {BOOK}:\n{complaints}")
    return output / "_build" / "html"


def trim(site: Path) -> None:
    """Remove what no page asks for, and add the file without which GitHub Pages hides folders that begin with `_`."""
    for pattern in UNUSED:
        for path in list(site.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (site / ".nojekyll").touch()


def build_site(site: Path = SITE) -> None:
    """Make the site afresh and put it at `site`; what was there stays until the new one is whole."""
    fresh = site.with_name(f"{site.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        built = jupyter_book(fresh)
        trim(built)
        shutil.rmtree(site, ignore_errors=True)
        built.replace(site)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Build the book; 0 when it is built, 1 when a notebook or the build failed."""
    parser = argparse.ArgumentParser(prog="building.py", description="Execute the notebooks and build the book.")
    parser.add_argument("--profile", help="run the notebooks under this profile; by default each keeps its own")
    profile = parser.parse_args(arguments).profile
    try:
        execute_notebooks({"execute": 0} | ({"profile": profile} if profile else {}))  # a book trains nothing
        with step("book: Jupyter Book, warnings as errors"):
            build_site()
    except (DamagedScores, NotebookFailed, BuildFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"The book is built. Open {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
