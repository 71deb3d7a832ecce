"""A run's identity: what moves its key and what cannot, and that its command executes the same run again."""

import json
import shlex
from dataclasses import replace

import pytest

from devnetlib.__main__ import options_of, parser
from devnetlib.study.planning import plan
from devnetlib.study.questions import QUESTIONS
from devnetlib.study.runs import PROFILES, Run, Training

RUN = Run("toy", "all", "devnet", "quick", PROFILES["quick"].training, "random")


@pytest.mark.parametrize(
    "change",
    [
        {"split": 1},
        {"draw": 1},
        {"seed": 1},
        {"revision": 3},
        {"weights": "0123456789abcdef"},
        {"anomalies": 5},
        {"contamination": 0.1},
        {"options": {"signed": True}},
        {"training": replace(RUN.training, updates=201)},
    ],
)
def test_whatever_is_asked_moves_the_key(change):
    assert replace(RUN, **change).key != RUN.key


def test_the_order_of_options_does_not_move_the_key():
    one, other = ({"signed": True, "top_k": 0.5}, {"top_k": 0.5, "signed": True})
    assert replace(RUN, options=one).key == replace(RUN, options=other).key


def test_a_run_survives_being_stored_as_json():
    run = replace(RUN, options={"top_k": 0.5, "signed": True}, draw=3)
    again = Run.from_json(json.loads(json.dumps(run.as_json())))
    assert again == run and again.key == run.key and hash(again) == hash(run)


def test_the_key_names_method_protocol_and_axes_and_fits_a_file_name():
    key = replace(RUN, protocol="open-set:hole", split=42, draw=3).key
    assert key.startswith("devnet-open-set_hole-n10-split42-draw3-seed0-") and ":" not in key and "/" not in key
    odd = replace(RUN, protocol="open-set:edge cases/1").key
    assert (
        odd.startswith("devnet-open-set_edge_cases_1-n10-")
        and odd != replace(RUN, protocol="open-set:edge cases 1").key
    )


@pytest.mark.parametrize(
    "axes",
    [
        {"splits": [42], "draws": [3], "seeds": [1]},
        {"options": {"signed": True, "top_k": 0.5}},
        {"anomalies": 5},
        {"protocol": "open-set:edge cases"},
        {"protocol": "contamination-grouped:0.2", "contamination": 0.025},
    ],
)
def test_the_command_of_a_run_plans_the_same_run_again(axes):
    (run,) = plan("toy", "devnet", "quick", "random", **axes)
    args = parser().parse_args(shlex.split(run.command)[3:])
    again = {"splits": args.split, "draws": args.draw, "seeds": args.seed, "options": options_of(args.option)}
    again |= {"reading": args.reading, "protocol": args.protocol, "anomalies": args.anomalies}
    again |= {"contamination": args.contamination}
    assert plan(args.dataset, args.method, args.profile, "random", **again) == [run]


def test_lanes_are_named_by_what_is_trained():
    assert {name: profile.training.lane for name, profile in PROFILES.items()} == {
        "smoke": "fine-tuned",
        "quick": "frozen",
        "laptop": "fine-tuned",
        "released": "fine-tuned",
    }


def test_the_released_recipe_is_the_released_codes():
    assert PROFILES["released"].training == Training(
        "all", 448, 1000, 48, 2e-4, decay_at=(200, 400, 600, 800), weight_decay=1e-5, clip=1.0, rotation=180.0
    )


def test_every_row_of_a_question_is_a_row_of_its_own():
    for question in QUESTIONS.values():
        rows = [(row.method, str(row.options)) for row in question.all_rows]
        assert len(set(rows)) == len(rows)
