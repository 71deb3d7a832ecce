"""Curves from the published scores, and where labels pay."""

import numpy as np
import pytest

from devnetlib.report import curves
from devnetlib.report.selection import cell, in_common, published
from devnetlib.report.statistics import Difference
from devnetlib.study.questions import asked


def lead(low: float) -> Difference:
    return Difference(low + 0.01, low, low + 0.02, 0.01, "")


def test_labels_pay_from_the_first_number_after_which_the_lead_never_leaves_the_upper_side():
    assert curves.labels_that_pay({1: lead(-0.1), 5: lead(0.1), 10: lead(0.1)}) == 5
    assert curves.labels_that_pay({1: lead(0.1), 5: lead(-0.1), 10: lead(0.1)}) == 10
    assert curves.labels_that_pay({1: lead(0.1), 5: lead(-0.1)}) is None
    assert curves.labels_that_pay({}) is None


def test_a_curve_has_a_point_for_every_setting_with_the_mean_of_its_runs():
    points = curves.curves("elpv", "q5")["DevNet"]
    assert [point.x for point in points] == [setting.anomalies for setting in asked("q5").settings_of("elpv")]
    assert all(point.low < point.mean < point.high and point.runs == 20 for point in points)


def test_what_a_question_varies_is_known_by_its_settings():
    assert curves.quantity(asked("q5")) == "anomalies" and curves.quantity(asked("q6")) == "contamination"


def test_more_labels_are_better_on_elpv():
    means = [point.mean for point in curves.curves("elpv", "q5")["DevNet"]]
    assert means[-1] > means[2] > means[0]


def test_the_sweep_of_k_holds_the_papers_share():
    assert [point.x for point in curves.top_k_curve("elpv")] == [0.01, 0.05, 0.1, 0.2, 0.5, 1.0]


def test_a_change_is_the_last_setting_minus_the_first():
    first, *_, last = curves.curves("elpv", "q6")["DevNet"]
    assert np.mean(curves.changes("elpv", "q6")["DevNet"]) == pytest.approx(last.mean - first.mean)


def test_the_table_of_a_curve_marks_what_nobody_ran():
    table = curves.curve_table("elpv", "q5")
    assert list(table.columns) == [setting.title for setting in asked("q5").settings_of("elpv")]
    assert table.loc["DevNet"].str.contains(r"\[").all()


def test_rows_with_fewer_draws_are_compared_on_the_common_ones():
    few = cell(published(), "elpv", "flos", "quick", draws=(0, 1))
    many = cell(published(), "elpv", "devnet", "quick")
    ours, theirs = in_common(many, few)
    assert ours.shape == theirs.shape == (5, 2)
    assert np.array_equal(ours, many.values()[:, :2]) and np.array_equal(theirs, few.values())
