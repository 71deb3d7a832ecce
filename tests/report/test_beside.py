"""Yours beside published: over the same runs, never twenty of theirs against five of yours."""

from dataclasses import replace

import pytest

from devnetlib.metrics import auroc
from devnetlib.report import tables
from devnetlib.report.beside import published_auroc
from devnetlib.report.selection import cell, published
from devnetlib.report.summaries import run_line
from devnetlib.study.results import PUBLISHED, read_partition, write


@pytest.fixture
def three():
    """Three published runs of DevNet on ELPV, those of draw 0, one of them with another score."""
    runs = cell(published(), "elpv", "devnet", "quick").runs
    first, *others = (runs[split, 0] for split in range(3))
    return [replace(first, score=(first.score[0] + 100, *first.score[1:])), *others]


@pytest.fixture
def yours(three, tmp_path):
    for scores in three:
        write(scores, read_partition(PUBLISHED, "elpv", scores.partition), tmp_path)
    return tmp_path


def test_beside_yours_stand_the_published_mean_of_the_same_runs_and_the_largest_difference_of_one(yours, three):
    record = tables.table_records("elpv", results=yours)[0]
    theirs = [cell(published(), "elpv", "devnet", "quick").runs[split, 0].measure(auroc) for split in range(3)]
    moved = abs(auroc(three[0].score, three[0].labels) - theirs[0])
    assert record["published"]["runs"] == 20 and record["same_runs"]["runs"] == 3 and moved > 0
    assert record["same_runs"]["published"] == pytest.approx(sum(theirs) / 3)
    assert record["same_runs"]["largest_difference"] == pytest.approx(moved)
    line = tables.table("elpv", results=yours).loc["DevNet", "yours"]
    assert line["published, same runs"] == f"{sum(theirs) / 3:.3f}" and line["largest difference"] == f"{moved:.5f}"
    assert tables.table("elpv", results=yours).loc["FLOS", ("yours", "largest difference")] == tables.MISSING


def test_runs_of_other_images_are_not_held_against_the_published_ones(three, tmp_path):
    for scores in three:
        other = replace(scores, origin=scores.origin | {"image_table": "0" * 16})
        write(other, read_partition(PUBLISHED, "elpv", scores.partition), tmp_path)
        assert published_auroc(other) is None
    assert tables.table_records("elpv", results=tmp_path)[0]["same_runs"] is None


def test_a_run_tells_the_published_auroc_of_its_key_where_there_is_one(three):
    record = tables.run_record(three[0])
    theirs = cell(published(), "elpv", "devnet", "quick").runs[0, 0].measure(auroc)
    assert record["published_auroc"] == round(theirs, 6) != record["auroc"]
    assert f"AUROC published {theirs:.3f}" in run_line(record)
    strange = replace(three[0], run=replace(three[0].run, seed=99))
    assert tables.run_record(strange)["published_auroc"] is None and "published" not in run_line(
        tables.run_record(strange)
    )


def test_a_damaged_published_file_does_not_fail_a_run(three, tmp_path):
    path = write(three[1], read_partition(PUBLISHED, "elpv", three[1].partition), tmp_path)
    assert published_auroc(three[1], tmp_path) == three[1].measure(auroc)
    path.write_text("{")
    assert published_auroc(three[1], tmp_path) is None
