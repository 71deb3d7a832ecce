"""Verification asks nothing of what it checks: whatever could change a number is found, and named by its file."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devnetlib.__main__ import main
from devnetlib.data.splits import Partition, shuffled
from devnetlib.methods import CONTROLS, METHODS
from devnetlib.study import verification
from devnetlib.study.execution import partition_of
from devnetlib.study.planning import weights_name
from devnetlib.study.results import KEY, SHUFFLED, Scores, rounded, scores_path, write, write_json
from devnetlib.study.runs import REVISION, Run
from devnetlib.study.verification import faults

ORIGIN = {"device": "cpu", "precision": "fp32", "threads": 1, "seconds": 0.1, "peak_mb": 9, "torch": "2", "numpy": "2"}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def stored(toy, toy_runs, tmp_path) -> Callable[..., Path]:
    """`stored(method, partition, origin=…, **run)`: scores of a run as they would be stored, of random numbers."""

    def one(method: str = "devnet", partition: Partition | None = None, origin: dict | None = None, **run: Any) -> Path:
        planned = replace(toy_runs(method)[0], **run)
        partition = partition or partition_of(planned, toy)
        values = rounded(np.random.default_rng(0).normal(size=len(partition.test)))
        origin = ORIGIN | {"image_table": toy.digest} | (origin or {})
        return write(Scores(planned, partition.digest, values, origin), partition, tmp_path)

    return one


def fault_of(path: Path, root: Path) -> str:
    """What is found wrong with the one file stored, whose path it must name."""
    ((found, fault),) = faults(root)
    assert found == path and (fault is None or str(path) in fault)
    return fault or ""


def test_sound_scores_have_no_fault(stored, tmp_path):
    for method in ("devnet", "shuffled", "grey"):
        stored(method)
    assert [fault for _, fault in faults(tmp_path)] == [None] * 3


def test_the_methods_and_shuffled_controls_known_without_torch_are_all_there_are():
    assert METHODS.keys() | CONTROLS.keys() == verification.METHODS
    assert {name for name, control in CONTROLS.items() if getattr(control, "shuffled", False)} == SHUFFLED
    profiles = {name: "laptop" if name == "kdad" else "quick" for name in verification.METHODS}
    bare = {name for name in profiles if weights_name(name, profiles[name], {}, "random") == "none"}
    assert bare == verification.WITHOUT_WEIGHTS


@pytest.mark.parametrize(("method", "weights"), [("devnet", "none"), ("grey", "random"), ("grey", "0" * 16)])
def test_weights_that_a_method_lacks_or_cannot_take_are_a_fault(stored, tmp_path, method, weights):
    assert "takes" in fault_of(stored(method, weights=weights), tmp_path)


@pytest.mark.parametrize("method", ["devnet", "shuffled"])
def test_the_partition_is_drawn_from_the_run_and_not_as_the_stored_one_says(stored, toy, toy_runs, tmp_path, method):
    plain = partition_of(toy_runs()[0], toy)
    treated = shuffled(plain)
    wrong = {"devnet": treated, "shuffled": plain}[method]
    assert "is another run's" in fault_of(stored(method, wrong), tmp_path)
    other = {"devnet": replace(treated, made_of=plain.made_of), "shuffled": replace(plain, made_of=treated.made_of)}
    assert "not the one that its numbers draw" in fault_of(stored(method, other[method]), tmp_path)


def test_every_field_that_is_taken_away_or_is_of_another_kind_is_a_fault_of_its_file(stored, tmp_path):
    path = stored()
    whole = json.loads(path.read_text())
    inside = {"run": whole["run"], "training": whole["run"]["training"], "origin": whole["origin"]}
    places = [(name,) for name in whole] + [(room, name) for room, held in inside.items() for name in held]
    odd = [None, "NaN", float("nan"), -1, True, [], {"a": 1}, [[1]], "no such thing"]
    for place, value in product(places, odd):
        content = json.loads(json.dumps(whole))
        rooms = content | {"training": content["run"]["training"]}
        inner = rooms[place[0]] if len(place) > 1 else content
        if value is None:
            del inner[place[-1]]
        else:
            inner[place[-1]] = value
        here = moved(path, content, tmp_path)
        moves_nothing = json.dumps(content) == json.dumps(whole)
        if place[-1] in ("torch", "numpy"):
            moves_nothing = isinstance(value, str) or (value is None and place[-1] == "numpy")
        assert bool(fault_of(here, tmp_path)) != moves_nothing, (place, value)
        here.unlink()


def moved(path: Path, content: dict[str, Any], root: Path) -> Path:
    """Write content in the place of a file, under the name that its run has where it can be told."""
    try:
        here = scores_path(root, Run.from_json(content["run"]))
        here.parent.mkdir(parents=True, exist_ok=True)
    except Exception:
        here = path
    path.unlink(missing_ok=True)
    here = here if KEY.fullmatch(here.stem) and here.parent == path.parent else path
    here.write_text(json.dumps(content))
    return here


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"revision": REVISION + 1}, "update this code"),
        ({"revision": 0}, "expected 1 to"),
        ({"reading": "another"}, "unknown reading"),
        ({"weights": "imagenet"}, "expected none, random or 16 hex digits"),
        ({"options": {"signed": False}}, "not those that depart"),
        ({"options": {"colour": 1}}, "unknown option"),
        ({"split": -1}, "split -1"),
        ({"draw": 1.0}, "draw 1.0"),
    ],
)
def test_a_run_that_nobody_could_ask_for_is_a_fault(stored, toy, toy_runs, tmp_path, run, told):
    partition = partition_of(toy_runs()[0], toy)
    made_of = {axis: run[axis] for axis in ("reading", "split", "draw") if axis in run}
    path = stored(partition=replace(partition, made_of=partition.made_of | made_of), **run)
    assert told in fault_of(path, tmp_path)


@pytest.mark.parametrize(("change", "sound"), [({"updates": 9}, False), ({"batch": 8}, True), ({"batch": 1}, False)])
def test_a_training_is_the_one_that_its_profile_prescribes_but_for_the_batch(stored, toy_runs, tmp_path, change, sound):
    path = stored(training=replace(toy_runs()[0].training, **change))
    assert (fault_of(path, tmp_path) == "") == sound


def test_trainings_of_earlier_revisions_are_not_held_against_todays(stored, toy_runs, tmp_path):
    path = stored(training=replace(toy_runs()[0].training, updates=9), revision=REVISION - 1)
    assert fault_of(path, tmp_path) == ""


@pytest.mark.parametrize(
    "origin",
    [
        {"image_table": "0" * 16},
        {"precision": "fp8"},
        {"device": "abacus"},
        {"seconds": -1},
        {"threads": "two"},
        {"seconds": []},
        {"untrained_keys": "all"},
    ],
    ids=str,
)
def test_an_origin_of_other_images_or_of_another_form_is_a_fault(stored, tmp_path, origin):
    assert fault_of(stored(origin=origin), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda part: part["train"].append(part["train"][0]),
        lambda part: part["train"].append(part["test"]["id"][0]),
        lambda part: part["labelled"].append(part["test"]["id"][-1]),
        lambda part: part["test"]["label"].__setitem__(0, 2),
        lambda part: part["test"]["label"].__setitem__(0, True),
        lambda part: part["test"]["label"].__setitem__(0, 1),
        lambda part: part["test"]["defect"].pop(),
        lambda part: part["test"]["id"].reverse(),
        lambda part: part["made_of"].update(treatment="shuffled"),
        lambda part: part["made_of"].update(colour="red"),
        lambda part: part["made_of"].pop("draw"),
        lambda part: part.update(made_of=[]),
        lambda part: part["train"].pop(),
    ],
)
def test_a_partition_that_was_altered_with_its_digest_is_a_fault_of_the_scores_on_it(stored, tmp_path, change):
    path = stored()
    (old,) = (tmp_path / "partitions/toy").iterdir()
    content = json.loads(old.read_text())
    change(content)
    digest = Partition.from_json(content).digest
    old.unlink()
    write_json(old.with_name(f"{digest}.json"), content)
    scores = json.loads(path.read_text()) | {"partition": digest}
    path.write_text(json.dumps(scores))
    assert fault_of(path, tmp_path)


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "9" * 400, "true", '"1"', "null", "[1]"])
def test_a_score_that_is_no_finite_number_is_a_fault(stored, tmp_path, number):
    path = stored()
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"score": ["here", *content["score"][1:]]}).replace('"here"', number))
    assert fault_of(path, tmp_path)


def test_scores_of_images_that_are_not_known_here_are_counted_and_said(stored, toy, toy_runs, tmp_path, capsys):
    partition = partition_of(toy_runs()[0], toy)
    partition = replace(partition, made_of=partition.made_of | {"dataset": "my/elsewhere"})
    stored(partition=partition, dataset="my/elsewhere")
    assert main(["verify-results", "--results", str(tmp_path)]) == 0
    assert "1 files of my/elsewhere: its images are not at hand" in capsys.readouterr().out


def test_the_command_names_strangers_and_does_not_fail(stored, tmp_path, capsys):
    path = stored()
    path.with_name("notes.json").write_text("{}")
    assert main(["verify-results", "--results", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["checked"] == 1 and "notes.json" in report["remarks"][0]


@pytest.mark.parametrize("words", [[], ["--dataset", "elpv"]])
def test_publishing_nothing_says_why_and_what_is_stale_ends_in_one_line(stored, tmp_path, capsys, monkeypatch, words):
    empty = tmp_path.with_name(f"{tmp_path.name} of none")
    assert main(["publish", "--results", str(empty)]) == 2 and "no results folder" in capsys.readouterr().err
    empty.mkdir(exist_ok=True)
    assert main(["publish", "--results", str(empty)]) == 1
    assert "published 0 runs to" in (said := capsys.readouterr().out) and f"{empty} holds no scores" in said
    stored(origin={"image_table": "0" * 16})
    assert main(["publish", "--results", str(tmp_path), *words]) == 1
    told = capsys.readouterr()
    assert "none of the 1" in told.out if words else told.err.count("\n") == 1 and "another image table" in told.err
