"""What the chapter on Q1 says in words holds in the published scores."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from devnetlib.evidence.census_page import effects
from devnetlib.report import answers, tables
from devnetlib.report.answers import open_set
from devnetlib.report.curves import (
    FREE,
    cells_along,
    changes,
    curves,
    kept_more,
    labels_that_pay,
    leads_along,
    top_k_curve,
)
from devnetlib.report.explanations import explained_rows, explanation_leads, explanation_table, mean_over_runs
from devnetlib.report.html import result_table_html
from devnetlib.report.judgement import judged, measure
from devnetlib.report.numbers import numbers
from devnetlib.report.open_sets import seen_against_unseen
from devnetlib.report.pairs import row_differences
from devnetlib.report.paper import claim, rules
from devnetlib.report.selection import Stored, cell, published, seed_spread
from devnetlib.report.statistics import crossed, paired
from devnetlib.report.tables import lead_differences, leads, row_cell
from devnetlib.study.questions import GROUPED, QUESTIONS
from devnetlib.study.results import PUBLISHED, collect, read_partition, write
from devnetlib.study.runs import DRAWS
from devnetlib.study.verification import faults

SETS = ("elpv", "headct", "kolektorsdd", "brainmri", "brainmri:official_loader")


def verdict(identifier: str, dataset: str = "elpv") -> str:
    (results,) = [results for data, results in judged(claim(identifier)) if data.name == dataset]
    (result,) = results.values()
    return result.verdict


def test_every_published_file_is_whole_and_its_partition_is_drawn_again():
    checked = dict(faults(PUBLISHED))
    assert len(checked) >= 160
    assert not [fault for fault in checked.values() if fault]


def test_another_digit_of_a_published_score_changes_the_page_of_results(tmp_path, monkeypatch):
    scores = row_cell(published(), "headct", QUESTIONS["q1"], QUESTIONS["q1"].rows[0], "quick").any
    monkeypatch.setattr(answers, "PUBLISHED", tmp_path)
    monkeypatch.setattr(tables, "published", lambda: Stored(collect(tmp_path)))
    highest = scores.score.index(max(scores.score))  # an anomaly's, nearly always, and 1 of few

    def page(value: float) -> tuple[str, str]:
        changed = (*scores.score[:highest], value, *scores.score[highest + 1 :])
        write(replace(scores, score=changed), read_partition(PUBLISHED, "headct", scores.partition), tmp_path)
        return answers.verdict_counts()["digest"], result_table_html("headct", "q1")

    before, last_digit, first_digit = page(scores.score[highest]), page(scores.score[highest] + 1e-6), page(0.0)
    assert len({before[0], last_digit[0], first_digit[0]}) == 3  # the digest at the head of the page
    same_table = before[1] == first_digit[1]
    assert not same_table  # where the order of the scores is another


def test_the_frozen_head_reaches_the_printed_number_on_elpv():
    assert verdict("q1-elpv-devnet-frozen") == "reaches"


@pytest.mark.parametrize("dataset", ["headct", "kolektorsdd"])
def test_devnet_has_learned_from_labels_on_headct_and_sdd_where_it_reaches_the_printed_number(dataset):
    assert verdict(f"q1-{dataset}-devnet-frozen", dataset) == "reaches"
    assert verdict("q1-learned-frozen", dataset) == "learned"


@pytest.mark.parametrize("dataset", SETS[1:])
def test_elsewhere_than_on_elpv_every_row_on_the_cells_is_shown_to_learn_from_labels(dataset):
    rows = ["DevNet", "DevNet, signed", "FLOS", "FLOS, signed", "Cross-entropy", "Logistic regression"]
    assert (leads(dataset).loc[rows, "learned from labels"] == "yes").all()


@pytest.mark.parametrize("dataset", SETS[1:])
def test_elsewhere_than_on_elpv_the_top_k_adds_and_the_deviation_loss_does_not(dataset):
    assert row_differences(dataset, "q1", "Cross-entropy", ["Logistic regression"])["Logistic regression"].low > 0
    over = row_differences(dataset, "q1", "DevNet, signed", ["Cross-entropy"])["Cross-entropy"]
    assert over.low < 0 and (over.high < 0) == (dataset == "brainmri:official_loader")


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("title", ["DevNet", "Cross-entropy"])
def test_the_head_on_the_cells_is_above_deep_sad_everywhere_and_above_minns_on_all_but_elpv(dataset, title):
    over = row_differences(dataset, "q1", title, ["MINNS", "Deep SAD"])
    assert over["Deep SAD"].low > 0 and (over["MINNS"].low > 0) == (dataset != "elpv")


def test_minns_on_headct_and_deep_sad_on_sdd_are_not_shown_to_learn_from_labels():
    for dataset in SETS[1:]:
        told = leads(dataset)["learned from labels"]
        unshown = {"headct": {"MINNS"}, "kolektorsdd": {"Deep SAD"}}.get(dataset, set())
        assert {title for title in told.index if told[title] != "yes"} == unshown


def test_the_file_number_tells_the_classes_of_headct_apart_and_beats_grey_on_brainmri():
    assert (cell(published(), "headct", "order", "quick").values() == 1).all()
    for reading in ("all", "official_loader"):
        numbers, grey = (cell(published(), "brainmri", name, "quick", reading=reading) for name in ("order", "grey"))
        assert numbers.values().mean() > grey.values().mean()


@pytest.mark.parametrize("dataset", ["elpv", "headct", "kolektorsdd"])
def test_the_deviation_loss_is_nowhere_shown_to_be_better_than_cross_entropy(dataset):
    shown = {verdict(name, dataset) for name in ("q1-bce-frozen", "q1-bce-signed-frozen")}
    assert shown <= {"undetermined", "reversed"}


def test_a_claim_on_pixels_is_judged_by_the_maps_and_not_by_image_scores():
    ((_, results),) = judged(claim("q3-kolektorsdd-untrained-frozen"))
    images = cell(published(), "kolektorsdd", "devnet", "quick").values().mean()
    assert results["untrained"].verdict == "holds" and results["untrained"].mean < 0.1 < images
    assert verdict("q3-kolektorsdd-flos-frozen", "kolektorsdd") == "undetermined"


def test_no_row_is_shown_to_have_learned_from_labels_on_elpv():
    table = leads("elpv")
    assert len(table) == sum(row.labels for row in QUESTIONS["q1"].rows + QUESTIONS["q1"].references)
    assert (table["learned from labels"] == "not shown").all()


def test_the_deviation_loss_adds_nothing_over_cross_entropy():
    assert verdict("q1-bce-frozen") == "undetermined"
    assert verdict("q1-bce-signed-frozen") == "undetermined"


def test_which_cells_are_labelled_matters_more_than_which_normals_train():
    parts = crossed(cell(published(), "elpv", "devnet", "quick").values())
    assert parts.draw_sd > 2 * parts.split_sd


def test_about_half_of_the_test_normals_lie_above_1_96():
    assert verdict("q1-upper-tail-frozen") == "fails"
    shares = cell(published(), "elpv", "devnet", "quick").values(measure(rules()["separation"]))
    assert 0.4 < shares.mean() < 0.6


def test_repeating_only_the_seed_moves_flos_on_elpv_by_at_most_a_hundredth():
    assert seed_spread("elpv", "flos") <= 0.01


@pytest.mark.parametrize("method", ["devnet", "bce"])
@pytest.mark.parametrize("dataset", SETS)
def test_repeating_only_the_seed_moves_auroc_by_at_most_a_hundredth_on_every_set(dataset, method):
    assert seed_spread(dataset, method) <= 0.01


def test_the_readme_quotes_the_published_numbers():
    readme = (PUBLISHED.parents[1] / "README.md").read_text()
    assert (
        "{elpv_laptop_auroc} ({elpv_laptop_runs} runs, {elpv_laptop_low} to {elpv_laptop_high})".format(**numbers())
        in readme
    )
    for dataset in ("elpv", "headct", "kolektorsdd", "brainmri"):
        assert numbers()[f"{dataset}_devnet_auroc"] in readme and numbers()[f"{dataset}_devnet_printed"] in readme
    for method in ("devnet", "mahalanobis"):
        assert f"{cell(published(), 'elpv', method, 'quick').values().mean():.3f}" in readme
    assert numbers()["brainmri_official_loader_devnet_auroc"] in readme
    assert all(text in readme for text in open_set().values())
    assert numbers()["brainmri_devnet_grouped"] in readme and f"more than {numbers()['reaches_margin']} below" in readme


def test_without_partners_in_training_every_row_of_brainmri_falls():
    there = [found.difference for (name, _), found in effects().items() if name.startswith("brainmri")]
    assert len(there) == 6 and all(change.high < 0 for change in there)


@pytest.mark.parametrize("dataset", SETS)
def test_the_absolute_value_moves_flos_by_at_most_a_hundredth(dataset):
    over = row_differences(dataset, "q1", "FLOS, signed", ["FLOS"])["FLOS"]
    assert abs(over.mean) < 0.01


def test_with_near_copies_on_one_side_devnet_still_learns_and_no_longer_reaches_on_brainmri():
    rivals = ["Mahalanobis, no labels", "Mean grey level", "DevNet, shuffled labels"]
    for dataset in ("kolektorsdd", "brainmri", "brainmri:official_loader"):
        leads_apart = row_differences(dataset, "q1", "DevNet", rivals, GROUPED)
        assert len(leads_apart) == 3 and all(lead.low > 0 for lead in leads_apart.values())
    printed = float(numbers()["brainmri_devnet_printed"])
    assert float(numbers()["brainmri_devnet_grouped"]) < printed - rules()["reaches"].constants["margin"]


def test_devnet_is_above_the_nearest_patch_on_all_sets_but_elpv_and_the_loaders_reading_by_group():
    nearest = "Nearest patch, no labels"
    assert row_differences("elpv", "q1", "DevNet", [nearest])[nearest].mean < 0
    grouped = [name for name in SETS if GROUPED in QUESTIONS["q1"].settings_of(name)]
    places = [(name, None) for name in SETS if name != "elpv"] + [(name, GROUPED) for name in grouped]
    shown = [
        place for place in places if row_differences(place[0], "q1", "DevNet", [nearest], place[1])[nearest].low > 0
    ]
    assert [place for place in places if place not in shown] == [("brainmri:official_loader", GROUPED)]


@pytest.mark.parametrize("setting", [None, GROUPED])
def test_the_nearest_patch_is_the_better_closed_form_without_labels_on_brainmri(setting):
    for dataset in ("brainmri", "brainmri:official_loader"):
        assert row_differences(dataset, "q1", "Nearest patch, no labels", [FREE], setting)[FREE].low > 0


@pytest.mark.parametrize("dataset", ["kolektorsdd", "toy"])
def test_the_means_of_pixel_auroc_come_nearly_in_the_order_of_table_4(dataset):
    table = explanation_table(published(), dataset)["AUROC an image"].astype(float)
    devnet, flos, kdad, minns, untrained = (
        table[title, "gradient"]
        for title in ("DevNet", "FLOS", "KDAD, ResNet-18 teacher", "MINNS", "DevNet, untrained head")
    )
    assert min(devnet, flos) > kdad > minns and minns < untrained
    lead = explanation_leads(published(), dataset).loc[("FLOS", "gradient"), "AUROC an image"]
    assert "[-" in lead and "+" in lead.partition(",")[2]


def test_the_lead_of_devnets_map_over_that_of_minns_is_shown_on_the_toy_and_on_sdd_by_aupro_alone():
    lows = {name: explanation_leads(published(), name).loc[("MINNS", "gradient")] for name in ("kolektorsdd", "toy")}
    assert all("[+" in text for text in lows["toy"])
    assert ["[+" in text for text in lows["kolektorsdd"]] == [False, False, True]


def test_by_aupro_the_patch_scores_are_ahead_of_the_gradient_on_sdd_and_not_told_apart_on_the_toy():
    sdd, toy = (explanation_leads(published(), name).loc[("DevNet", "patch scores")] for name in ("kolektorsdd", "toy"))
    for text in (sdd["AUROC an image"], *toy):
        assert "[-" in text and ", +" in text
    assert re.fullmatch(r"-\S+ \[-\S+, -\S+\]", sdd["AUPRO@0.3"])


def test_the_new_means_beside_the_old_ones_are_those_of_the_published_maps():
    table = pd.read_csv(PUBLISHED.parent / "evidence" / "shrunk_masks.csv", keep_default_na=False)
    rows = {
        (row.method, " ".join(f"{name}={value}" for name, value in row.options.items()), kind): runs
        for row, kind, runs in explained_rows(published(), "kolektorsdd").values()
    }
    assert len(table) == len(rows)
    for line in table.to_dict("records"):
        runs = rows[line["method"], line["options"], line["map"]]
        for name in [name.removesuffix(", new") for name in line if name.endswith(", new")]:
            assert mean_over_runs(runs, line["map"], name) == pytest.approx(line[f"{name}, new"], abs=5.1e-5)


def test_on_headct_devnet_is_below_cross_entropy_from_three_labels_on():
    lead = leads_along("headct", "q5", "DevNet", "Cross-entropy")
    assert [n for n, difference in lead.items() if difference.high < 0] == [3, 5, 10, 20, 40]


def mean(method: str, **options: object) -> float:
    return float(cell(published(), "elpv", method, "quick", options=options).values().mean())


def test_ten_labels_do_not_help_a_closed_form_on_elpv():
    assert mean("lda") < mean("mahalanobis")


def test_top_k_rows_lie_above_their_pooled_counterpart_and_the_nearest_patch_among_them():
    assert mean("bce") > mean("logistic") + 0.02 and mean("devnet", signed=True) > mean("ds") + 0.02
    assert mean("devnet") < mean("nearest") < mean("flos", signed=True)


def test_the_file_number_gives_labels_of_elpv_away():
    assert mean("order") > 0.7


def test_labels_of_one_class_of_elpv_do_harm_on_the_other():
    for setting in QUESTIONS["q2"].settings_of("elpv"):
        over = lead_differences("elpv", "q2", setting=setting)
        below = {title: leads["Mahalanobis, no labels"].high < 0 for title, leads in over.items()}
        exception = {"Linear discriminant"} if setting.protocol == "open-set:poly" else set()
        assert {title for title, shown in below.items() if not shown} == exception and len(below) >= 9


def test_devnet_reaches_the_printed_number_with_labels_of_mono_and_not_of_poly():
    assert (
        verdict("q2-elpv-mono-devnet-frozen") == "reaches" and verdict("q2-elpv-poly-devnet-frozen") == "does not reach"
    )


@pytest.mark.parametrize("kind", ["mono", "poly"])
def test_a_label_of_the_same_class_is_worth_more_than_one_of_the_other(kind):
    difference = seen_against_unseen("elpv", "DevNet", kind)["difference"]
    assert difference.startswith("+") and "[+" in difference


def test_no_number_of_labels_pays_on_elpv_five_are_worse_than_none_and_three_are_enough_elsewhere():
    elpv = leads_along("elpv", "q5", "DevNet")
    assert labels_that_pay(elpv) is None and elpv[5].high < 0
    assert all(labels_that_pay(leads_along(name, "q5", "DevNet")) <= 3 for name in SETS if name != "elpv")


def test_devnet_is_not_shown_to_be_the_most_sample_efficient():
    rivals = ("FLOS", "Cross-entropy")
    assert not any(leads_along(name, "q5", "DevNet", rival)[5].low > 0 for name in SETS for rival in rivals)
    assert leads_along("brainmri", "q5", "DevNet", "FLOS")[20].low > 0
    assert all(leads_along("elpv", "q5", "DevNet", rival)[20].high < 0 for rival in rivals)


@pytest.mark.parametrize(
    ("dataset", "learned"), [("elpv", "not shown"), ("headct", "learned"), ("brainmri", "learned")]
)
def test_what_forty_labels_teach_is_shown_on_all_sets_but_elpv(dataset, learned):
    assert {
        verdict.verdict
        for data, results in judged(claim("q5-learned-frozen"))
        if data.name == dataset
        for verdict in results.values()
    } == {learned}
    leads = {
        row: leads_along(dataset, "q5", "DevNet", row)[40]
        for row in (FREE, "Mean grey level", "DevNet, shuffled labels")
    }
    assert [row for row, lead in leads.items() if lead.low <= 0] == ([FREE] if dataset == "elpv" else [])


@pytest.mark.parametrize("rival", ["MINNS", "Deep SAD"])
def test_devnets_mean_is_above_two_rivals_at_every_number_of_labels_and_shown_to_be_at_five_on_few_sets(rival):
    leads = {name: leads_along(name, "q5", "DevNet", rival) for name in SETS}
    assert all(lead.mean > 0 for along in leads.values() for lead in along.values())
    shown = {name for name, along in leads.items() if along[5].low > 0}
    assert shown == {"MINNS": {"headct", "brainmri:official_loader"}, "Deep SAD": {"brainmri:official_loader"}}[rival]


@pytest.mark.parametrize("dataset", SETS)
def test_more_labels_help_and_one_or_three_are_a_lottery(dataset):
    first, second, *_, last = points = curves(dataset, "q5")["DevNet"]
    assert last.mean > first.mean
    assert max(points, key=lambda point: point.high - point.low) in (first, second)


@pytest.mark.parametrize(("dataset", "shown"), {"elpv": True, "brainmri": True, "headct": False}.items())
def test_where_the_rise_from_five_to_forty_labels_is_shown(dataset, shown):
    row = QUESTIONS["q5"].rows[0]
    along = cells_along(published(), dataset, QUESTIONS["q5"], row, "quick")
    assert (paired(along[40].values(), along[5].values(), 0.95).low > 0) is shown


@pytest.mark.parametrize("dataset", SETS)
def test_devnet_is_above_its_ablations_and_the_papers_share_of_patches_is_good(dataset):
    found = row_differences(dataset, "q4", "DevNet", ["DS", "Patch-DS", "Rep"])
    assert all(found[name].low > 0 for name in found if (dataset, name) != ("elpv", "Patch-DS"))
    means = {point.x: point.mean for point in top_k_curve(dataset)}
    assert max(means.values()) - max(means[0.05], means[0.1]) < 0.001
    ends = [means[0.1] - means[1.0], means[0.1] - means[0.01]]
    assert max(ends) < 0.0105 if dataset in ("elpv", "kolektorsdd") else 0.04 < max(ends) < 0.08
    ds = row_cell(published(), dataset, QUESTIONS["q4"], QUESTIONS["q4"].rows[1], "quick").values().mean()
    assert ds < means[1.0] < means[0.1]


@pytest.mark.parametrize(
    ("dataset", "least", "most"), [("elpv", 0.02, 0.045), ("headct", 0.04, 0.085), ("brainmri", 0.04, 0.085)]
)
def test_a_fifth_of_pollution_costs_every_row(dataset, least, most):
    lost = {title: -values.mean() for title, values in changes(dataset, "q6").items()}
    two_draws = {title: lost.pop(title) for title in ("MINNS", "Deep SAD")}
    assert all(least < value < most for value in lost.values())
    assert all(0.015 < value < 0.085 for value in two_draws.values())


@pytest.mark.parametrize("dataset", ["elpv", "headct", "brainmri"])
def test_the_loss_of_the_closed_form_is_the_surest(dataset):
    widths = {
        title: (found := paired(values, 0.0, 0.95)).high - found.low
        for title, values in changes(dataset, "q6").items()
        if values.shape[1] == len(DRAWS)
    }
    assert min(widths, key=widths.get) == FREE


def test_devnet_is_shown_to_keep_more_than_minns_and_deep_sad_on_elpv_alone():
    kept = {name: kept_more(name, "q6") for name in ("elpv", "headct", "brainmri")}
    for rival in ("MINNS", "Deep SAD"):
        assert [name for name, found in kept.items() if found[rival].low > 0] == ["elpv"]
    assert all(
        found["MINNS"].low < 0 < found["MINNS"].high and found["MINNS"].mean < 0
        for found in (kept["headct"], kept["brainmri"])
    )


def test_devnet_keeps_more_than_flos_on_every_set_and_more_than_cross_entropy_is_shown_on_brainmri_alone():
    kept = {name: kept_more(name, "q6") for name in ("elpv", "headct", "brainmri")}
    assert all(found["FLOS"].low < 0 < found["FLOS"].mean for found in kept.values())
    assert [name for name, found in kept.items() if found["Cross-entropy"].low > 0] == ["brainmri"]
