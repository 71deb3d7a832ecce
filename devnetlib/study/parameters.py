"""The parameters of a notebook: what they ask for, and a refusal of what nothing knows, since papermill injects
whatever it is given."""

import ast
import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devnetlib.data.manifests import in_reading, load_card
from devnetlib.errors import Misuse, unknown
from devnetlib.study.questions import asked
from devnetlib.study.results import YOURS
from devnetlib.study.runs import PROFILES, Run

INJECTED = "# Parameters\n"  # how papermill begins the cell that it puts behind the notebook's own parameters
# The smallest value that makes sense
WHOLE_NUMBERS = {"splits": 1, "draws": 1, "split": 0, "draw": 0, "fresh": 0, "execute": 0}


@dataclass(frozen=True)
class Request:
    """What the parameters of a chapter ask for; with `fresh`, or for what nobody published, the chapter shows yours."""

    profile: str = "quick"
    datasets: tuple[str, ...] = ("elpv",)
    methods: tuple[str, ...] = ()
    splits: int = 1
    draws: int = 1
    results: Path = YOURS
    scheduler: str = ""
    fresh: bool = False

    def asking(self, question: str) -> tuple[str, ...]:
        """Those of the data sets of which the question can be asked."""
        refused = self.unasked(question)
        return tuple(name for name in self.datasets if name not in refused)

    def unasked(self, question: str) -> dict[str, str]:
        """The other data sets, each with the reason."""
        from devnetlib.study.asking import unasked

        return unasked(asked(question), self.datasets)

    def grid(self, question: str) -> list[Run]:
        """The runs of a question that are asked for; none where it can be asked of no data set."""
        from devnetlib.study.planning import question_grid

        axes = {"splits": range(self.splits), "draws": range(self.draws), "methods": self.methods}
        datasets = self.asking(question)
        return question_grid(question, self.profile, datasets=datasets, **axes) if datasets else []

    def execute(self, runs: list[Run], pixels: bool = False) -> None:
        """Execute the runs, here or by the workers of the scheduler, with `pixels` explained, too; what a data set is
        too small for is told.

        Raises RuntimeError naming the first run that failed for another reason.
        """
        from devnetlib.study.execution import HERE
        from devnetlib.study.grids import execute_all
        from devnetlib.study.workers import engine

        with engine(self.scheduler or None, 1, runs, self.results, HERE, pixels) as executor:
            _, failures = execute_all(runs, self.results, HERE, executor, pixels=pixels)
        if broken := [failure for failure in failures if not isinstance(failure.error, Misuse)]:
            raise RuntimeError(f"{len(broken)} runs failed, the first: {broken[0]}")
        for reason in dict.fromkeys(str(failure.error) for failure in failures):
            print(f"not executed: {reason}")


def check_parameters(namespace: Mapping[str, Any]) -> Request:
    """Check a notebook's parameters, from the cell right behind them, `request = check_parameters(globals())`, and say
    what they ask for; under `smoke` one split and draw.

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
        for dataset in words(str(namespace.get(name, ""))):
            load_card(in_reading(dataset)[0])
    for name, least in WHOLE_NUMBERS.items():
        value = namespace.get(name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise Misuse(
                f"parameter {name} = {value!r}: expected a whole number of at least {least}, as in -p {name} {least}"
            )
    return request_of(namespace)


def request_of(namespace: Mapping[str, Any]) -> Request:
    """The request in a namespace whose values have been checked."""
    known = {name: namespace[name] for name in Request.__dataclass_fields__ if name in namespace}
    known |= {name: tuple(words(known[name])) for name in ("datasets", "methods") if name in known}
    known |= {"results": Path(known["results"])} if known.get("results") else {"results": YOURS}
    known |= {"fresh": bool(known.get("fresh"))}
    return Request(**known | ({"splits": 1, "draws": 1} if known.get("profile") == "smoke" else {}))


def words(text: str) -> Iterable[str]:
    """The words of a list that is separated by commas."""
    return (word.strip() for word in text.split(",") if word.strip())


def assigned(cell: str) -> set[str]:
    """Names that a cell assigns at its top level."""
    targets = [t for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def check_value(kind: str, value: Any, valid: Collection[str]) -> None:
    """Misuse with the valid ones unless `value` is None or among them."""
    if value is not None and value not in valid:
        raise unknown(kind, value, valid)
