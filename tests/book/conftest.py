"""A page, built by Sphinx in this process with some of the book's own extensions, in a second or two."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))


@pytest.fixture
def build_page(tmp_path: Path) -> Callable[..., Path]:
    """`build_page(text, extension, ...)` -> the folder of the site; an AssertionError where Sphinx complains."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    def build(text: str, *extensions: str) -> Path:
        source, site = tmp_path / "source", tmp_path / "site"
        source.mkdir()
        (source / "index.md").write_text(text, encoding="utf-8")
        settings = {"extensions": ["myst_parser", *extensions], "html_theme": "basic", "master_doc": "index"}
        settings["myst_enable_extensions"] = ["substitution", "dollarmath"]
        complaints = io.StringIO()
        with patch_docutils(), docutils_namespace():
            app = Sphinx(source, None, site, tmp_path / "trees", "html", settings, status=None, warning=complaints)
            app.build()
        assert not complaints.getvalue(), re.sub(r"\x1b\[[0-9;]*m", "", complaints.getvalue())
        return site

    return build


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`pretend("devnetlib.report.numbers", numbers=...)`: what the extensions import for the rest of the test."""

    def replace(module: str, **contents: object) -> None:
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**contents))

    return replace
