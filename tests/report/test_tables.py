"""Tables and numbers, from the published scores alone."""

import json

import pytest

from devnetlib.errors import Misuse
from devnetlib.report import tables
from devnetlib.report.html import claims_table_html, methods_table_html, result_table_html
from devnetlib.report.numbers import numbers
from devnetlib.report.paper import rules
from devnetlib.report.selection import cell, published
from devnetlib.study.questions import QUESTIONS
from devnetlib.study.runs import SPLITS


@pytest.mark.parametrize("name", ["q1", "q4"])
def test_every_row_is_published_on_elpv_over_the_splits_and_draws_it_names_or_says_why_not(name):
    question = QUESTIONS[name]
    for row in question.all_rows:
        runs = tables.row_cell(published(), "elpv", question, row, "quick").runs
        wanted = {(split, draw) for split in row.splits or SPLITS for draw in row.draws}
        assert set(runs) == (set() if row.missing else wanted), row.title


MAIN = ("devnet", "flos", "bce", "mahalanobis")


@pytest.mark.parametrize("name", ["q2", "q5", "q6"])
def test_the_main_rows_are_published_on_elpv_under_every_setting(name):
    question = QUESTIONS[name]
    for setting in question.settings_of("elpv"):
        for row in (row for row in question.all_rows if row.method in MAIN):
            runs = tables.row_cell(published(), "elpv", question, row, "quick", setting)
            assert runs.complete, (setting.title, row.title)


def test_a_row_that_nobody_ran_is_marked_in_every_column(tmp_path):
    table = tables.table("toy", "q1", "laptop", tmp_path)
    assert (table["yours"] == tables.MISSING).all().all()


def test_the_printed_number_stands_only_beside_the_method_the_paper_ran(tmp_path):
    records = {record["title"]: record for record in tables.table_records("elpv", "q1", "quick", tmp_path)}
    assert records["DevNet"]["printed"] == {"mean": 0.846, "sd": 0.022}
    assert records["FLOS"]["printed"]["mean"] == 0.818
    assert records["DevNet, signed"]["printed"] is None
    assert records["KDAD, ResNet-18 teacher"]["printed"]["mean"] == 0.744  # its row says that the teacher is another
    assert records["Mean grey level"]["printed"] is None


def test_the_summary_of_a_cell_is_the_mean_over_its_runs():
    runs = cell(published(), "elpv", "devnet", "quick")
    assert tables.summary(runs).auroc == pytest.approx(runs.values().mean())
    assert tables.summary(runs).split_low == pytest.approx(runs.values().mean(axis=1).min())


def test_an_unknown_question_lists_the_valid_ones():
    with pytest.raises(Misuse, match="q1"):
        tables.table("elpv", "q9")


def test_the_results_document_holds_every_row_three_times_and_is_valid_json(tmp_path):
    document = json.loads(json.dumps(tables.results_document(), allow_nan=False))
    rows = [row for row in document["tables"] if row["dataset"] == "elpv"]
    assert {"printed", "published", "yours", "method", "command"} <= rows[0].keys()
    asked = QUESTIONS.values()
    expected = sum(len(one.rows_at(setting)) for one in asked for setting in one.settings_of("elpv"))
    assert len(rows) == expected


def test_tables_on_a_page_name_lane_weights_and_the_command_of_every_row():
    page = result_table_html("elpv", "q1")
    assert "frozen lane" in page and "ImageNet" in page
    assert page.count("python -m devnetlib run") == len(QUESTIONS["q1"].all_rows)


def test_the_table_of_methods_has_every_key_once_with_its_cost_or_why_it_is_missing():
    from devnetlib.methods import CONTROLS, METHODS

    page, records = methods_table_html("elpv"), tables.method_records("elpv")
    assert {record["method"] for record in records} == set(METHODS) | set(CONTROLS)
    assert len({(r["method"], str(r["options"])) for r in records}) == len(records)
    for record in records:
        assert bool(record["missing"]) == (record["published"] is None)
        assert f"<code>{record['method']}</code>" in page
        if record["published"]:
            assert record["published"]["seconds"] > 0 and record["published"]["peak_mb"] > 0


def test_the_page_shows_every_measured_claim_of_q1_and_counts_the_others():
    page = claims_table_html("q1")
    assert "q1-elpv-devnet-frozen" in page and "reaches" in page and "further claims" in page


def test_every_number_of_the_prose_is_a_text_without_nan():
    for name, text in numbers().items():
        assert text and "nan" not in text, name


def test_the_tables_ask_for_a_lead_over_the_controls_that_the_rule_of_the_claims_names():
    rule = rules()["learned"]
    assert (rule.over, rule.constants["confidence"]) == (tables.CONTROLS_TO_PASS, tables.CONFIDENCE)


def test_a_row_of_fewer_draws_is_led_over_the_draws_that_both_have():
    over = tables.lead_differences("elpv", "q5", setting=QUESTIONS["q5"].settings[-1])
    assert {"MINNS", "DevNet"} <= set(over)
