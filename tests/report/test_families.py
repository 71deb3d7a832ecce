"""The paper's methods over its own families of data sets, against known answers."""

import matplotlib.pyplot as plt
import pytest

from devnetlib.errors import Misuse
from devnetlib.report.families import (
    FAMILIES,
    comparisons,
    critical_difference,
    differences,
    means,
    printed_p,
    ranked,
    together,
)
from devnetlib.report.figures import LOOKS
from devnetlib.report.figures import critical_difference as drawn
from devnetlib.report.statistics import holm

PRINTED_P_THAT_DOES_NOT_FOLLOW = ("thirty", "KDAD")


@pytest.mark.parametrize(
    ("name", "sets", "methods"),
    [
        ("nine", 9, 6),
        ("twenty-three", 23, 6),
        ("thirty", 30, 5),
        ("six", 6, 5),
        ("fifteen", 15, 4),
        ("twenty-two", 22, 6),
    ],
)
def test_a_family_has_the_sets_and_methods_of_its_table_and_devnet_first(name, sets, methods):
    values = means(name)
    assert values.shape == (sets, methods) and values.columns[0] == "DevNet"
    assert not values.isna().any(axis=None)


def test_every_method_of_a_family_has_its_look_and_no_two_look_alike():
    for name in FAMILIES:
        looks = [LOOKS[title] for title in means(name)]
        assert len(set(looks)) == len(looks)


def test_the_twenty_two_sets_of_the_ablation_are_those_of_table_two_without_mastcam():
    two, five = means("twenty-three")["DevNet"], means("twenty-two")["DevNet"]
    assert set(two.index) - set(five.index) == {("Mastcam", "all")}
    assert (five == two[five.index]).all()


def test_the_columns_over_nine_and_thirty_sets_have_the_known_means():
    nine, thirty = means("nine").mean(), means("thirty").mean()
    assert nine[["DevNet", "FLOS", "MINNS", "Deep SVDD"]].tolist() == pytest.approx(
        [0.8897, 0.8541, 0.8502, 0.675], abs=5e-5
    )
    assert thirty[["DevNet", "KDAD", "Deep SAD"]].tolist() == pytest.approx([0.7391, 0.6395, 0.6004], abs=5e-5)


def test_the_columns_over_the_ablation_and_the_six_families_have_the_known_means():
    five, six = means("twenty-two").mean(), means("six").mean()
    assert five.tolist() == pytest.approx([0.9292, 0.8375, 0.9060, 0.8911, 0.8560, 0.8907], abs=5e-5)
    assert six.tolist() == pytest.approx([0.7678, 0.6462, 0.6173, 0.7277, 0.7107], abs=5e-5)


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("twenty-three", {"DevNet": 14, "KDAD": 0, "Deep SVDD": 1, "Deep SAD": 1, "FLOS": 5, "MINNS": 7}),
        ("thirty", {"DevNet": 12, "KDAD": 8, "Deep SAD": 0, "FLOS": 4, "MINNS": 6}),
        ("fifteen", {"DevNet": 5, "KDAD": 4, "FLOS": 6, "MINNS": 0}),
    ],
)
def test_a_method_is_best_on_as_many_sets_as_counted_with_ties(name, best):
    values = means(name)
    assert values.eq(values.max(axis=1), axis=0).sum().to_dict() == best


@pytest.mark.parametrize(
    ("name", "rival"),
    [
        (name, rival)
        for name in FAMILIES
        for rival in printed_p(name).index
        if (name, rival) != PRINTED_P_THAT_DOES_NOT_FOLLOW
    ],
)
def test_the_printed_p_stands_beside_the_one_that_follows(name, rival):
    row = comparisons(name).loc[rival]
    assert round(row["p"], 4) == row["p_printed"]


def test_fourteen_p_values_are_printed_and_kdads_over_thirty_sets_does_not_follow():
    assert sum(len(printed_p(name)) for name in FAMILIES) == 14
    row = comparisons("thirty").loc["KDAD"]
    assert (round(row["p"], 4), row["p_printed"]) == (0.0140, 0.0144)


def test_p_is_exact_below_ten_sets_and_approximate_above():
    assert set(comparisons("nine")["test"]) == {"exact"} and set(comparisons("thirty")["test"]) == {"approx"}
    minns = comparisons("twenty-three").loc["MINNS"]
    assert minns["p"] == minns["p_approx"] == pytest.approx(0.0596, abs=5e-5)
    flos = comparisons("twenty-three").loc["FLOS"]
    assert [minns["p_exact"], flos["p_exact"]] == pytest.approx([0.0598, 0.0232], abs=5e-5)  # with tied differences


