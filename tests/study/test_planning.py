"""From words to runs: names checked, options typed, schedules and weights resolved."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from devnetlib.data.layouts.folder import facts
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse
from devnetlib.report.selection import IMAGENET
from devnetlib.study.parameters import check_parameters
from devnetlib.study.planning import plan, question_grid, short_grid, with_weights_at_hand
from devnetlib.study.questions import QUESTIONS
from devnetlib.study.runs import DRAWS, PROFILES, SPLITS

COUNTED = ("train_normal", "test_normal", "test_anomaly")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("toi", "devnet", "quick"), r"unknown data set 'toi' \(did you mean 'toy'\?\): valid are .*elpv.* toy"),
        (("toy", "devnt", "quick"), r"unknown method 'devnt' \(did you mean 'devnet'\?\): valid are .*mahalanobis"),
        (("toy", "devnet", "quik"), r"unknown profile 'quik' \(did you mean 'quick'\?\): valid are .*released"),
    ],
)
def test_an_unknown_name_lists_the_valid_ones_and_the_nearest(words, message):
    with pytest.raises(Misuse, match=message):
        plan(*words, "random")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"protocol": "generl"}, r"protocol 'generl' \(did you mean 'general'\?\)"),
        ({"protocol": "budget"}, r"protocol 'budget': expected budget:<max>, such as budget:40"),
        ({"contamination": 0.1}, "contamination 0.1: general takes none"),
        ({"protocol": "contamination:0.1", "contamination": 0.2}, "contamination:0.1 takes 0 to 0.1"),
        ({"reading": "al"}, r"reading of toy 'al' \(did you mean 'all'\?\): valid are all"),
        ({"options": {"sined": "true"}}, r"option of devnet 'sined' \(did you mean 'signed'\?\): valid are .*top_k"),
        ({"options": {"signed": "perhaps"}}, "option signed=perhaps: expected bool, as in signed=False"),
        ({"options": {"heads": "two"}}, "option heads=two: expected int"),
        ({"options": {"top_k": "all"}}, "option top_k=all: expected float"),
    ],
)
def test_an_unknown_axis_or_option_is_refused_with_what_was_expected(axes, message):
    with pytest.raises(Misuse, match=message):
        plan("toy", "devnet", "quick", "random", **axes)


@pytest.mark.parametrize("option", ["stage=9", "stage=0", "top_k=0", "top_k=2", "heads=0", "n_scales=0"])
def test_an_option_outside_its_range_is_misuse_before_anything_runs(option):
    with pytest.raises(Misuse, match=option.split("=")[0]):
        plan("toy", "devnet", "quick", "random", options=dict([option.split("=")]))


def test_a_probe_has_no_options_and_no_weights():
    with pytest.raises(Misuse, match="grey has no options; found 'signed'"):
        plan("toy", "grey", "quick", "random", options={"signed": True})
    (run,) = plan("toy", "grey", "quick", "random")
    assert run.weights == "none" and run.training.updates == 0


def test_splits_draws_and_seeds_are_crossed():
    runs = plan("toy", "devnet", "quick", "random", splits=[0, 42], draws=range(3), seeds=[0, 1])
    assert len({run.key for run in runs}) == 12
    assert {(run.split, run.draw, run.seed) for run in runs} >= {(42, 2, 1), (0, 0, 0)}


def test_a_contamination_is_planned_as_a_number_of_one_kind():
    none, whole = (
        plan("toy", "devnet", "quick", "random", protocol="contamination:0.2", contamination=c) for c in (0.0, 0)
    )
    assert none == whole and none[0].key == whole[0].key and none[0].contamination == 0.0


def test_only_split_0_of_a_release_that_divides_its_images_is_planned(monkeypatch):
    card = load_card("toy")
    divided = replace(card, facts=card.facts | {"division": "release"})
    monkeypatch.setattr("devnetlib.study.planning.load_card", lambda name, data_root: divided)
    assert [run.split for run in plan("toy", "devnet", "quick", "random", draws=[0, 1])] == [0, 0]
    with pytest.raises(Misuse, match="split 4: the release divides toy itself; choose split 0, the only one"):
        plan("toy", "devnet", "quick", "random", splits=range(5))


def test_only_split_0_of_a_reading_that_divides_its_images_is_planned_and_a_question_asks_for_no_other():
    with pytest.raises(Misuse, match="split 4: the reading table1 divides kolektorsdd itself; choose split 0"):
        plan("kolektorsdd", "devnet", "quick", "random", reading="table1", splits=range(5))
    asked = {"methods": ["grey"], "datasets": ["kolektorsdd:table1", "kolektorsdd"]}
    splits = {(run.reading, run.split) for run in question_grid("q1", "quick", "random", **asked)}
    assert splits == {("table1", 0)} | {("code", split) for split in SPLITS}


def test_a_folder_of_your_own_is_planned_from_the_data_root_named_and_from_no_other(tmp_path):
    card = facts("my/tiles", pd.DataFrame({"split": ["train"]}), {name: 1 for name in COUNTED})
    (tmp_path / "my/tiles").mkdir(parents=True)
    (tmp_path / "my/tiles/card.json").write_text(json.dumps(card))
    (run,) = plan("my/tiles", "grey", "quick", data_root=tmp_path)
    assert (run.dataset, run.reading) == ("my/tiles", "all")
    runs = question_grid("q1", "quick", "random", methods=["grey"], datasets=["my/tiles"], data_root=tmp_path)
    assert {run.split for run in runs} == {0}  # it comes divided
    for ask in (lambda: plan("my/tiles", "grey", "quick"), lambda: check_parameters({"datasets": "my/tiles"})):
        with pytest.raises(Misuse, match=r"my/tiles is not prepared in .*data prepare my/tiles --from FOLDER"):
            ask()


def test_options_come_typed_and_only_those_that_depart_from_the_profile_are_kept():
    (plain,) = plan("toy", "devnet", "quick", "random")
    implied = {"stage": 3, "n_scales": "1", "heads": 32, "signed": "false", "top_k": "0.1"}
    assert plain.options == {} and plan("toy", "devnet", "quick", "random", options=implied) == [plain]
    (other,) = plan("toy", "devnet", "quick", "random", options={"signed": "TRUE", "stage": "2", "margin": "4"})
    assert other.options == {"signed": True, "stage": 2, "margin": 4.0}
    assert [type(value) for value in other.options.values()] == [float, bool, int]


@pytest.mark.parametrize("method", ["mahalanobis", "untrained", "grey"])
def test_what_is_not_trained_says_so_in_its_run(method):
    (run,) = plan("toy", method, "quick", "random")
    assert run.training.updates == 0 and run.training.pixels == PROFILES["quick"].training.pixels


def test_the_grid_of_a_question_is_every_row_crossed_with_splits_and_draws():
    runs = question_grid("q1", "quick", "random")
    expected = sum(len(row.splits or SPLITS) * len(row.draws) for row in QUESTIONS["q1"].all_rows)
    assert len(runs) == len({run.key for run in runs}) == expected
    crossed = {(run.split, run.draw) for run in runs if run.method == "flos"}
    assert crossed == {(split, draw) for split in SPLITS for draw in DRAWS}
    assert {run.method for run in question_grid("q1", "quick", "random", methods=["flos", "grey"])} == {"flos", "grey"}


def test_a_row_that_publishes_fewer_runs_is_planned_with_those_and_with_splits_beyond_the_usual_ones():
    runs = question_grid("q1", "quick", "random", methods=["kdad"], splits=[0, 4, 42], draws=[0, 1])
    assert {(run.split, run.draw) for run in runs} == {(0, 0), (42, 0)}
    assert all(run.options == {"teacher": "resnet18"} for run in runs)


def test_a_method_named_of_which_nothing_that_is_asked_for_is_run_says_on_what_it_is():
    for methods in (["kdad"], ["devnet", "kdad"]):
        with pytest.raises(Misuse, match="kdad is run on splits 0, 1, 2 and draws 0 alone: ask for some of them"):
            question_grid("q1", "quick", "random", methods=methods, splits=[3])
    assert {run.method for run in question_grid("q1", "quick", "random", splits=[3])} >= {
        "devnet",
        "grey",
    }  # the others


@pytest.mark.parametrize("axis", ["splits", "draws", "seeds"])
@pytest.mark.parametrize("number", [-1, 2**32, 0.5, "1"])
def test_a_number_that_seeds_no_generator_is_misuse_before_anything_is_prepared(axis, number, tmp_path):
    with pytest.raises(Misuse, match=rf"{axis[:-1]} {number}: expected a whole number from 0 to 4294967295"):
        plan("toy", "grey", "quick", data_root=tmp_path / "none", **{axis: [0, number]})
    assert not list(tmp_path.iterdir())


def test_the_numbers_of_a_numpy_array_are_planned_as_plain_ones():
    assert plan("toy", "grey", "quick", splits=np.arange(2)) == plan("toy", "grey", "quick", splits=[0, 1])


@pytest.mark.parametrize(
    "option", ["stage=٢", "heads=1_0", "heads=9999999999", "margin=nan", "margin=1e400", "top_k=１"]
)
def test_a_number_of_an_option_is_finite_and_written_in_the_digits_0_to_9(option):
    with pytest.raises(Misuse, match=f"option {option}: expected (int|float), as in"):
        plan("toy", "devnet", "quick", "random", options=dict([option.split("=")]))


def test_rows_that_cannot_be_published_are_planned_only_by_name():
    assert not any(run.method == "ds_alexnet" for run in question_grid("q4", "smoke", "random"))
    assert {run.weights for run in question_grid("q4", "smoke", "random", methods=["ds_alexnet"])} == {"random"}


def test_the_schedule_of_a_methods_authors_is_resolved_when_its_run_is_planned():
    (own,) = plan("toy", "deepsvdd", "released", "random")
    assert (own.weights, own.training.trains, own.training.pixels, own.training.rotation) == ("none", "own", 32, 0)
    (rare,) = plan("toy", "deepsad", "quick", "random")
    assert not rare.training.balanced and rare.training.trains == "head" and rare.training.decay_at == (450,)


def test_an_unknown_question_or_row_is_refused_with_the_valid_ones():
    with pytest.raises(Misuse, match=r"unknown question 'q11' \(did you mean 'q1'\?\)"):
        question_grid("q11", "quick", "random")
    with pytest.raises(Misuse, match=r"unknown method of q1 'flo' \(did you mean 'flos'\?\): valid are .*devnet"):
        question_grid("q1", "quick", "random", methods=["flo"])


OWN = "profile = 'quick'  # how much compute\nsplits = 5\ndatasets = 'elpv'"


def namespace(injected: str) -> dict:
    """What a notebook knows after its parameters' cell and the one that papermill puts behind it."""
    cells = ["", OWN, f"# Parameters\n{injected}\n"]
    values: dict = {"In": cells}
    for cell in cells:
        exec(cell, values)
    return values


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("profil = 'smoke'", r"unknown parameter 'profil' \(did you mean 'profile'\?\)"),
        ("profile = 'smok'", r"unknown profile 'smok' \(did you mean 'smoke'\?\)"),
        ("datasets = 'elpv,toi'", r"unknown data set 'toi' \(did you mean 'toy'\?\)"),
        ("splits = 0", "parameter splits = 0: expected a whole number of at least 1"),
        ("splits = 'two'", "parameter splits = 'two': expected a whole number"),
    ],
)
def test_a_notebook_refuses_parameters_that_it_does_not_have_or_cannot_use(injected, message):
    with pytest.raises(Misuse, match=message):
        check_parameters(namespace(injected))


