"""The passage that a page makes of a card."""

import pytest
from markdown_it import MarkdownIt

from devnetlib.data.manifests import datasets, load_card
from devnetlib.report.cards import card_markdown, printed_counts


@pytest.mark.parametrize("name", datasets())
def test_a_passage_holds_the_counts_the_licence_and_every_trap_of_its_card(name):
    facts, passage = load_card(name).facts, card_markdown(name)
    assert facts["licence"]["name"] in passage and all(trap in passage for trap in facts["traps"])
    for counts in facts["counts"].values():
        assert " | ".join(f"{number:,}" for number in counts.values()) in passage
    assert ("printed in Table I" in passage) == bool(facts["table1"])


def test_commands_are_code_and_what_stands_behind_them_is_not():
    assert "- `python -m devnetlib data prepare headct --from FOLDER-OR-ARCHIVE`\n" in card_markdown("headct")
    assert "--from mvtec_anomaly_detection.tar.xz` (or the unpacked folder" in card_markdown("mvtec")


@pytest.mark.parametrize("name", datasets())
def test_a_page_shows_the_layout_of_a_release_with_its_placeholders_and_stars(name):
    layout = load_card(name).facts["layout"].replace("`", "").rstrip(".")
    parts = [part for block in MarkdownIt("commonmark").parse(card_markdown(name)) for part in block.children or ()]
    shown = "".join(part.content for part in parts if part.type in ("text", "code_inline"))
    assert f"Layout: {layout}." in shown


def test_the_printed_counts_of_elpv_are_those_of_table_1():
    assert printed_counts("ELPV", "all") == {"train_normal": 1131, "test_normal": 377, "test_anomaly": 715}
