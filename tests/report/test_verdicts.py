"""The rules of the claims applied to runs."""

import numpy as np
import pytest

from devnetlib.report.paper import printed_value, rules
from devnetlib.report.verdicts import compare_with_printed, judge, learned, reaches

GRID = (5, 4)


def runs(mean, sd=0.004, seed=0):
    return mean + np.random.default_rng(seed).normal(0, sd, GRID)


def compare(values, mean, sd):
    return compare_with_printed(values, mean, sd, margin=0.03, confidence=0.90)


def test_the_printed_spread_alone_leaves_elpv_a_half_width_of_0_037():
    mean, sd = printed_value("elpv", "devnet")
    found = compare(np.full(GRID, mean), mean, sd)
    assert round(found.printed_half_width, 3) == 0.037
    assert found.half_width == pytest.approx(found.printed_half_width)
    assert found.difference == pytest.approx(0)
    assert found.verdict == "undetermined"
    assert not found.can_agree


def test_no_precision_of_ours_brings_elpv_inside_the_margin():
    mean, sd = printed_value("elpv", "devnet")
    widths = [compare(runs(mean, ours), mean, sd).half_width for ours in np.linspace(0, 0.1, 40)]
    assert min(widths) > 0.03


def test_a_number_inside_the_margin_agrees_one_outside_differs():
    assert compare(runs(0.985), 0.988, 0.006).verdict == "agrees"
    assert compare(runs(0.900), 0.988, 0.006).verdict == "differs"
    assert compare(runs(0.958), 0.988, 0.006).verdict == "undetermined"
    assert compare(runs(1.076), 0.988, 0.006).verdict == "differs"


def test_the_interval_of_a_difference_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(1500):
        ours = rng.normal(0, 0.02, (5, 1)) + rng.normal(0, 0.02, (1, 4)) + rng.normal(0, 0.01, GRID)
        three = rng.normal(0, 0.02, 3)
        found = compare(ours, three.mean(), three.std(ddof=1))
        covered += found.low <= 0 <= found.high
    assert 0.87 <= covered / 1500 <= 0.95


def test_one_split_is_never_enough_for_a_verdict_on_a_printed_number():
    assert compare(runs(0.985)[:1], 0.988, 0.006).verdict == "undetermined"


def test_a_printed_mean_without_spread_is_not_compared():
    with pytest.raises(ValueError, match="printed sd"):
        compare(runs(0.7), 0.702, None)


def test_three_hundredths_below_is_still_reached_whatever_floating_point_says():
    assert reaches(np.full(GRID, 0.816), 0.846, 0.03).verdict == "reaches"
    assert reaches(np.full(GRID, 0.815), 0.846, 0.03).verdict == "does not reach"
    assert reaches([[0.9]], 0.846, 0.03).verdict == "reaches"


def test_learned_needs_a_lead_over_every_control():
    controls = {"mahalanobis": runs(0.80, seed=1), "shuffled": runs(0.60, seed=2), "grey": np.full(GRID, 0.78)}
    assert learned(runs(0.85), controls, 0.95).verdict == "learned"
    found = learned(runs(0.85), controls | {"mahalanobis": runs(0.87, seed=1)}, 0.95)
    assert found.verdict == "not shown"
    assert [lead.verdict for lead in found.over.values()] == ["reversed", "holds", "holds"]
    with pytest.raises(ValueError, match="no control"):
        learned(runs(0.85), {}, 0.95)


@pytest.mark.parametrize(
    ("rule", "rival", "expected"),
    [
        ("order", 0.80, "holds"),
        ("order", 0.90, "reversed"),
        ("steadier", 0.80, "holds"),
        ("trend", 0.80, "rises"),
        ("trend", 0.90, "falls"),
        ("robust", 0.86, "robust"),
        ("robust", 0.90, "degrades"),
        ("robust", 0.88, "undetermined"),
    ],
)
def test_a_paired_rule_is_judged_in_its_own_words(rule, rival, expected):
    found = judge(rules()[rule], runs(0.85), {"rival": runs(rival, seed=1)})
    assert found["rival"].verdict == expected


@pytest.mark.parametrize(("share", "expected"), [(0.02, "holds"), (0.46, "fails"), (0.05, "undetermined")])
def test_the_upper_tail_is_judged_against_the_share_that_the_paper_names(share, expected):
    assert judge(rules()["separation"], runs(share))["normals"].verdict == expected


def test_printed_rules_read_their_constants_from_the_file():
    printed = judge(rules()["printed"], runs(0.985), printed=(0.988, 0.006))["printed"]
    assert printed == compare(runs(0.985), 0.988, 0.006)
    assert judge(rules()["reaches"], runs(0.985), printed=(0.988, 0.006))["printed"].verdict == "reaches"


def test_a_rule_that_lacks_what_it_needs_says_so():
    with pytest.raises(ValueError, match="needs a printed number"):
        judge(rules()["printed"], runs(0.9))
    with pytest.raises(ValueError, match="missing: grey, shuffled"):
        judge(rules()["learned"], runs(0.9), {"mahalanobis": runs(0.8)})
    with pytest.raises(ValueError, match="not judged from runs"):
        judge(rules()["recomputed"], runs(0.9))