@pytest.mark.parametrize("injected", ["", "profile = 'smoke'\nsplits = 1", "datasets = 'toy, elpv'"])
def test_a_notebook_takes_the_parameters_that_it_has(injected):
    check_parameters(namespace(injected))


def test_make_study_asks_every_question_with_at_most_400_runs_each_once():
    parts = short_grid("quick", "random")
    runs = [run for part in parts.values() for run in part]
    assert len(runs) == len(set(runs)) <= 400
    assert {run.dataset for run in parts[True]} == {"toy"} and {run.dataset for run in parts[False]} == {"elpv"}
    assert {run.method for run in parts[True]} == {row.method for row in QUESTIONS["q3"].all_rows}
    protocols = {run.protocol.partition(":")[0] for run in runs}
    assert protocols == {"general", "open-set", "budget", "contamination"}
    assert {"devnet", "flos", "bce", "minns", "deepsad", "mahalanobis", "kdad", "deepsvdd"} <= {r.method for r in runs}


def test_more_splits_widen_the_short_grid():
    few, more = (short_grid("quick", "random", splits=range(of)) for of in (5, 6))
    assert len(more[False]) > len(few[False])


def test_another_data_set_with_masks_widens_what_is_explained():
    wider = short_grid("quick", "random", datasets=["elpv", "kolektorsdd"])
    assert {run.dataset for run in wider[True]} == {"toy", "kolektorsdd"}


