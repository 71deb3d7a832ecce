"""The command that builds the book: a line a step, one clear line of failure, and never half a site."""

import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import building
import pytest
import yaml
from executing import NotebookFailed

from devnetlib.study.results import DamagedScores


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository whose notebooks are two empty files."""
    (tmp_path / "notebooks").mkdir()
    for name in ("00_first", "q1_second"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text("{}")
    monkeypatch.setattr(building, "ROOT", tmp_path)
    monkeypatch.setattr(building, "BOOK", tmp_path / "book")
    monkeypatch.setattr(building, "SITE", tmp_path / "book" / "_build" / "html")
    monkeypatch.setattr(building, "processes", lambda: ThreadPoolExecutor(1))  # what is put in place stays in place
    monkeypatch.setattr(building, "recall", lambda apply: [])
    return tmp_path / "book"


def site_with(text: str):
    """In place of Jupyter Book: a site of one page, with some of what the theme ships beside it."""

    @contextmanager
    def at_work(output: Path):
        yield partial(make, output)

    def make(output: Path) -> Path:
        site = output / "_build" / "html"
        (site / "_static" / "locales" / "fr").mkdir(parents=True)
        (site / "_static" / "theme.js.map").write_text("map")
        (site / "_static" / "theme.js").write_text("script")
        (site / "index.html").write_text(text)
        return site

    return at_work


def test_each_notebook_gets_a_line_that_says_what_happened(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "execute_with_key", lambda source, target, parameters: None)
    first, _ = building.copies()
    with building.processes() as pool:
        building.execute_notebooks([first], {}, pool)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("notebook")]
    assert sorted(lines) == [
        "notebook 00_first: executed, 0 s",
        "notebook q1_second: unchanged",
    ]


def test_a_damaged_scores_file_is_named_before_any_notebook_begins(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged(apply):
        raise DamagedScores("devnet.json: not a whole scores file")

    monkeypatch.setattr(building, "recall", damaged)
    monkeypatch.setattr(building, "execute_with_key", lambda *_: pytest.fail("a notebook began"))
    assert building.main([]) == 1 and capsys.readouterr().err == "devnet.json: not a whole scores file\n"


def test_before_the_pages_are_read_every_notebook_has_a_copy_and_no_stale_one_has_a_key(book: Path) -> None:
    (book / "notebooks").mkdir(parents=True)
    for name in ("00_first.ipynb", "00_first.key", "gone.ipynb", "gone.key", "00_first.unfinished.json"):
        (book / "notebooks" / name).write_text("")
    assert building.lay_out_copies({}) == list(building.copies())
    assert sorted(path.name for path in (book / "notebooks").iterdir()) == ["00_first.ipynb", "q1_second.ipynb"]
    assert (book / "notebooks" / "q1_second.ipynb").read_text() == "{}"


def test_every_file_that_may_be_a_page_is_in_the_table_of_contents_or_left_out_by_name() -> None:
    book = Path(building.__file__).resolve().parents[1]
    toc, config = ((book / name).read_text() for name in ("_toc.yml", "_config.yml"))
    left_out = set(yaml.safe_load(config)["exclude_patterns"])
    files = [path.relative_to(book) for path in book.rglob("*.md") if path.relative_to(book).parts[0] != "_build"]
    pages = set(re.findall(r"(?:file|root): *([\w/.-]+)", toc))
    assert {str(file) for file in files if str(file.with_suffix("")) not in pages} == left_out


def test_the_site_is_trimmed_and_ready_for_github_pages(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "jupyter_book", site_with("new"))
    with building.site_beside(building.SITE):
        pass
    files = sorted(path.relative_to(building.SITE).as_posix() for path in building.SITE.rglob("*") if path.is_file())
    assert files == [".nojekyll", "_static/theme.js", "index.html"]


def test_a_build_that_fails_leaves_the_old_site_whole(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "jupyter_book", site_with("old"))
    with building.site_beside(building.SITE):
        pass

    @contextmanager
    def complaining(output: Path):
        def complain():
            output.mkdir()
            raise building.BuildFailed("WARNING: something")

        yield complain

    monkeypatch.setattr(building, "jupyter_book", complaining)
    with pytest.raises(building.BuildFailed), building.site_beside(building.SITE):
        pass
    assert (building.SITE / "index.html").read_text() == "old"
    assert [path.name for path in building.SITE.parent.iterdir()] == ["html"]


def test_the_last_line_names_the_file_to_open(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = []
    monkeypatch.setattr(building, "execute_with_key", lambda source, target, parameters: begun.append(parameters))
    monkeypatch.setattr(building, "jupyter_book", site_with("new"))
    assert building.main(["--profile", "smoke"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f"The book is built. Open {building.SITE / 'index.html'}"
    assert "notebook 00_first: executed, 0 s" in printed and begun == 2 * [{"execute": 0, "profile": "smoke"}]


def test_a_process_that_is_killed_ends_the_build_with_1_and_one_line(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "processes", lambda: ProcessPoolExecutor(1, get_context("spawn")))
    monkeypatch.setattr(building, "recall", lambda apply: list(apply(os._exit, [1])))
    assert building.main([]) == 1
    assert capsys.readouterr().err == f"{building.KILLED}\n"


def test_a_failing_notebook_ends_the_build_with_1_and_its_name(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(source: Path, target: Path, parameters: dict[str, str]) -> None:
        raise NotebookFailed(f"{source.name} stopped at code cell 3: ValueError: no")

    monkeypatch.setattr(building, "execute_with_key", stop)
    monkeypatch.setattr(building, "jupyter_book", site_with("new"))
    assert building.main([]) == 1 and not building.SITE.exists()
    assert capsys.readouterr().err == "00_first.ipynb stopped at code cell 3: ValueError: no\n"


@pytest.fixture
def small_book(book: Path) -> Path:
    """A book of one page and two notebooks, of which one waits to be executed."""
    (book / "notebooks").mkdir(parents=True)
    cells = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for name in ("a", "b"):
        title = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": f"# Before {name}"}
        (book / "notebooks" / f"{name}.ipynb").write_text(json.dumps(cells | {"cells": [title]}))
    (book / "notebooks" / "a.key").touch()
    chapters = "chapters: [{file: notebooks/a}, {file: notebooks/b}, {file: z}]"
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: index\n{chapters}\n")
    extensions = f"local_extensions: {{notebooks_last: {Path(building.__file__).parent}}}"
    (book / "_config.yml").write_text(
        "title: Small\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
        + f"sphinx: {{{extensions}}}\n"
    )
    for name in ("index", "z"):
        (book / f"{name}.md").write_text("# Small\n")
    return book


@pytest.mark.slow
def test_a_notebook_is_read_once_its_copy_is_executed(small_book: Path, tmp_path: Path) -> None:
    copy = small_book / "notebooks" / "b.ipynb"
    with building.jupyter_book(tmp_path / "out") as finished:
        for _ in range(600):
            if len(list((tmp_path / "out").rglob("*.doctree"))) == 3:  # z is read before b, for which it need not wait
                break
            time.sleep(0.1)
        copy.write_text(copy.read_text().replace("Before", "After"))
        copy.with_suffix(".key").touch()
        site = finished()
    assert "After b" in (site / "notebooks" / "b.html").read_text()


@pytest.mark.slow
def test_jupyter_book_is_stopped_where_a_notebook_fails(
    small_book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            begun.append(self)

    monkeypatch.setattr(building.subprocess, "Popen", Recorded)
    with pytest.raises(NotebookFailed), building.jupyter_book(tmp_path / "out"):
        raise NotebookFailed("b.ipynb stopped")
    assert [process.returncode for process in begun] == [-signal.SIGKILL]


@pytest.mark.slow
def test_jupyter_book_reports_its_warnings_as_the_reason_of_the_failure(small_book: Path, tmp_path: Path) -> None:
    (small_book / "notebooks" / "b.key").touch()
    (small_book / "index.md").write_text("# Small\n\n[nowhere](nowhere.md)\n")
    fault = pytest.raises(building.BuildFailed, match=r"index\.md:3: WARNING.*nowhere")
    with building.jupyter_book(tmp_path / "out") as finished, fault:
        finished()
