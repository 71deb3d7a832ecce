"""The parameters of a notebook: what they ask for, and a refusal of what nothing knows, since papermill injects
whatever it is given."""

import ast
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devnetlib.data.manifests import in_reading, load_card
from devnetlib.data.splits import TooSmall
from devnetlib.errors import Misuse, unknown
from devnetlib.study.questions import QUESTIONS, asked
from devnetlib.study.results import YOURS
from devnetlib.study.runs import PROFILES, Run

INJECTED = "# Parameters\n"  # how papermill begins the cell that it puts behind the notebook's own parameters
# The smallest value that makes sense
WHOLE_NUMBERS = {"splits": 1, "draws": 1, "split": 0, "draw": 0, "seed": 0, "references": 2}
LARGEST = 2**32 - 1  # what NumPy takes as a seed
SWITCHES = {"execute": True, "fresh": False}  # and what they are where nothing is said
SWITCHED = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
EXAMPLES = {
    "profile": "quick",
    "datasets": "elpv,headct",
    "methods": "devnet,flos",
    "results": "./mine",
    "scheduler": "tcp://host:8786",
}


@dataclass(frozen=True)
class Request:
    """What the parameters of a chapter ask for; with `fresh`, or for what nobody published, the chapter shows yours.
    `executes` is the parameter `execute`."""

    profile: str = "quick"
    datasets: tuple[str, ...] = ("elpv",)
    methods: tuple[str, ...] = ()
    splits: int = 1
    draws: int = 1
    results: Path = YOURS
    scheduler: str = ""
    fresh: bool = False
    executes: bool = True

    def asking(self, question: str) -> tuple[str, ...]:
        """Those of the data sets of which the question can be asked."""
        refused = self.unasked(question)
        return tuple(name for name in self.datasets if name not in refused)

    def unasked(self, question: str) -> dict[str, str]:
        """The other data sets, each with the reason."""
        from devnetlib.study.asking import unasked

        return unasked(asked(question), self.datasets)

    def grid(self, question: str) -> list[Run]:
        """The runs of a question that are asked for, split 0 alone of a data set that comes divided; none where it can
        be asked of no data set or has none of the methods. Methods that it does not have are told."""
        from devnetlib.study.planning import DIVIDED, question_grid

        known = {row.method for row in asked(question).all_rows}
        methods = [method for method in self.methods if method in known]
        if strange := ", ".join(method for method in self.methods if method not in known):
            print(f"left out: {question} has no row of {strange}")
        runs, axes = [], {"draws": range(self.draws), "methods": methods}
        for dataset in self.asking(question) if methods or not self.methods else ():
            name, reading = in_reading(dataset)
            splits = range(1 if load_card(name).division(reading) in DIVIDED else self.splits)
            runs += question_grid(question, self.profile, datasets=[dataset], splits=splits, **axes)
        return runs

    def execute(self, runs: list[Run], pixels: bool = False) -> None:
        """Execute the runs, here or by the workers of the scheduler, with `pixels` explained, too; what a data set is
        too small for is told.

        Raises the first failure's Misuse where the request could not be met for another reason, and RuntimeError naming
        the first run where one failed.
        """
        from devnetlib.study.execution import HERE
        from devnetlib.study.grids import execute_all
        from devnetlib.study.workers import engine

        with engine(self.scheduler or None, 1, runs, self.results, HERE, pixels) as executor:
            _, failures = execute_all(runs, self.results, HERE, executor, pixels=pixels)
        for reason in dict.fromkeys(str(failure.error) for failure in failures if isinstance(failure.error, TooSmall)):
            print(f"not executed: {reason}")
        broken = [failure for failure in failures if not isinstance(failure.error, TooSmall)]
        if broken and isinstance(broken[0].error, Misuse):
            raise broken[0].error
        if broken:
            raise RuntimeError(f"{len(broken)} runs failed, the first: {broken[0]}")


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
    taken = read_parameters(namespace)
    if taken.get("profile") not in {None, *PROFILES}:
        raise unknown("profile", taken["profile"], PROFILES)
    if Path(taken.get("results", "")).is_file():
        raise refusal("results", taken["results"], "a folder, and this is a file")
    for dataset in taken.get("datasets", ()):
        load_card(in_reading(dataset)[0])
    if "datasets" in taken and not taken["datasets"] and "profile" in taken:  # without one, empty means all
        raise refusal("datasets", namespace["datasets"], "at least one name")
    methods = {row.method for question in QUESTIONS.values() for row in question.all_rows}
    for method in taken.get("methods", ()):
        if method not in methods:
            raise unknown("method", method, methods)
    return request_of(namespace)


