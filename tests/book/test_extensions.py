"""The book's own Sphinx extensions, each on a page of its own."""

import ast
import io
import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numbers_in_prose
import offline_math
import pytest
from api_reference import PACKAGE, as_restructured_text, modules
from docutils.core import publish_doctree
from results_json import as_json
from sphinx.ext.napoleon import Config, GoogleDocstring

from devnetlib.report.html import scrolling

BuildPage = Callable[..., Path]
Pretend = Callable[..., None]


def page(site: Path) -> str:
    return (site / "index.html").read_text(encoding="utf-8")


def test_a_named_number_becomes_its_computed_string_in_prose_and_tables(
    build_page: BuildPage, pretend: Pretend
) -> None:
    pretend("devnetlib.report.numbers", numbers=lambda: {"auroc": "0.861"})
    pretend("devnetlib.evidence.census_page", numbers=lambda: {"runs": "20"})
    pretend("devnetlib.evidence.imitation_page", numbers=dict)
    text = "# Title\n\nIt reaches {{ auroc }}.\n\n| runs |\n|---|\n| {{ runs }} |\n"
    html = page(build_page(text, "numbers_in_prose"))
    assert "It reaches 0.861." in html
    assert re.search(r"<td>\s*<p>20</p>", html)


def test_a_number_that_is_not_computed_fails_the_build(build_page: BuildPage, pretend: Pretend) -> None:
    pretend("devnetlib.report.numbers", numbers=lambda: {"auroc": "0.861"})
    pretend("devnetlib.evidence.census_page", numbers=dict)
    pretend("devnetlib.evidence.imitation_page", numbers=dict)
    with pytest.raises(AssertionError, match="'aurok' is undefined"):
        build_page("# Title\n\nIt reaches {{ aurok }}.\n", "numbers_in_prose")


def test_a_number_is_put_into_the_alternative_text_of_a_notebook_and_into_nothing_else_of_it(monkeypatch) -> None:
    warned = []
    monkeypatch.setattr(numbers_in_prose.logger, "warning", lambda *words: warned.append(words))
    known = SimpleNamespace(myst_substitutions={"auroc": "0.861"})
    app = SimpleNamespace(config=known, env=SimpleNamespace(doc2path=lambda name: f"{name}.ipynb"))
    cells = ['{"alt": "it is \\"high\\", {{ auroc }}"}', '{"source": "{{ auroc }}"}', '{"alt": "{{ aurok }}"}']
    source = ["\n".join(cells)]
    numbers_in_prose.fill_alternatives(app, "q1", source)
    assert source[0].splitlines() == ['{"alt": "it is \\"high\\", 0.861"}', *cells[1:]]
    assert [words[-1] for words in warned] == ["aurok"]


def test_mathematics_is_loaded_from_the_site_alone(build_page: BuildPage) -> None:
    site = build_page("# Title\n\n$x^2$\n", "sphinx.ext.mathjax", "offline_math")
    scripts = re.findall(r'<script[^>]* src="([^"?]*)', page(site))
    assert "_static/mathjax/tex-chtml.js" in scripts
    assert not [script for script in scripts if "//" in script]
    assert all((site / script).is_file() for script in scripts)


def test_of_mathjax_only_script_and_fonts_are_shipped_with_their_licence(tmp_path: Path) -> None:
    offline_math.copy_parts(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".js", ".woff"}
    assert sum(path.stat().st_size for path in files) < 3e6
    notice = Path(offline_math.__file__).parents[1] / "_static" / "licences" / "mathjax.txt"
    assert "Apache License" in notice.read_text()


def test_tables_scroll_in_a_region_that_keyboard_and_screen_reader_reach(
    build_page: BuildPage, pretend: Pretend
) -> None:
    pretend(
        "devnetlib.report.html",
        scrolling=scrolling,
        result_table_html=lambda dataset, question: f"<table><td>{dataset} {question}</td></table>",
        claims_table_html=lambda question: f"<table><td>claims of {question}</td></table>",
    )
    text = "# Title\n\n```{result-table} elpv q1\n```\n\n```{claims-table}\n```\n\n```{claims-table} q1\n```\n"
    html = page(build_page(text, "report_tables"))
    wrapper = '<div class="table-scroll" role="region" tabindex="0" aria-label="Results of q1 on elpv">'
    assert f"{wrapper}<table><td>elpv q1</td></table></div>" in html
    assert "claims of None" in html and "claims of q1" in html


def test_both_tables_of_the_census_are_on_the_page(build_page: BuildPage, pretend: Pretend) -> None:
    pretend("devnetlib.evidence.census_page", leaks_table_html=lambda: "copies", effect_table_html=lambda: "changes")
    text = "# Title\n\n```{census-table} leaks\n```\n\n```{census-table} effect\n```\n"
    html = page(build_page(text, "report_tables"))
    assert 'aria-label="Copies within each data set and across its splits">copies</div>' in html
    assert 'aria-label="AUROC with and without copies">changes</div>' in html


