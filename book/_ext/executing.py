"""The executed copies of the notebooks, from which the book is built.

A copy is made by papermill in a fresh kernel of this interpreter, then normalised, so that equal results are equal
bytes. Cells tagged `heavy` need torch and images; where these are missing they stand in the copy as source, with a line
that says so. What the caller has set for matplotlib changes nothing, and a cell that plots has an image.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[2]
HEAVY = "heavy"
HEAVY_NEEDS = ("torch", "elpv_dataset")
NOT_EXECUTED = "Not executed here: needs torch, images and weights. Run: make study\n"
# Besides the notebook itself, what its outputs can depend on. Of results, names, sizes and times are enough.
SOURCES = ("devnetlib", "data_manifests", "book/paper", "book/_ext/executing.py", "requirements.lock")
SOURCES += ("requirements-read.lock",)
RESULTS = ("book/results", "results")
# Either way of ending a kernel interrupts it first, and one that is quick enough to notice logs that as an error.
QUIET = ["--IPKernelApp.log_level=50"]
PLOTS = re.compile(r"\b(?:plt|pyplot)\.(?!close|rc|style)\w+\(")
NO_FIGURE = "no figure: "  # how a cell that has nothing to draw begins the line that says why


def drawing_settings(backend: str) -> dict[str, str]:
    """Matplotlib's own settings with this backend, in place of those in the caller's variables and files."""
    (package,) = find_spec("matplotlib").submodule_search_locations
    return {"MPLBACKEND": backend, "MATPLOTLIBRC": f"{package}/mpl-data/matplotlibrc"}


class NotebookFailed(Exception):
    """A notebook stopped; the message is one line that says where, why, and how to see more."""


def heavy_available() -> bool:
    """Whether cells tagged `heavy` can run here."""
    return all(find_spec(name) is not None for name in HEAVY_NEEDS)


def files_below(folders: Iterable[str]) -> list[Path]:
    """All files in the given files and folders of the repository, sorted; caches left out."""
    roots = [ROOT / folder for folder in folders]
    found = [root for root in roots if root.is_file()] + [
        path for root in roots for path in root.rglob("*") if path.is_file()
    ]
    return sorted(path for path in found if path.suffix != ".pyc")


def fingerprint(notebook: Path, parameters: dict[str, Any]) -> str:
    """What an executed copy depends on, as a hash: notebook, parameters, package, locks, whether heavy cells run."""
    digest = hashlib.sha256(repr((sorted(parameters.items()), heavy_available(), sys.version)).encode())
    for path in [notebook, *files_below(SOURCES)]:
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def results_state() -> str:
    """A hash over the stored results: published and yours."""
    listing = [
        (path.relative_to(ROOT).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in files_below(RESULTS)
    ]
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def accepted(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those parameters that the notebook has; papermill would inject the others all the same."""
    return {name: value for name, value in parameters.items() if name in papermill.inspect_notebook(str(notebook))}


@contextmanager
def own_kernel_settings() -> Iterator[Config]:
    """Let kernels import this repository and draw into its pages, keep them out of the user's Jupyter and IPython
    folders, and yield what connects one through a socket of its own: over TCP every kernel prints a warning, and by
    default all that are started in one folder at once would share a socket's name.

    The folder's path is short, since the name of a socket may have 107 characters.
    """
    with TemporaryDirectory(prefix="nb") as folder:
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        settings = {"PYTHONPATH": search, "JUPYTER_RUNTIME_DIR": folder, "IPYTHONDIR": folder}
        settings |= drawing_settings("module://matplotlib_inline.backend_inline")
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/socket"}})
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def run_cells(notebook: Path, copy: Path, parameters: dict[str, Any]) -> None:
    """Execute `notebook` into `copy`, heavy cells only where they can run; NotebookFailed where a cell raises."""
    with own_kernel_settings() as connection:
        try:
            papermill.execute_notebook(
                str(notebook),
                str(copy),
                parameters=parameters,
                kernel_name="python3",
                language="python",
                progress_bar=False,
                cwd=str(ROOT),
                config=connection,
                skip_cells_with_tag="" if heavy_available() else HEAVY,
                shutdown_kernel="immediate",
                extra_arguments=QUIET,
            )
        except PapermillExecutionError as error:
            place = f"{notebook.name} stopped at code cell {error.exec_count}: {error.ename}: {error.evalue}"
            raise NotebookFailed(f"{place}. To see it happen: papermill {notebook} stopped.ipynb") from error
        except DeadKernelError as error:
            raise NotebookFailed(f"{notebook.name}: its kernel died, perhaps for want of memory") from error


