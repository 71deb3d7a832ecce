"""The executed copies: equal bytes for equal results, heavy cells named where they cannot run, nothing half-made."""

import json
import os
from pathlib import Path

import executing
import jupytext
import nbformat
import pytest
from executing import NOT_EXECUTED, NotebookFailed

SCRIPT = """# ---
# jupyter:
#   kernelspec: {name: python3, display_name: Python 3, language: python}
# ---

# %% [markdown]
# # A title

# %% tags=["parameters"]
profile = "quick"  # how much

# %% tags=["heavy"]
raise RuntimeError("a heavy cell ran")

# %%
print("profile", profile)
"""


def execute_if_changed(notebook: Path, target: Path, parameters: dict[str, str]) -> bool:
    """What the builder does for each notebook; whether it was executed."""
    stale = executing.lay_out(notebook, target, parameters, executing.results_state())
    if stale:
        executing.execute_with_key(notebook, target, parameters)
    return stale


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A small notebook with a parameter and a heavy cell that must not run."""
    path = tmp_path / "small.ipynb"
    jupytext.write(jupytext.reads(SCRIPT, fmt="py:percent"), path)
    return path


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "heavy_available", lambda: False)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """In place of a kernel: a copy without outputs. The list says with which parameters it was called."""
    calls: list[dict[str, str]] = []

    def copy(notebook: Path, target: Path, parameters: dict[str, str]) -> None:
        calls.append(parameters)
        target.write_bytes(notebook.read_bytes())

    monkeypatch.setattr(executing, "run_cells", copy)
    return calls


def test_what_a_cell_prints_is_one_piece_in_its_place_once_normalised() -> None:
    pieces = [("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d")]
    outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]
    outputs.insert(3, nbformat.v4.new_output("display_data"))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(outputs=outputs), nbformat.v4.new_markdown_cell()]
    )
    found = executing.normalised(notebook).cells[0].outputs
    assert [output.get("text") for output in found] == ["ab\n", "c", None, "d"]


def test_two_conversions_of_one_script_are_equal_bytes_once_normalised() -> None:
    def converted(stamp: str) -> str:
        notebook = jupytext.reads(SCRIPT, fmt="py:percent")
        notebook.metadata["papermill"] = {"start_time": stamp}
        notebook.metadata["language_info"] = {"name": "python", "version": stamp}
        notebook.cells[1].metadata["execution"] = {"iopub.status.busy": stamp}
        return nbformat.writes(executing.normalised(notebook))

    assert converted("10:00") == converted("11:00")
    assert nbformat.writes(jupytext.reads(SCRIPT, fmt="py:percent")) != nbformat.writes(
        jupytext.reads(SCRIPT, fmt="py:percent")
    )


def test_a_heavy_cell_that_did_not_run_says_so_and_one_that_ran_keeps_its_output() -> None:
    ran = nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["heavy"]}, execution_count=3)
    ran.outputs = [nbformat.v4.new_output("stream", text="2\n")]
    skipped = nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["heavy"]})
    light = nbformat.v4.new_code_cell("1 + 1")
    notebook = executing.with_heavy_cells_explained(nbformat.v4.new_notebook(cells=[ran, skipped, light]))
    assert [[output.text for output in cell.outputs] for cell in notebook.cells] == [["2\n"], [NOT_EXECUTED], []]
    assert "make study" in NOT_EXECUTED


def plotting(source: str = "plt.show()", **parts: object) -> nbformat.NotebookNode:
    """A notebook of one executed cell that plots."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, **{"execution_count": 7} | parts)])


@pytest.mark.parametrize(
    "cell",
    [
        plotting(),
        plotting("plt.plot([1, 2])"),
        plotting("draw()", metadata={"mystnb": {"figure": {"name": "fig-one"}}}),
        plotting(outputs=[nbformat.v4.new_output("stream", text="nine: p = 0.01\n")]),
    ],
    ids=["shown", "left open", "named as a figure", "with words alone"],
)
def test_a_cell_that_plots_and_has_no_image_is_named(cell: nbformat.NotebookNode) -> None:
    with pytest.raises(NotebookFailed, match=r"^q1\.ipynb: code cell 7 plots and has no image"):
        executing.check_images(cell, "q1.ipynb")


@pytest.mark.parametrize(
    "cell",
    [
        plotting(outputs=[nbformat.v4.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})]),
        plotting(outputs=[nbformat.v4.new_output("stream", text="no figure: no run is stored\n")]),
        plotting(execution_count=None),
        plotting("plt.close('all')"),
    ],
    ids=["has an image", "says why", "is not executed", "draws nothing"],
)
def test_a_cell_that_shows_what_it_plots_or_says_why_not_passes(cell: nbformat.NotebookNode) -> None:
    executing.check_images(cell, "q1.ipynb")


