"""Paired differences on pages, and what is missing."""

import numpy as np
import pytest
from scipy import stats

from devnetlib.report import pairs
from devnetlib.report.paper import measured_again
from devnetlib.report.statistics import corrected_paired, paired
from devnetlib.report.tables import published_datasets


def test_where_only_splits_differ_the_correction_is_nadeaus_and_bengios():
    leads = np.array([0.01, 0.03, 0.02, 0.05, 0.04])
    a = np.repeat(leads[:, None], 4, axis=1)
    found = corrected_paired(a, np.zeros((5, 4)), 0.95, 1 / 3)
    half = stats.t.ppf(0.975, 4) * leads.std(ddof=1) * np.sqrt(1 / 5 + 1 / 3)
    assert found.mean == pytest.approx(leads.mean()) and found.half_width == pytest.approx(half)


@pytest.mark.parametrize("draw_sd", [0.0, 0.01, 0.1])
def test_the_correction_never_narrows_an_interval(draw_sd):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        a = rng.normal(0.9, 0.01, (5, 4)) + rng.normal(0, draw_sd, 4)
        plain, wider = paired(a, np.full((5, 4), 0.88), 0.95), corrected_paired(a, np.full((5, 4), 0.88), 0.95, 1 / 3)
        assert wider.mean == pytest.approx(plain.mean) and wider.half_width >= plain.half_width


def test_one_split_leaves_the_corrected_interval_open():
    found = corrected_paired([[0.9, 0.8]], [[0.7, 0.7]], 0.95, 1 / 3)
    assert np.isnan(found.half_width) and found.verdict == "undetermined"


def test_the_second_measurement_stands_beside_the_printed_one():
    assert measured_again("elpv") == (0.843, 0.001) and measured_again("elpv", 1) == (0.810, 0.024)
    assert measured_again("toy") is None and measured_again("elpv", 5) is None
    line = pairs.beside_print(["elpv"]).loc["elpv"]
    assert line["printed"].startswith("0.846") and line["again"].startswith("0.843")


def test_every_published_set_has_a_line_of_leads_and_of_steps():
    assert list(pairs.lead_table("q1", "DevNet", ["Cross-entropy"]).index) == published_datasets()
    assert list(pairs.step_table().index) == published_datasets()


def test_a_row_that_cannot_be_run_here_is_listed_with_the_reason():
    missing = pairs.missing_cells(["elpv"])
    reasons = missing[missing["row"] == "DS on AlexNet"]["why"]
    assert list(reasons) == ["no pretrained weights at hand, and random ones would say nothing"]
    assert not missing["why"].str.contains("not run yet: 20 of 20").any()