def test_a_question_runs_under_every_setting_that_it_has_on_a_data_set():
    runs = question_grid("q5", "quick", "random", datasets=["kolektorsdd"], methods=["mahalanobis"])
    assert {run.protocol for run in runs} == {"budget:20"} and {run.anomalies for run in runs} == {1, 3, 5, 10, 20}
    assert len(runs) == 5 * 5 * 4


def test_a_question_that_cannot_be_asked_of_a_data_set_says_of_which_it_can():
    with pytest.raises(Misuse, match=r"no example\? This cannot be asked of headct, only of elpv"):
        question_grid("q2", "quick", "random", datasets=["headct"])


def test_grouped_runs_are_asked_for_on_the_sets_that_have_groups():
    runs = question_grid("q1", "quick", "random", datasets=["brainmri:official_loader"], methods=["grey"])
    assert {run.protocol for run in runs} == {"general", "general-grouped"}
    assert {run.reading for run in runs} == {"official_loader"}


def test_a_published_run_is_drawn_with_the_weights_at_hand_where_it_names_others(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("DEVNET_WEIGHTS", raising=False)
    (trunk,) = plan("toy", "devnet", "quick", "embedded")
    with_imagenet = replace(trunk, weights=IMAGENET)
    assert with_weights_at_hand(with_imagenet) == trunk
    (without,), (chance,) = plan("toy", "grey", "quick"), plan("toy", "devnet", "quick", "random")
    assert [with_weights_at_hand(run) for run in (trunk, without, chance)] == [trunk, without, chance]
