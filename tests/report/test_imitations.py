"""Scores without ImageNet weights beside those with them: paired, and never two kinds of weights in one mean."""

import pytest

from devnetlib.report import imitations
from devnetlib.report.imitations import INSTEAD, imitation_records, moved_most, savings_records, with_weights
from devnetlib.report.selection import IMAGENET
from devnetlib.study.questions import TEN_LABELS, asked

DEVNET = asked("q1").all_rows[0]


def test_the_difference_is_that_of_the_two_means_beside_it():
    found = imitation_records()
    assert {"embedded", "random"} == set(found.index.get_level_values("weights"))
    for line in found.itertuples():
        mean = float(line.difference.split()[0].replace("\N{MINUS SIGN}", "-"))
        assert mean == pytest.approx(float(line.these) - float(line.ImageNet), abs=0.0011)


@pytest.mark.parametrize("weights", INSTEAD)
def test_a_mean_holds_runs_of_one_kind_of_weights_over_the_splits_and_draws_of_the_others(weights):
    theirs = with_weights("elpv", DEVNET, TEN_LABELS, {IMAGENET})
    ours = with_weights("elpv", DEVNET, TEN_LABELS, INSTEAD[weights])
    assert {scores.run.weights for scores in ours.runs.values()} <= INSTEAD[weights]
    assert set(ours.runs) == set(theirs.runs)


def test_the_row_that_moves_most_is_the_student_of_a_teacher_and_no_other_moves_as_far():
    found = moved_most()
    assert found["trunk_moved_row"].startswith("KDAD")
    moved = abs(float(found["trunk_moved_these"]) - float(found["trunk_moved_imagenet"]))
    assert moved > 2 * float(found["trunk_moved_others"])


def test_a_row_of_fewer_splits_is_compared_over_those_that_it_has():
    row = next(row for row in asked("q1").all_rows if row.method == "kdad")
    runs = with_weights("elpv", row, TEN_LABELS, INSTEAD["embedded"])
    assert runs.complete and runs.values().shape == (len(row.splits), len(row.draws))


def test_weights_that_nobody_published_have_no_runs():
    assert not with_weights("elpv", DEVNET, TEN_LABELS, {"0123456789abcdef"}).runs


def test_what_the_trunk_saves_is_read_from_the_records_that_timed_both(monkeypatch):
    timed = {"images": 64, "maps": 2.0, "embedded": 0.5}
    kept = [{"device": "new", "preparing": [timed]}, {"device": "old", "preparing": [{"images": 64, "maps": 2.0}]}]
    monkeypatch.setattr(imitations, "records", lambda: kept)
    (line,) = savings_records().itertuples(index=False)
    assert tuple(line) == ("new", 64, 2.0, 0.5, 4.0)
