"""Parameters of a notebook, as a kernel's globals hold them behind an injected cell."""

import pytest

from devnetlib.errors import Misuse
from devnetlib.study.parameters import check_parameters

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
