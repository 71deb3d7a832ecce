"""Parameters of a notebook, as a kernel's globals hold them behind an injected cell."""

import pytest

from devnetlib.errors import Misuse
from devnetlib.study.parameters import check_parameters
from devnetlib.study.planning import plan
from devnetlib.study.results import collect

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


def test_what_a_data_set_is_too_small_for_is_told_and_the_rest_is_executed(tmp_path, capsys):
    request = check_parameters({"In": ["", OWN], "profile": "smoke", "datasets": "toy", "results": str(tmp_path)})
    fits, too_many = (plan("toy", "grey", "smoke", anomalies=n)[0] for n in (3, 10_000))
    request.execute([fits, too_many])
    assert "not executed" in capsys.readouterr().out
    assert [scores.run for scores in collect(tmp_path)] == [fits]
