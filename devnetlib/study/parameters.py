"""The parameters of a notebook: refuse what nothing knows, since papermill injects whatever it is given."""

import ast
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from devnetlib.data.manifests import in_reading, load_card
from devnetlib.errors import Misuse, unknown
from devnetlib.study.runs import PROFILES

INJECTED = "# Parameters\n"  # how papermill begins the cell that it puts behind the notebook's own parameters
WHOLE_NUMBERS = {"splits": 1, "draws": 1, "split": 0, "draw": 0, "fresh": 0}  # smallest value that makes sense


def check_parameters(namespace: Mapping[str, Any]) -> None:
    """Check a notebook's parameters, from the cell right behind them: `check_parameters(globals())`.

    Raises Misuse for an injected name that the parameters' own cell does not have, and for values that no run can have.
    """
    cells = namespace.get("In", [])
    for before, cell in itertools.pairwise(cells):
        if cell.startswith(INJECTED):
            known = assigned(before)
            for name in sorted(assigned(cell) - known):
                raise unknown("parameter", name, known)
    check_value("profile", namespace.get("profile"), PROFILES)
    for name in ("dataset", "datasets"):
        for dataset in str(namespace.get(name, "")).split(",") if name in namespace else ():
            load_card(in_reading(dataset.strip())[0])
    for name, least in WHOLE_NUMBERS.items():
        value = namespace.get(name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise Misuse(
                f"parameter {name} = {value!r}: expected a whole number of at least {least}, as in -p {name} {least}"
            )


def assigned(cell: str) -> set[str]:
    """Names that a cell assigns at its top level."""
    targets = [t for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def check_value(kind: str, value: Any, valid: Collection[str]) -> None:
    """Misuse with the valid ones unless `value` is None or among them."""
    if value is not None and value not in valid:
        raise unknown(kind, value, valid)