@pytest.mark.parametrize(
    ("name", "rival", "record", "effect"),
    [
        ("nine", "MINNS", (7, 2, 0), 0.778),
        ("twenty-three", "KDAD", (22, 1, 0), 0.986),
        ("twenty-three", "Deep SVDD", (22, 1, 0), 0.978),
        ("twenty-three", "Deep SAD", (20, 2, 1), 0.964),
        ("twenty-three", "FLOS", (16, 5, 2), 0.558),
        ("twenty-three", "MINNS", (15, 7, 1), 0.458),
        ("thirty", "KDAD", (19, 11, 0), 0.514),
        ("thirty", "Deep SAD", (28, 2, 0), 0.983),
        ("thirty", "FLOS", (18, 11, 1), 0.451),
        ("thirty", "MINNS", (20, 9, 1), 0.494),
        ("twenty-two", "Rep", (21, 0, 1), 1.0),
        ("twenty-two", "DS", (17, 4, 1), 0.658),
        ("twenty-two", "Patch-DS", (13, 7, 2), 0.481),
        ("twenty-two", "DS on AlexNet", (18, 3, 1), 0.866),
        ("twenty-two", "DS on ResNet-50", (18, 2, 2), 0.867),
    ],
)
def test_sets_won_lost_and_tied_and_the_effect_are_as_counted(name, rival, record, effect):
    row = comparisons(name).loc[rival]
    assert (row["wins"], row["losses"], row["ties"]) == record
    assert row["rank_biserial"] == pytest.approx(effect, abs=5e-4)


def test_holm_over_nine_sets_takes_every_lead_but_none_below_one_in_twenty():
    assert comparisons("nine")["p_holm"].round(4).tolist() == [0.0195, 0.0195, 0.0195, 0.0195, 0.0391]
    table = comparisons("twenty-three")["p_holm"]
    assert table[["FLOS", "MINNS"]].tolist() == pytest.approx([0.04985, 0.0596], abs=5e-5)


def test_holm_on_the_printed_p_values_gives_the_known_answers():
    assert holm(printed_p("twenty-three")).round(4).tolist() == [0.0, 0.0, 0.0003, 0.0498, 0.0596]
    assert holm(printed_p("thirty")).round(4).tolist() == [0.0432, 0.0, 0.0432, 0.0432]


def test_another_method_than_devnet_can_be_compared_and_has_no_printed_p():
    row = comparisons("twenty-two", "DS").loc["Rep"]
    assert (row["wins"], row["losses"], row["ties"]) == (15, 6, 1)
    assert row["p"] == pytest.approx(0.0025, abs=5e-5) and row["p_printed"] != row["p_printed"]


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("nine", {"DevNet": 1.22, "FLOS": 2.5, "MINNS": 2.61, "Deep SAD": 4.22, "KDAD": 5.11, "Deep SVDD": 5.33}),
        (
            "twenty-three",
            {"DevNet": 1.78, "FLOS": 2.37, "MINNS": 2.52, "Deep SAD": 4.33, "KDAD": 4.74, "Deep SVDD": 5.26},
        ),
    ],
)
def test_mean_ranks_over_table_two_are_known_and_the_best_stands_first(name, ranks):
    found = ranked(name).ranks
    assert list(found) == list(ranks)
    assert found == pytest.approx(ranks, abs=0.005)


def test_ranks_of_a_part_of_the_methods_begin_at_one_again():
    found = ranked("twenty-two", ["DevNet", "DS", "Patch-DS", "Rep"])
    assert sum(found.ranks.values()) == pytest.approx(1 + 2 + 3 + 4)


@pytest.mark.parametrize(("name", "chi_square", "p"), [("nine", 34.7, 1.7e-6), ("twenty-three", 70.2, 9e-14)])
def test_friedmans_test_gives_the_known_answers(name, chi_square, p):
    found = ranked(name)
    assert found.chi_square == pytest.approx(chi_square, abs=0.05)
    assert found.p == pytest.approx(p, rel=0.03)


@pytest.mark.parametrize(
    ("methods", "sets", "width"), [(6, 9, 2.513), (6, 23, 1.572), (6, 30, 1.377), (5, 30, 1.114), (4, 9, 1.563)]
)
def test_nemenyis_critical_difference_gives_the_known_answers(methods, sets, width):
    assert round(critical_difference(methods, sets), 3) == width


@pytest.mark.parametrize("name", ["nine", "twenty-three"])
def test_devnets_rank_is_told_apart_from_neither_flos_nor_minns(name):
    found = ranked(name)
    assert together(found.ranks, found.critical_difference)[0] == ("DevNet", "FLOS", "MINNS")


def test_only_the_largest_groups_of_close_ranks_are_named():
    ranks = {"a": 1.0, "b": 1.5, "c": 2.2, "d": 4.0}
    assert together(ranks, 1.3) == [("a", "b", "c")]
    assert together(ranks, 1.0) == [("a", "b"), ("b", "c")]
    assert together(ranks, 0.2) == []


def test_differences_of_printed_numbers_have_no_floating_point_noise():
    assert differences("twenty-three", "DevNet", "MINNS")["MVTec AD", "Grid"] == -0.016


def test_an_unknown_family_lists_the_known_ones():
    with pytest.raises(Misuse, match="twenty-two"):
        means("ninety")


def test_the_diagram_has_a_row_a_method_the_best_on_top_and_a_bar_a_group():
    found = ranked("nine")
    groups = together(found.ranks, found.critical_difference)
    _, ax = plt.subplots()
    assert drawn(found.ranks, found.critical_difference, ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == list(found.ranks)
    bars = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 3]
    assert [tuple(bar) for bar in bars] == [(found.ranks[group[0]], found.ranks[group[-1]]) for group in groups]
    assert "2.51" in ax.texts[0].get_text()
    plt.close(ax.figure)
