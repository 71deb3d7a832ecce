"""Every notebook through papermill, as a reviewer calls it: from another folder, at smoke, with a mistyped name."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from devnetlib.data.intake import get
from devnetlib.data.toy import toy_image
from devnetlib.study.parameters import assigned

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def papermill(notebook: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "papermill", str(notebook), str(folder / "out.ipynb"), "--no-progress-bar", *words]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)


def words_of(notebook: Path, folder: Path) -> list[str]:
    """Parameters that make a run short, of those that the notebook has: `smoke`, one method, results of its own."""
    wanted = {"profile": "smoke", "methods": "devnet", "results": str(folder / "scores")}
    known = papermill_parameters(notebook)
    return [word for name, value in wanted.items() if name in known for word in ("-p", name, value)]


def papermill_parameters(notebook: Path) -> set[str]:
    """The names in the cell tagged `parameters`."""
    cells = nbformat.read(notebook, as_version=4).cells
    return assigned(next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_at_smoke_from_any_folder(notebook, tmp_path):
    done = papermill(notebook, tmp_path, *words_of(notebook, tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_with_nothing_stored_and_any_subset_of_methods(notebook, tmp_path):
    wanted = {
        "profile": "smoke",
        "datasets": "toy",
        "methods": "flos,ds",
        "execute": "0",
        "results": str(tmp_path / "no"),
    }
    known = papermill_parameters(notebook)
    done = papermill(notebook, tmp_path, *[w for name in wanted if name in known for w in ("-p", name, wanted[name])])
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("anomalies", [14, 6])
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_a_folder_of_your_own(notebook, anomalies, tmp_path, monkeypatch):
    monkeypatch.setenv("DEVNET_DATA", str(tmp_path / "data"))
    source = tmp_path / "cloth"
    for kind, count, defect in (("normal", 24, ""), ("anomaly", anomalies, "hole")):
        (source / kind).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(toy_image(number, defect)[0]).save(source / kind / f"{number:02d}.png")
    get("my/cloth", source, False, tmp_path / "data")
    done = papermill(notebook, tmp_path, "-p", "datasets", "my/cloth", *words_of(notebook, tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapters_answer_comes_behind_its_parameters_and_knows_them(notebook):
    code = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert "parameters" in code[0].metadata.get("tags", []) and "check_parameters(globals())" in code[1].source
    if notebook.stem.startswith("q"):
        assert f'headline("{notebook.stem[:2]}", request, answer' in code[1].source


@pytest.mark.slow
def test_a_mistyped_parameter_is_refused_with_the_valid_ones(tmp_path):
    tour = next(path for path in NOTEBOOKS if path.stem == "00_tour")
    done = papermill(tour, tmp_path, "-p", "profle", "smoke")
    assert done.returncode != 0
    assert "did you mean 'profile'" in done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_cells_stay_short_enough_to_be_read(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    longest = max(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")
    assert longest <= 14


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_that_run_without_torch_need_no_name_of_those_that_do_not(notebook):
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    source = "\n".join(cell.source for cell in cells if "heavy" not in cell.metadata.get("tags", []))
    words = "-m ruff check --isolated --select F821 --output-format concise -"
    command = [sys.executable, *words.split()]
    found = subprocess.run(command, input=source, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
