"""The parameters of a notebook: refuse names and values that nothing knows, since papermill injects whatever it is given."""

from collections.abc import Mapping
from typing import Any

from devnetlib.data.manifests import datasets
from devnetlib.errors import Misuse, unknown
from devnetlib.study.runs import PROFILES, QUESTIONS


def check_parameters(namespace: Mapping[str, Any], *expected: str) -> None:
    """Check the parameters of a notebook right after they are set: pass `globals()` and the names of its parameters.

    Every other name that is a plain value must come from a mistyped `-p`. Raises Misuse with the valid names or values.
    """
    plain = {
        name
        for name, value in namespace.items()
        if not name.startswith("_") and isinstance(value, str | int | float | bool | list)
    }
    for name in sorted(plain - set(expected) - {"In", "Out"}):
        raise unknown("parameter", name, expected)
    check_value("profile", namespace.get("profile"), PROFILES)
    check_value("question", namespace.get("question"), QUESTIONS)
    for dataset in namespace.get("datasets", "").split(",") if "datasets" in expected else ():
        check_value("data set", dataset.strip(), datasets())
    for axis in ("splits", "draws", "images"):
        value = namespace.get(axis)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise Misuse(f"parameter {axis} = {value!r}: expected a whole number of at least 1, such as -p {axis} 2")


def check_value(kind: str, value: Any, valid: Any) -> None:
    """Misuse with the valid ones unless `value` is None or among them."""
    if value is not None and value not in valid:
        raise unknown(kind, value, valid)
