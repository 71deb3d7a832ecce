"""The page of the embedded trunk: its table, its picture where it can be drawn, and its numbers from the card."""

import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from devnetlib import embedded
from devnetlib.evidence.imitation_page import errors_table_html, numbers
from devnetlib.report.imitations import moved_most

BOOK = Path(__file__).resolve().parents[2] / "book"
MAPS = "# Title\n\n```{imitation-maps}\n```\n"


def built(build_page, text: str) -> str:
    return (build_page(text, "report_tables", "imitation") / "index.html").read_text(encoding="utf-8")


def test_the_table_of_errors_is_on_the_page(build_page):
    html = built(build_page, "# Title\n\n```{imitation-table}\n```\n")
    assert 'aria-label="Errors of the embedded trunk on held-out images"' in html
    assert f"{embedded.card()['errors']['cells']['squared']['3']:.3f}" in html


def test_where_the_maps_can_be_drawn_the_picture_has_its_words(build_page, pretend):
    def draw(path: Path) -> str:
        Image.new("L", (8, 8)).save(path)
        return "Maps side by side."

    pretend("devnetlib.evidence.imitation", maps_figure=draw)
    html = built(build_page, MAPS)
    assert 'alt="Maps side by side."' in html and "imitation.png" in html and "that were held out" in html


@pytest.mark.parametrize("missing", ["torch", "weights"])
def test_where_they_cannot_a_line_names_the_command(build_page, pretend, monkeypatch, missing):
    if missing == "torch":  # whatever stands under the name of the module by then
        monkeypatch.setitem(sys.modules, "torch", None)
    pretend("devnetlib.evidence.imitation", maps_figure=lambda path: None if missing == "weights" else "drawn")
    html = built(build_page, MAPS)
    assert "ImageNet weights are at hand" in html and ">weights<" in html and "<img" not in html


def test_the_table_has_a_line_for_every_kind_of_image_and_stage():
    assert errors_table_html().count("<tr>") == 1 + 2 * 3


def test_every_number_that_the_page_quotes_of_the_trunk_is_computed_and_every_computed_one_is_quoted():
    quoted = set(re.findall(r"{{ (trunk_\w+) }}", (BOOK / "embedded.md").read_text()))
    assert quoted == set(numbers() | moved_most())


def test_the_numbers_are_those_of_the_card():
    told, found = embedded.card(), numbers()
    assert found["trunk_weights"] == told["weights"]["3"] and told["file"]["sha256"].startswith(found["trunk_digest"])
    assert found["trunk_cells"] == str(len(told["images"]["ids"]["elpv"]))
    assert float(found["trunk_megabytes"]) == pytest.approx(told["file"]["bytes"] / 1e6, abs=0.05)
