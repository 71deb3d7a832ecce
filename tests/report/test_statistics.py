"""Statistics against tables worked by hand, simulations with known components, and the paper's own p-values."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import rankdata
from scipy.stats import wilcoxon as scipy_wilcoxon

from devnetlib.report.paper import p_values, printed
from devnetlib.report.statistics import crossed, holm, paired, three_run_percentile, wilcoxon


def simulate(rng, splits, draws, split_sd, draw_sd, residual_sd):
    return (
        rng.normal(0, split_sd, (splits, 1))
        + rng.normal(0, draw_sd, (1, draws))
        + rng.normal(0, residual_sd, (splits, draws))
    )


def test_a_two_by_three_table_has_the_components_worked_by_hand():
    # Split means 2 and 5, draw means 2.5, 3, 5; residuals +-0.5, 0, -+0.5, so that
    # MS_split = 3 * 4.5 = 13.5, MS_draw = 2 * 1.75 = 3.5, MS_residual = 1 / 2 = 0.5.
    found = crossed([[1.5, 1.5, 3.0], [3.5, 4.5, 7.0]])
    assert found.mean == pytest.approx(3.5)
    assert found.split_sd**2 == pytest.approx((13.5 - 0.5) / 3)
    assert found.draw_sd**2 == pytest.approx((3.5 - 0.5) / 2)
    assert found.residual_sd**2 == pytest.approx(0.5)
    assert found.standard_error**2 == pytest.approx((13.5 + 3.5 - 0.5) / 6)
    assert found.degrees_of_freedom == pytest.approx(16.5**2 / (13.5**2 / 1 + 3.5**2 / 2 + 0.5**2 / 2))


def test_the_interval_is_students_t_around_the_mean():
    found = crossed([[1.5, 1.5, 3.0], [3.5, 4.5, 7.0]])
    low, high = found.interval(0.95)
    assert (low + high) / 2 == pytest.approx(found.mean)
    assert found.interval(0.99)[0] < low < found.interval(0.90)[0]


def test_the_variance_of_the_mean_never_falls_below_that_of_independent_runs():
    # A pure interaction: rows and columns have equal means, only the residual is left.
    found = crossed([[1.0, -1.0], [-1.0, 1.0]])
    assert found.split_sd == found.draw_sd == 0
    assert found.standard_error**2 == pytest.approx(4 / 4)
    assert found.degrees_of_freedom == 1


def test_simulated_components_are_recovered():
    found = crossed(simulate(np.random.default_rng(5), 400, 400, 0.03, 0.02, 0.01))
    assert found.split_sd == pytest.approx(0.03, rel=0.1)
    assert found.draw_sd == pytest.approx(0.02, rel=0.1)
    assert found.residual_sd == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("sds", [(0.01, 0.02, 0.01), (0.03, 0.005, 0.005), (0.0, 0.02, 0.01)])
def test_the_ninety_per_cent_interval_covers_the_truth_about_as_often_as_it_says(sds):
    rng = np.random.default_rng(7)
    intervals = np.array([crossed(simulate(rng, 5, 4, *sds)).interval(0.90) for _ in range(1500)])
    covered = ((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)).mean()
    assert 0.87 <= covered <= 0.95


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_one_split_or_one_draw_gives_an_interval_but_no_verdict(shape):
    runs = np.array([0.8, 0.9, 0.85, 0.87]).reshape(shape)
    found = crossed(runs)
    assert not found.crossed
    assert found.standard_error == pytest.approx(runs.std(ddof=1) / 2)
    assert np.isnan(found.split_sd) == (shape[0] == 1)
    assert np.isnan(found.draw_sd) == (shape[1] == 1)
    difference = paired(runs, 0.1, 0.95)
    assert difference.low > 0
    assert difference.verdict == "undetermined"


def test_a_single_run_has_a_mean_and_nothing_else():
    found = crossed([[0.8]])
    assert found.mean == 0.8
    assert np.isnan([found.standard_error, *found.interval(0.95)]).all()


def test_missing_runs_are_refused_and_counted():
    with pytest.raises(ValueError, match="1 of 4 runs are missing"):
        crossed([[0.8, np.nan], [0.7, 0.9]])
    with pytest.raises(ValueError, match="table \\(splits, draws\\)"):
        crossed([0.8, 0.9])


def test_pairing_removes_what_two_methods_share():
    rng = np.random.default_rng(3)
    shared = simulate(rng, 5, 4, 0.05, 0.05, 0.0)
    better = shared + 0.01 + rng.normal(0, 0.001, (5, 4))
    found = paired(better, shared, 0.95)
    assert found.verdict == "holds"
    assert found.low < 0.01 < found.high
    assert paired(shared, better, 0.95).verdict == "reversed"
    assert paired(better, shared, 0.95, threshold=0.01).verdict == "undetermined"
    assert found.half_width == pytest.approx((found.high - found.low) / 2)


def test_runs_on_other_splits_are_not_paired():
    with pytest.raises(ValueError, match="share splits and draws"):
        paired(np.zeros((5, 4)), np.zeros((4, 5)), 0.95)


def test_the_percentile_counts_means_of_three_runs_and_half_of_the_ties():
    # The four triples of 0, 3, 6, 9 have the means 3, 4, 5, 6.
    runs = [[0.0, 3.0], [6.0, 9.0]]
    assert three_run_percentile(runs, 4.5) == 50
    assert three_run_percentile(runs, 4.0) == 37.5
    assert three_run_percentile(runs, 2.0) == 0
    assert three_run_percentile(runs, 7.0) == 100
    assert np.isnan(three_run_percentile([[0.8, 0.9]], 0.8))


def test_more_runs_than_can_be_enumerated_are_refused():
    with pytest.raises(ValueError, match="triples"):
        three_run_percentile(np.zeros((20, 20)), 0.5)


def _columns(table, rows):
    table = table[rows]
    return table.pivot(index=["dataset", "subset"], columns="method", values="mean")


def _selections():
    two, three = printed(2), printed(3)
    return {
        "p-value (9)": _columns(two, two["subset"] == "all"),
        "p-value (23)": _columns(two, (two["dataset"] != "MVTec AD") | (two["subset"] != "all")),
        "p-value": _columns(three, three["subset"] != "Mean"),
    }


@pytest.mark.parametrize(
    ("test", "method", "expected"),
    [
        (row.test, row.method, row.p_printed)
        for row in p_values().itertuples()
        if row.p_printed == row.p_printed and (row.table, row.method) != ("table3", "KDAD")
    ],
)
def test_a_printed_p_value_follows_from_the_printed_means(test, method, expected):
    means = _selections()[test]
    assert round(wilcoxon(means["DevNet"], means[method]).p, 4) == expected


def test_the_one_p_value_that_does_not_follow_is_kdads_in_table_three():
    means = _selections()["p-value"]
    assert round(wilcoxon(means["DevNet"], means["KDAD"]).p, 4) == 0.0140


def test_the_signed_rank_test_gives_the_known_answer_and_effect():
    differences = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
    found = wilcoxon(differences, np.zeros(15), method="exact")
    assert found.p == pytest.approx(0.0413, abs=5e-5)
    assert found.rank_biserial == pytest.approx(0.6)
    assert wilcoxon(differences, np.zeros(15)).p == pytest.approx(0.0409, abs=5e-5)


@pytest.mark.parametrize(
    ("differences", "p"),
    [([1, 5, 4, 4, -1, 2, 1], 0.0625), ([1, 1, -1, 1, 1], 0.375), ([3], 1.0), ([2, -2], 1.0), ([1, 2, 2, 0], 0.25)],
)
def test_exact_p_of_tied_differences_has_the_known_answers(differences, p):
    found = wilcoxon(differences, np.zeros(len(differences)))
    assert found.method == "exact" and found.p == p


def test_exact_p_is_the_share_of_all_signs_that_lead_as_far_whatever_is_tied():
    rng = np.random.default_rng(1)
    for _ in range(60):
        differences = rng.integers(-4, 5, rng.integers(1, 10)) / 1000 + 1e-13
        kept = differences[abs(differences) > 1e-10]
        if not kept.size:
            continue
        ranks = rankdata(abs(kept).round(10))
        signs = np.array(list(product((-1, 1), repeat=kept.size)))
        far = abs(signs @ ranks) >= abs(np.sign(kept) @ ranks)
        assert wilcoxon(differences, np.zeros(differences.size), "exact").p == pytest.approx(far.mean(), abs=1e-14)


def test_exact_p_without_ties_is_scipys_for_few_pairs_and_for_many():
    for pairs in (5, 12, 60):
        differences = np.random.default_rng(pairs).permutation(np.arange(1, pairs + 1)) * 0.001
        differences[::3] *= -1
        assert wilcoxon(differences, np.zeros(pairs), "exact").p == pytest.approx(
            scipy_wilcoxon(differences, method="exact").pvalue
        )


def test_equal_printed_differences_are_dropped_as_zeros():
    found = wilcoxon([0.983, 0.5, 0.7, 0.6], [0.983, 0.4, 0.5, 0.3])
    assert (found.pairs, found.zeros) == (3, 1)
    with pytest.raises(ValueError, match="1 of 2 pairs lack a number"):
        wilcoxon([0.5, np.nan], [0.4, 0.3])
    with pytest.raises(ValueError, match="all differences are zero"):
        wilcoxon([0.5], [0.5])


def test_holm_gives_the_known_answer():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
