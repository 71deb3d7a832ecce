"""Costs: published seconds times planned runs, and the plan by counted operations."""

from statistics import median

import pytest

from devnetlib.report import costs
from devnetlib.report.costs_html import TABLES, growth_rows
from devnetlib.report.selection import cell, published
from devnetlib.study.questions import QUESTIONS, TEN_LABELS

TIMED = ("training", "evaluation")


def test_the_runs_of_a_cell_are_its_splits_times_its_draws():
    rows = {row.title: row for row in QUESTIONS["q1"].rows}
    assert costs.planned_runs(QUESTIONS["q1"], rows["DevNet"], "elpv") == 20
    assert costs.planned_runs(QUESTIONS["q1"], rows["DevNet"], "headct") == 40
    assert costs.planned_runs(QUESTIONS["q1"], rows["DevNet"], "mvtec/carpet") == 4
    assert costs.planned_runs(QUESTIONS["q1"], rows["Deep SVDD"], "elpv") == 3


def test_a_row_costs_the_median_of_its_published_core_seconds():
    runs = cell(published(), "elpv", "devnet", "quick").runs.values()
    expected = median(scores.origin["seconds"] * scores.origin["threads"] for scores in runs)
    question = QUESTIONS["q1"]
    assert costs.row_seconds(question, question.rows[0], "elpv", "quick", TEN_LABELS) == expected > 0


def test_a_question_costs_at_least_what_any_of_its_rows_does():
    cost = costs.cost_of("q1", "elpv", "quick")
    question = QUESTIONS["q1"]
    rows = [(costs.row_seconds(question, row, "elpv", "quick", TEN_LABELS), row) for row in question.all_rows]
    parts = [seconds * costs.planned_runs(question, row, "elpv") for seconds, row in rows if seconds]
    assert cost["core_seconds"] == pytest.approx(sum(parts)) and cost["rows"] == len(parts) > 5


def test_the_plan_counts_nine_cards_and_every_subset_of_a_family():
    grid = {row["dataset"]: row for row in costs.plan()}
    assert len(grid) == 9 and "toy" not in grid
    assert grid["mvtec"]["sets"] == 15 and grid["elpv"]["sets"] == 1
    rows = [row for row in QUESTIONS["q1"].rows if row.labels and not row.missing]
    assert grid["elpv"]["runs"] == 20 * len(rows) and grid["mvtec"]["runs"] == 15 * 4 * len(rows)


def test_ten_of_the_anomalies_are_not_tested():
    assert costs.sets_of("elpv") == {"elpv": 377 + 715 - 10}


def test_a_fine_tuned_run_of_either_loop_is_its_updates_and_its_batches_of_test_images():
    record = next(iter(costs.records()))
    table = next(table for table in record["sizes"] if table["pixels"] == 224)
    swapped = {**table, **{what: {"seconds": {"ours": table[what]["seconds"]["plain"]}} for what in TIMED}}
    assert costs.fine_tuned_seconds(record | {"sizes": [swapped]}) == pytest.approx(record["frozen"]["plain"], rel=1e-3)
    assert costs.fine_tuned_seconds(record) < record["frozen"]["plain"]


def test_runs_that_were_crowded_on_a_gpu_have_a_line_each_where_a_record_has_them():
    record = next(record for record in costs.records() if "growing" in record)
    crowds = [{"runs": 1, "seconds": 9.0, "an_hour": 400.0}, {"runs": 4, "seconds": 20.0, "an_hour": 720.0}]
    more = [row for row in growth_rows(record | {"released": crowds}) if row not in growth_rows(record)]
    assert [seconds for _, seconds in more] == ["9.0", "20.0"] and "4 side by side, 720 an hour" in more[1][0]


def test_a_released_run_is_a_thousand_updates_of_48_images_at_two_scales():
    update = costs.flops_of(448, 2)["update"]
    assert costs.run_flops(0) == 48_000 * update == pytest.approx(2.6e15, rel=0.03)


def test_hours_shrink_with_the_devices_and_with_the_share_of_the_peak():
    assert costs.hours(costs.GPU_TFLOPS * costs.SHARE * 3.6) == pytest.approx(1)
    assert costs.hours(1000, 8) == pytest.approx(costs.hours(1000) / 8)


def compiled_row(turns: list[list[float]], starting: float = 12.0) -> dict:
    timed = {"profile": "released", "starting": starting, "started": 3, "turns": turns}
    (row,) = costs.compiled_rows({"compiling": [timed]})
    return row


def test_a_compiled_run_is_shorter_from_the_update_that_more_than_makes_up_for_the_first_ones():
    row = compiled_row([[2.0, 1.5]] * 3)
    assert row["pays"] == 16 and row["updates"] == 1000
    assert 12 + (15 - 3) * 1.5 == 15 * 2.0  # as long at 15
    assert compiled_row([[2.0, 1.5]] * 3, starting=3.0)["pays"] == 1


def test_compiling_is_said_to_pay_only_where_every_turn_was_faster():
    assert compiled_row([[2.0, 1.0], [2.0, 1.0], [2.0, 2.0]])["pays"] is None


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_page_has_a_row_or_names_the_command_that_measures_it(name):
    html = TABLES[name]()
    assert (html.count("<tr>") > 1) != ("make bench" in html) and ">nan<" not in html