def test_a_figure_that_is_missing_leaves_no_copy(
    tmp_path: Path, notebook: Path, kernel: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat.write(plotting(), notebook)
    with pytest.raises(NotebookFailed, match=r"small\.ipynb: code cell 7"):
        executing.execute(notebook, tmp_path / "copies" / "small.ipynb", {})
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("backend", ["Agg", "svg", "module://nowhere", "nonsense", ""])
def test_kernels_draw_into_the_page_whatever_backend_the_caller_has(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", backend)
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    with executing.own_kernel_settings():
        assert os.environ["MPLBACKEND"] == "module://matplotlib_inline.backend_inline"
        assert Path(os.environ["MATPLOTLIBRC"]).is_file()
    assert (os.environ["MPLBACKEND"], os.environ["MATPLOTLIBRC"]) == (backend, str(tmp_path))


def test_a_copy_made_under_other_rules_of_execution_is_stale(notebook: Path) -> None:
    assert "book/_ext/executing.py" in executing.SOURCES
    assert {executing.ROOT / name for name in executing.SOURCES if not (executing.ROOT / name).exists()} == set()


def test_a_parameter_that_a_notebook_does_not_have_is_not_injected(notebook: Path) -> None:
    assert executing.accepted(notebook, {"profile": "smoke", "nope": "1"}) == {"profile": "smoke"}


def test_an_unchanged_notebook_is_not_executed_again(notebook: Path, tmp_path: Path, kernel: list) -> None:
    target = tmp_path / "copies" / "small.ipynb"
    assert execute_if_changed(notebook, target, {"profile": "smoke"})
    assert not execute_if_changed(notebook, target, {"profile": "smoke"})
    assert kernel == [{"profile": "smoke"}]


def test_another_profile_another_source_or_new_results_execute_it_again(
    notebook: Path, tmp_path: Path, kernel: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(profile: str) -> bool:
        return execute_if_changed(notebook, tmp_path / "copies" / "small.ipynb", {"profile": profile})

    assert run("smoke") and run("quick") and not run("quick")
    notebook.write_text(notebook.read_text().replace("A title", "Another title"))
    assert run("quick") and not run("quick")
    monkeypatch.setattr(executing, "results_state", lambda: "one file more")
    assert run("quick") and not run("quick")


def test_what_a_run_adds_to_the_results_does_not_make_its_own_copy_stale(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "ROOT", tmp_path)

    def run_and_store(source: Path, target: Path, parameters: dict[str, str]) -> None:
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / "yours.json").write_text("{}")
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(executing, "run_cells", run_and_store)
    assert execute_if_changed(notebook, tmp_path / "copies" / "small.ipynb", {})
    assert not execute_if_changed(notebook, tmp_path / "copies" / "small.ipynb", {})


def test_a_notebook_that_fails_leaves_the_old_copy_whole_and_nothing_else(
    notebook: Path, tmp_path: Path, kernel: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copies" / "small.ipynb"
    executing.execute(notebook, target, {})
    whole = target.read_bytes()

    def stop(source: Path, unfinished: Path, parameters: dict[str, str]) -> None:
        unfinished.write_text("half a noteb")
        raise NotebookFailed("small.ipynb stopped")

    monkeypatch.setattr(executing, "run_cells", stop)
    with pytest.raises(NotebookFailed):
        executing.execute(notebook, target, {})
    assert target.read_bytes() == whole
    assert [path.name for path in target.parent.iterdir()] == ["small.ipynb"]


@pytest.mark.slow
def test_without_torch_a_heavy_cell_is_shown_and_the_others_run(
    notebook: Path, tmp_path: Path, without_torch: None
) -> None:
    for name in ("first", "second"):
        executing.execute(notebook, tmp_path / name / "small.ipynb", {"profile": "smoke"})
    copy = nbformat.read(tmp_path / "first" / "small.ipynb", as_version=4)
    printed = ["".join(output.text for output in cell.outputs) for cell in copy.cells if cell.cell_type == "code"]
    assert [text for text in printed if text] == [NOT_EXECUTED, "profile smoke\n"]
    assert (tmp_path / "first" / "small.ipynb").read_bytes() == (tmp_path / "second" / "small.ipynb").read_bytes()


@pytest.mark.slow
def test_a_copy_holds_the_same_images_under_any_backend_of_the_caller(
    tmp_path: Path, without_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, found = tmp_path / "figure.ipynb", []
    cell = nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
    (tmp_path / "matplotlibrc").write_text("backend: svg\nfigure.dpi: 30\n")
    for name, value in (("MPLBACKEND", ""), ("MPLBACKEND", "Agg"), ("MATPLOTLIBRC", str(tmp_path))):
        monkeypatch.setenv(name, value)
        executing.execute(notebook, tmp_path / "copies" / "figure.ipynb", {})
        found.append((tmp_path / "copies" / "figure.ipynb").read_bytes())
    assert b"image/png" in found[0] and found == [found[0]] * 3


@pytest.mark.slow
def test_a_cell_that_raises_is_named_with_its_error(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "heavy_available", lambda: True)
    with pytest.raises(NotebookFailed, match=r"small\.ipynb stopped at code cell 2: RuntimeError: a heavy cell ran"):
        executing.execute(notebook, tmp_path / "copies" / "small.ipynb", {})
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.slow
def test_a_kernel_finds_this_repository_and_leaves_the_users_settings_alone(
    tmp_path: Path, without_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = tmp_path / "where.ipynb"
    cell = nbformat.v4.new_code_cell("import devnetlib, os\nprint(list(devnetlib.__path__)[0], os.getcwd())")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
    executing.execute(notebook, tmp_path / "copies" / "where.ipynb", {})
    printed = json.loads((tmp_path / "copies" / "where.ipynb").read_text())["cells"][0]["outputs"][0]["text"]
    assert "".join(printed).split() == [str(executing.ROOT / "devnetlib"), str(executing.ROOT)]
    assert not (tmp_path / "ipython").exists()
