"""A fork that publishes other cells: numbers and tables of the book are marked where nothing is, never a traceback."""

import pytest

from devnetlib.report import curves, html, imitations, judgement, numbers, rounding, selection, tables

PUBLISHED_BY = {
    "nothing": lambda run: False,
    "another data set alone": lambda run: run.dataset == "headct",
    "no run of DevNet": lambda run: run.method != "devnet",
    "one split": lambda run: run.split == 0,
}


@pytest.fixture(params=PUBLISHED_BY)
def names(request, monkeypatch):
    """The names of all numbers; thereafter the published scores are those that a fork keeps."""
    known = set(numbers.numbers())
    kept = [scores for scores in selection.published() if PUBLISHED_BY[request.param](scores.run)]
    monkeypatch.setattr(selection, "recall", lambda: kept)
    remembering = (selection.published, judgement.verdict_records, rounding.repeated)
    for function in remembering:
        function.cache_clear()
    yield known
    monkeypatch.undo()
    for function in remembering:
        function.cache_clear()


def test_what_a_fork_does_not_publish_is_marked_in_sentences_and_tables(names):
    texts = numbers.numbers()
    assert set(texts) == names and tables.MISSING in texts.values()
    assert all(text and "nan" not in text for text in texts.values())
    assert html.sets_table_html("q1") and html.claims_table_html() and imitations.scores_table_html()
    assert len(curves.pay_table(tables.published_datasets())) == len(tables.published_datasets())