def request_of(namespace: Mapping[str, Any]) -> Request:
    """The request in a namespace; Misuse for a value of another type than its parameter's."""
    taken = read_parameters(namespace)
    known = {name: value for name, value in taken.items() if name in Request.__dataclass_fields__}
    known |= {"executes": taken.get("execute", True)}
    known |= {"results": Path(known["results"]) if known.get("results") else YOURS}
    return Request(**known | ({"splits": 1, "draws": 1} if known.get("profile") == "smoke" else {}))


def read_parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a namespace has, each in its own type, as papermill, YAML or a person may have written them.

    Raises Misuse that names the parameter, what was found, what is expected and an example.
    """
    readers: dict[str, Callable[[str, Any], Any]] = dict.fromkeys(WHOLE_NUMBERS, whole)
    readers |= dict.fromkeys(SWITCHES, switch) | {
        "profile": text,
        "results": text,
        "scheduler": text,
        "datasets": names,
        "methods": names,
    }
    readers |= {"margin": positive}
    return {name: read(name, namespace[name]) for name, read in readers.items() if name in namespace}


def refusal(name: str, value: Any, expected: str, example: Any = None) -> Misuse:
    """The error for a value that a parameter cannot have."""
    example = EXAMPLES.get(name) if example is None else example
    return Misuse(f"parameter {name} = {value!r}: expected {expected}, as in -p {name} {example}")


def whole(name: str, value: Any) -> int:
    """A whole number that NumPy takes as a seed; neither True nor 2.0 is one."""
    least = WHOLE_NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
        above = f" and at most {LARGEST}" if isinstance(value, int) and value > LARGEST else ""
        raise refusal(name, value, f"a whole number of at least {least}{above}", least)
    return value


def positive(name: str, value: Any) -> float:
    """A number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise refusal(name, value, "a number above 0", 5.0)
    return value


def switch(name: str, value: Any) -> bool:
    """Yes or no: 1 or 0, true or false, on or off; nothing is what the parameter is without being named."""
    if value is None:
        return SWITCHES[name]
    known = SWITCHED.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None
    if known is None:
        raise refusal(name, value, "1 for yes or 0 for no", 1)
    return known


def text(name: str, value: Any) -> str:
    """Text, and nothing as empty text; what papermill has made a number of is refused, for 007 arrives as 7."""
    if value is None and name != "profile":
        return ""
    if not isinstance(value, str):
        raise refusal(name, value, f"text (-r {name} VALUE hands over what looks like a number as text)")
    return value


def names(name: str, value: Any) -> tuple[str, ...]:
    """Names separated by commas, or a list of them: as YAML gives it, or written out as [a, 'b']. Each counts once."""
    if value is None and name == "methods":
        return ()
    if isinstance(value, str):
        written = value.strip()
        listed = written[1:-1] if written[:1] + written[-1:] in ("[]", "()") else written
        value = [word.strip().strip("'\"") for word in listed.split(",")]
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise refusal(name, value, "names separated by commas")
    return tuple(dict.fromkeys(word.strip() for word in value if word.strip()))


def assigned(cell: str) -> set[str]:
    """Names that a cell assigns at its top level."""
    targets = [t for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}
