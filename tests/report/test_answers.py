"""The answer at the head of a chapter: whose numbers it shows, of which data set."""

import pytest

from devnetlib.report import answers
from devnetlib.report.answers import NO_NUMBER, headline, how_made, not_published, paper_table
from devnetlib.report.selection import Stored
from devnetlib.study.parameters import Request

QUESTIONS = ("q1", "q2", "q3", "q4", "q5", "q6")


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """`nothing(profile, *datasets)`: a request of which no run is stored, where nothing is published either."""
    monkeypatch.setattr(answers, "published", Stored)
    monkeypatch.setattr(answers, "shown", lambda request: Stored())
    return lambda profile, *datasets: Request(profile, datasets, results=tmp_path)


def test_the_published_answer_stands_where_its_data_set_is_asked_for():
    told = headline("q1", Request(), "ELPV, yes.")
    assert told == "ELPV, yes.\n\nThe runs shown are published, on `elpv`."


def test_another_data_set_gets_its_own_numbers_in_the_place_of_the_answer():
    told = headline("q1", Request(datasets=("headct",)), "ELPV, yes.")
    assert told.startswith("`headct`: with ten labelled anomalies DevNet 0.978 (40 runs), the paper 0.982.")
    assert "ELPV, yes." not in told and "*What to notice*" in told


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_folder_of_ones_own_is_never_given_the_published_answer(nothing, question):
    told = headline(question, nothing("smoke", "my/tiles"), "ELPV, yes.")
    assert "ELPV, yes." not in told and "on `my/tiles`. *What to notice*" in told
    assert NO_NUMBER in told or "cannot be asked of it" in told


def test_under_another_profile_the_published_answer_is_named_as_such(tmp_path):
    told = headline("q1", Request("smoke", results=tmp_path), "ELPV, yes.").split("\n\n")
    assert told[0] == "As published, under `quick`: ELPV, yes."
    assert "no run of DevNet is stored yet, the paper 0.846" in told[1] and "yours, under `smoke`" in told[2]


def test_an_answer_of_yours_says_that_the_page_may_execute_runs_which_it_does_not_count(tmp_path):
    told = headline("q1", Request("smoke", results=tmp_path), "ELPV, yes.")
    assert "no run of DevNet is stored yet" in told and told.endswith("began; it may execute others below.")
    assert "when this page began" not in headline("q1", Request(), "ELPV, yes.")


def test_the_papers_numbers_are_those_of_the_data_sets_asked_for(capsys):
    table = paper_table(2, ("headct", "my/carpet", "mvtec/carpet"))
    assert list(table.index) == ["HeadCT", "MVTec AD, Carpet"] and table.loc["HeadCT", "DevNet"] == "0.982 ± 0.009"
    assert capsys.readouterr().out == f"my/carpet, Table II: {NO_NUMBER}\n"
    assert list(paper_table(3, ("elpv",)).index) == ["ELPV, Mono", "ELPV, Poly", "ELPV, Mean"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_a_run_the_line_on_how_a_page_was_made_says_so(nothing, question):
    assert how_made(question, nothing("smoke", "my/tiles")) == "no run of profile smoke is stored of my/tiles"


def test_the_line_on_how_a_page_was_made_counts_the_runs_of_the_data_sets_asked_for_alone():
    both, one, other = (
        how_made("q4", Request(datasets=names)) for names in (("elpv", "headct"), ("elpv",), ("headct",))
    )
    counts = [int(line.split()[0]) for line in (both, one, other)]
    assert counts[0] == counts[1] + counts[2] and min(counts) > 0


def test_answers_have_a_mark_where_nothing_is_published(monkeypatch):
    monkeypatch.setattr(answers, "curves", lambda dataset, question: {})
    monkeypatch.setattr(answers, "changes", lambda dataset, question: {})
    monkeypatch.setattr(answers, "published_datasets", list)
    assert answers.budget() == {"elpv_5": "—", "elpv_40": "—", "elpv_free": "—", "pays": "not measured"}
    assert answers.contamination()["elpv_0"] == answers.contamination()["elpv_loss"] == "—"


def test_the_results_name_a_data_set_of_which_nothing_is_published():
    assert not_published(("elpv", "toy", "brainmri:official_loader")) == ""
    assert "Of `my/tiles` nothing is published" in not_published(("elpv", "my/tiles"))
