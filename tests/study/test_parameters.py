"""Parameters of a notebook, as a kernel's globals hold them behind an injected cell."""

from dataclasses import replace

import pytest
from PIL import Image

from devnetlib.data.intake import get
from devnetlib.data.toy import toy_image
from devnetlib.errors import Misuse
from devnetlib.study.parameters import Request, check_parameters
from devnetlib.study.planning import plan
from devnetlib.study.results import YOURS, collect

OWN = 'profile = "quick"  # how much compute\nsplits = 5\n'


def after(injected: str) -> dict:
    namespace: dict = {}
    exec(OWN + injected, namespace)
    return namespace | {"In": ["", OWN, "# Parameters\n" + injected]}


def test_known_names_and_values_pass():
    check_parameters(after('profile = "smoke"\nsplits = 1\n'))


def test_a_notebook_run_by_hand_passes_whatever_later_cells_define():
    check_parameters({"In": ["", OWN], "profile": "quick", "anything": 3})


@pytest.mark.parametrize(
    ("injected", "told"),
    [
        ('profle = "smoke"\n', "did you mean 'profile'"),
        ('profile = "fast"\n', "valid are laptop, quick, released, smoke"),
        ("splits = 0\n", "at least 1"),
        ('splits = "two"\n', "whole number"),
        ('dataset = "elvp"\n', "unknown parameter 'dataset'"),
    ],
)
def test_what_nothing_knows_is_refused_with_the_valid_ones(injected, told):
    with pytest.raises(Misuse, match=told):
        check_parameters(after(injected))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("results", 2024, r"parameter results = 2024: expected text .*as in -p results \./mine"),
        ("results", True, "parameter results = True"),
        ("results", __file__, "a folder, and this is a file"),
        ("scheduler", 8786, r"as in -p scheduler tcp://host:8786"),
        ("profile", ["smoke"], r"parameter profile = \['smoke'\]: expected text"),
        ("profile", None, "parameter profile = None: expected text"),
        ("datasets", 7, "names separated by commas, as in -p datasets elpv,headct"),
        ("datasets", None, "parameter datasets = None"),
        ("datasets", "", "parameter datasets = '': expected at least one name"),
        ("datasets", ["toy", False], r"parameter datasets = \['toy', False\]"),
        ("methods", 1, "as in -p methods devnet,flos"),
        ("methods", "devnt", "unknown method 'devnt' .did you mean 'devnet'"),
        ("splits", True, "parameter splits = True: expected a whole number of at least 1"),
        ("splits", 2.0, "parameter splits = 2.0: expected a whole number"),
        ("draws", float("nan"), "parameter draws = nan"),
        ("split", 2**32, "at most 4294967295"),
        ("seed", "abc", "parameter seed = 'abc'"),
        ("references", 0, "at least 2"),
        ("margin", "5", "parameter margin = '5': expected a number above 0"),
        ("fresh", "perhaps", "parameter fresh = 'perhaps': expected 1 for yes or 0 for no"),
        ("execute", 2, "parameter execute = 2"),
        ("execute", [], r"parameter execute = \[\]"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_was_found_and_an_example(name, value, expected):
    with pytest.raises(Misuse, match=expected):
        check_parameters({"In": ["", OWN], "profile": "quick"} | {name: value})


@pytest.mark.parametrize(
    "value", [["toy", "elpv"], ("toy", "elpv"), "['toy','elpv']", "[toy, elpv]", '("toy", "elpv")', "toy, elpv,,toy"]
)
def test_a_list_of_names_is_read_in_every_way_it_may_be_written(value):
    assert check_parameters({"In": ["", OWN], "profile": "quick", "datasets": value}).datasets == ("toy", "elpv")


@pytest.mark.parametrize(
    ("value", "meant"),
    [("no", False), ("off", False), (0, False), (False, False), ("Yes", True), ("on", True), (1, True)],
)
def test_a_switch_means_what_its_word_says(value, meant):
    request = check_parameters({"In": ["", OWN], "profile": "quick", "fresh": value, "execute": value})
    assert (request.fresh, request.executes) == (meant, meant)


def test_nothing_for_what_may_be_left_out_is_its_default():
    empty = dict.fromkeys(("results", "scheduler", "methods", "fresh", "execute"))
    assert check_parameters({"In": ["", OWN], "profile": "quick"} | empty) == Request(results=YOURS)


def test_parameters_become_a_request_with_lists_taken_apart():
    asked = {"profile": "quick", "datasets": "elpv, headct", "methods": "devnet,bce", "splits": 2, "results": "/x"}
    request = check_parameters({"In": ["", OWN]} | asked | {"draws": 3, "scheduler": "", "fresh": 1, "anything": 7})
    assert request.datasets == ("elpv", "headct") and request.methods == ("devnet", "bce")
    assert (request.splits, request.draws, str(request.results), request.fresh) == (2, 3, "/x", True)


def test_a_smoke_test_asks_for_one_split_and_draw_whatever_stands_there():
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "splits": 5, "draws": 4})
    assert (request.splits, request.draws) == (1, 1)


def test_a_question_is_asked_of_those_data_sets_alone_that_can_answer_it():
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "datasets": "elpv,headct"})
    assert request.asking("q2") == ("elpv",) and request.asking("q1") == ("elpv", "headct")
    assert {run.protocol for run in request.grid("q2")} == {"open-set:mono", "open-set:poly"}
    assert check_parameters({"In": ["", OWN], "datasets": "headct"}).grid("q2") == []


def test_a_chapter_leaves_out_methods_that_its_question_has_not_and_says_so(capsys):
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "methods": "flos,devnet"})
    assert {run.method for run in request.grid("q4")} == {"devnet"}
    assert capsys.readouterr().out == "left out: q4 has no row of flos\n"
    assert check_parameters({"In": ["", OWN], "profile": "smoke", "methods": "flos"}).grid("q4") == []


def test_of_a_data_set_that_comes_divided_split_0_alone_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVNET_DATA", str(tmp_path))
    for folder in ("train/good", "test/good", "test/hole"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(toy_image(number, "")[0]).save(tmp_path / "raw" / folder / f"{number}.png")
    get("my/divided", tmp_path / "raw", False, tmp_path)
    request = Request("quick", ("my/divided", "elpv"), ("grey",), splits=3)
    places = [(run.dataset, run.split) for run in request.grid("q1")]
    assert places == [("my/divided", 0), ("elpv", 0), ("elpv", 1), ("elpv", 2)]


def test_what_a_data_set_is_too_small_for_is_told_and_the_rest_is_executed(tmp_path, capsys):
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "datasets": "toy", "results": str(tmp_path)})
    fits, too_many = (plan("toy", "grey", "smoke", anomalies=n)[0] for n in (3, 10_000))
    request.execute([fits, too_many])
    assert "not executed" in capsys.readouterr().out
    assert [scores.run for scores in collect(tmp_path)] == [fits]


def test_what_cannot_be_met_for_another_reason_than_too_few_images_is_raised(tmp_path):
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "datasets": "toy", "results": str(tmp_path)})
    (run,) = plan("toy", "devnet", "smoke", "random")
    with pytest.raises(Misuse, match="0123456789abcdef"):
        request.execute([replace(run, weights="0123456789abcdef")])
