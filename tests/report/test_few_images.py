"""Few test images: how wide an interval they leave, and what tables, curves and runs say of them."""

from dataclasses import replace

import numpy as np
import pytest

from devnetlib.metrics import auroc
from devnetlib.report import tables
from devnetlib.report.answers import headline
from devnetlib.report.curves import curve_table
from devnetlib.report.few_images import auroc_interval, cannot_tell, too_few
from devnetlib.report.html import result_table_html
from devnetlib.report.selection import Stored, cell, published
from devnetlib.report.statistics import paired
from devnetlib.report.summaries import run_line
from devnetlib.report.verdicts import learned, learned_over
from devnetlib.study.parameters import Request
from devnetlib.study.questions import QUESTIONS


def on_images(scores, normals: int, anomalies: int):
    """A run of which only the first images of either class are tested, all of them in order."""
    labels = np.r_[np.zeros(normals, int), np.ones(anomalies, int)]
    return replace(scores, score=tuple(labels.astype(float)), labels=labels, ids=scores.ids[: labels.size])


@pytest.fixture
def few(monkeypatch) -> Stored:
    """The published runs on ELPV as if seven normal and four anomalous images had been tested, all in order."""
    heap = Stored(on_images(scores, 7, 4) for scores in published() if scores.run.dataset == "elpv")
    for module in ("tables", "curves"):
        monkeypatch.setattr(f"devnetlib.report.{module}.published", lambda: heap)
    return heap


def test_a_perfect_ranking_of_few_images_has_a_wide_interval_and_one_of_many_a_narrow_one():
    assert auroc_interval(1.0, 7, 4) == pytest.approx((0.649, 1.0), abs=5e-4)
    assert auroc_interval(0.0, 4, 7) == pytest.approx((0.0, 0.351), abs=5e-4)
    assert auroc_interval(0.9, 25, 90) == pytest.approx((0.802, 0.950), abs=5e-4)
    assert auroc_interval(1.0, 1000, 1000)[0] > 0.99


def test_the_interval_covers_the_truth_about_as_often_as_it_says_where_delongs_has_no_width():
    rng, truth, covered = np.random.default_rng(2), 0.9214, 0  # of two normals that lie two sd apart
    labels = np.r_[np.zeros(10), np.ones(10)]
    for _ in range(1000):
        low, high = auroc_interval(auroc(np.r_[rng.normal(0, 1, 10), rng.normal(2, 1, 10)], labels), 10, 10)
        covered += low <= truth <= high
    assert 0.93 <= covered / 1000 <= 0.99


@pytest.mark.parametrize(("normals", "anomalies"), [(7, 4), (4, 7), (9, 9), (6, 12), (500, 4), (1, 1000)])
def test_below_ten_of_each_or_the_like_of_it_a_table_cannot_tell(normals, anomalies):
    assert too_few(normals, anomalies)
    assert f"{normals} normal and {anomalies} anomalous" in cannot_tell(0.9, normals, anomalies)


@pytest.mark.parametrize(("normals", "anomalies"), [(10, 10), (161, 7), (22, 47), (100, 5)])
def test_from_ten_of_each_on_or_the_like_of_it_nothing_is_said(normals, anomalies):
    assert cannot_tell(1.0, normals, anomalies) == ""


def test_a_table_of_seven_and_four_images_says_that_it_cannot_tell_with_the_width_of_the_interval(few, tmp_path):
    frame = tables.table("elpv", "q1", "quick", tmp_path)
    assert set(frame["published", "AUROC"]) == {"1.000, cannot tell"}
    text = tables.text_table("elpv", "q1", "quick", tmp_path)
    assert "over 7 normal and 4 anomalous test images the 95 % interval of 1.000 is 0.35 wide (0.65 to 1.00)" in text
    assert "cannot tell" in result_table_html("elpv", "q1")
    assert set(tables.leads("elpv")["learned from labels"]) == {"cannot tell"}
    assert set(curve_table("elpv", "q5", stored=few).loc["DevNet"]) == {"1.000, cannot tell"}


def test_no_published_table_lacks_test_images():
    for dataset in tables.published_datasets():
        for question in QUESTIONS:
            records = tables.question_records(dataset, question)
            assert not [r["title"] for r in records if r["published"] and r["published"]["cannot_tell"]]


def test_a_run_says_in_its_line_and_record_that_it_cannot_tell():
    scores = on_images(cell(published(), "elpv", "devnet", "quick").any, 7, 4)
    record = tables.run_record(scores)
    assert "0.35 wide" in record["cannot_tell"] and "7 normal and 4 anomalous" in run_line(record)
    assert "cannot tell" not in run_line(tables.run_record(cell(published(), "elpv", "devnet", "quick").any))


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_one_split_or_one_draw_shows_nothing_as_learned_in_claims_and_in_tables_alike(shape, monkeypatch):
    ours, control = np.full(shape, 0.9) + np.linspace(0, 0.01, 4).reshape(shape), np.full(shape, 0.5)
    lead = paired(ours, control, 0.95)
    assert lead.low > 0 and not lead.above
    assert learned(ours, {"grey": control}, 0.95).verdict == "not shown" and not learned_over({"grey": lead})
    monkeypatch.setattr(tables, "lead_differences", lambda *_: {"DevNet": {"grey": lead}})
    assert tables.leads("elpv").loc["DevNet", "learned from labels"] == "not shown"
    crossed = paired(np.full((4, 4), 0.9) + np.linspace(0, 0.01, 4), np.full((4, 4), 0.5), 0.95)
    monkeypatch.setattr(tables, "lead_differences", lambda *_: {"DevNet": {"grey": crossed}})
    assert tables.leads("elpv").loc["DevNet", "learned from labels"] == "yes"


def test_the_answer_of_a_chapter_says_it_as_its_table_does(few, monkeypatch):
    monkeypatch.setattr("devnetlib.report.answers.shown", lambda request: few)
    assert "DevNet 1.000, cannot tell (20 runs), the paper 0.846." in headline("q1", Request(), "")