def test_an_unknown_table_of_the_census_fails_the_build_and_lists_the_known_ones(
    build_page: BuildPage, pretend: Pretend
) -> None:
    pretend("devnetlib.evidence.census_page", leaks_table_html=str, effect_table_html=str)
    with pytest.raises(AssertionError, match=r"'leak' is no table of the census; known are \['effect', 'leaks'\]"):
        build_page("# Title\n\n```{census-table} leak\n```\n", "report_tables")


def test_the_rules_of_the_claims_are_on_the_page_word_for_word(build_page: BuildPage, pretend: Pretend) -> None:
    from devnetlib.report import paper

    html = page(build_page("# Title\n\n```{claims-text} rules\n```\n\n```{claims-text} about\n```\n", "claims_text"))
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    for name, rule in paper.rules().items():
        assert name in words
        assert rule.words.split(".")[0].replace("`", "") in words
    assert "Written after a pilot" in words


def test_a_figure_is_drawn_at_build_time_with_caption_and_alternative_text(
    build_page: BuildPage, pretend: Pretend
) -> None:
    def draw(path: Path) -> str:
        path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"></svg>')
        return "Two bars, the left one higher."

    pretend("devnetlib.report.figures", FIGURES={"bars": draw})
    site = build_page("# Title\n\n```{report-figure} bars\n:name: fig-bars\nAUROC of two methods.\n```\n", "figures")
    assert 'alt="Two bars, the left one higher."' in page(site)
    assert "AUROC of two methods." in page(site)
    assert (site / "_images" / "bars.svg").is_file()


def test_an_unknown_figure_fails_the_build_and_lists_the_known_ones(build_page: BuildPage, pretend: Pretend) -> None:
    pretend("devnetlib.report.figures", FIGURES={"bars": print})
    with pytest.raises(AssertionError, match=r"'bras' is not drawn .* known are \['bars'\]"):
        build_page("# Title\n\n```{report-figure} bras\n```\n", "figures")


def test_a_contact_sheet_has_its_licence_below_it_and_stands_only_where_the_data_set_is_at_hand(
    build_page: BuildPage, pretend: Pretend
) -> None:
    def sheet(name: str, path: Path) -> str | None:
        if name == "far":
            return None
        path.write_bytes(b"a picture")
        return f"Sample images of {name}."

    pretend("devnetlib.report.samples", contact_sheet=sheet, caption=lambda name: f"Licence of {name}: CC BY 4.0.")
    text = "# Title\n\n```{sample-images} near\n```\n\n```{sample-images} far\n```\n"
    site = build_page(text, "sample_images")
    assert 'alt="Sample images of near."' in page(site) and "Licence of near: CC BY 4.0." in page(site)
    assert [path.name for path in (site / "_images").iterdir()] == ["samples-near.png"]
    assert "python -m devnetlib data prepare far" in re.sub(r"<[^>]+>", "", page(site))


def test_a_contact_sheet_that_no_licence_allows_fails_the_build(build_page: BuildPage) -> None:
    with pytest.raises(AssertionError, match="its licence is unknown, so that no image of it is shown"):
        build_page("# Title\n\n```{sample-images} headct\n```\n", "sample_images")


def test_results_json_is_in_the_site_and_equal_results_are_equal_bytes(build_page: BuildPage, pretend: Pretend) -> None:
    pretend("devnetlib.report.tables", results_document=lambda: {"b": 0.5, "a": {"d": None, "c": "±"}})
    written = (build_page("# Title\n", "results_json") / "results.json").read_text(encoding="utf-8")
    assert written == '{"a":{"c":"±","d":null},"b":0.5}\n' == as_json({"a": {"c": "±", "d": None}, "b": 0.5})
    assert json.loads(written)["b"] == 0.5


def test_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_json({"auroc": float("nan")})


def test_docstrings_may_hold_bars_stars_and_drawings() -> None:
    lines = ["Mean of |dev|, `a|b`:", "", "    x * y --> |z|", "", "Then `fit`:", "    one", "and two."]
    expected = [
        r"Mean of \|dev\|, `a|b`:",
        "",
        "::",
        "",
        "    x * y --> |z|",
        "",
        "Then `fit`:",
        "    one",
        "",
        "and two.",
    ]
    assert as_restructured_text(lines) == expected


def test_every_docstring_is_indented_as_the_api_page_can_read_it() -> None:
    sections, faults = Config(napoleon_custom_sections=[("Class facts", "params_style")]), []
    for file in sorted(Path(find_spec(PACKAGE).submodule_search_locations[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            text = (documented and ast.get_docstring(node)) or ""
            if "\n " in text:
                lines, told = GoogleDocstring(as_restructured_text(text.splitlines()), sections).lines(), io.StringIO()
                publish_doctree("\n".join(lines), settings_overrides={"warning_stream": told})
                faults += [f"{file.name}: {line}" for line in told.getvalue().splitlines() if "indent" in line]
    assert not faults


def test_a_room_stands_for_all_its_modules_and_a_file_for_itself() -> None:
    assert modules("deviation") == ["deviation"]
    assert {"methods.bce", "methods.devnet"} <= set(modules("methods"))
    assert not [name for name in modules("methods") if name.endswith("__init__")]