def check_images(notebook: NotebookNode, name: str) -> None:
    """Raise NotebookFailed for the first executed cell that plots and has no image, nor a line that says why."""
    for cell in notebook.cells:
        plots = {"image", "figure"} & set(cell.metadata.get("mystnb", {})) or PLOTS.search(cell.source)
        if not plots or cell.get("execution_count") is None:
            continue
        images = [kind for output in cell.outputs for kind in output.get("data", {}) if kind.startswith("image/")]
        lines = [line for output in cell.outputs for line in output.get("text", "").splitlines()]
        if not images and not any(line.startswith(NO_FIGURE) for line in lines):
            mend = f"where there is nothing to draw, let it print {NO_FIGURE.strip()!r} and the reason"
            raise NotebookFailed(f"{name}: code cell {cell.execution_count} plots and has no image; {mend}")


def normalised(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs from run to run: cell ids, times, paths, the interpreter's patch level, and in
    how many pieces a cell's print arrives."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"c{number:03d}"
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
        if "injected-parameters" in (tags := cell.metadata.get("tags", [])):
            cell.metadata["tags"] = [*tags, "remove-cell"]  # how the book was built is no part of the chapter
    return notebook


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs whose neighbours of one stream are one."""
    found: list[NotebookNode] = []
    for output in outputs:
        last = found[-1] if found else NotebookNode()
        if output.output_type == "stream" == last.get("output_type") and output.name == last.name:
            last.text += output.text
        else:
            found.append(output)
    return found


def with_heavy_cells_explained(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the line `NOT_EXECUTED` as the output of every heavy code cell that did not run."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and HEAVY in cell.metadata.get("tags", []) and cell.execution_count is None:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=NOT_EXECUTED)]
    return notebook


def execute(notebook: Path, target: Path, parameters: dict[str, Any]) -> None:
    """Put the normalised executed copy of `notebook` at `target`, whole or not at all; NotebookFailed where it stops
    or a figure is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished.json")  # no page, should the book be built meanwhile
    try:
        run_cells(notebook, unfinished, accepted(notebook, parameters))
        executed = with_heavy_cells_explained(normalised(nbformat.read(unfinished, as_version=4)))
        check_images(executed, notebook.name)
        nbformat.write(executed, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def lay_out(notebook: Path, target: Path, parameters: dict[str, Any], results: str) -> bool:
    """Have some copy stand at `target`; True, and no key beside it, where it is yet to be executed: something that it
    depends on has changed, or the stored results, whose state is given."""
    key = target.with_suffix(".key")
    made_from = f"{fingerprint(notebook, parameters)} {results}\n"
    if target.exists() and key.exists() and key.read_text() == made_from:
        return False
    key.unlink(missing_ok=True)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(notebook, target)
    return True


def execute_with_key(notebook: Path, target: Path, parameters: dict[str, Any]) -> None:
    """As `execute`, and beside the copy a key that says what it was made from.

    The results are looked at after the run, because a notebook may add to them and has seen what it added.
    """
    made_from = fingerprint(notebook, parameters)
    execute(notebook, target, parameters)
    target.with_suffix(".key").write_text(f"{made_from} {results_state()}\n")
