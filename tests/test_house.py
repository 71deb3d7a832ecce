"""The order of the house: which way imports point, what stays light, and what no file may hold."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext
import pytest
import yaml
from jupytext.compare import compare_notebooks

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "devnetlib"

# The rooms, from the ground up: a room imports from lower floors, from itself, and along the few doors named below.
FLOORS = (
    {"errors", "environment", "writing", "arguments", "cores"},
    {"deviation", "network", "saliency", "metrics", "pixel_metrics"},
    {"backbones", "embedded"},
    {"methods", "data"},
    {"study", "report", "evidence"},
    {"__main__", "__init__"},
)
DOORS = {("report", "study"), ("evidence", "study"), ("evidence", "report")}

# Modules that promise more than their floor does: the libraries they need, and all they may import of ours.
READING = {
    "study.runs",
    "study.results",
    "study.forms",
    "study.questions",
    "data.splits",
    "errors",
    "embedded",
    "pixel_metrics",
    "writing",
}
PROMISES = {
    "errors": (set(), set()),
    "environment": (set(), set()),
    "writing": (set(), set()),
    "arguments": (set(), set()),
    "cores": (set(), set()),
    "deviation": ({"torch", "numpy"}, set()),
    "network": ({"torch", "numpy"}, set()),
    "saliency": ({"torch", "numpy"}, set()),
    "metrics": ({"numpy"}, set()),
    "pixel_metrics": ({"numpy"}, set()),
    "backbones": ({"torch", "torchvision"}, {"network"}),
    "embedded": (set(), {"errors"}),
    "embedded.network": ({"torch"}, {"network"}),
    "data.splits": ({"numpy"}, {"errors"}),
    "study.runs": ({"numpy"}, READING),
    "study.questions": ({"numpy"}, READING),
    "study.results": ({"numpy"}, READING),
    "study.forms": (set(), READING),
}
READ_BY_REPORT = {"study.runs", "study.results", "study.mixtures", "study.questions", "study.asking"}
EVIDENCE_ON_PAGES = {"evidence.census", "evidence.census_page", "evidence.imitation_page"}
HEAVY = {"torch", "torchvision", "sklearn", "scipy", "pandas", "matplotlib", "seaborn", "papermill"}


@dataclass(frozen=True)
class Module:
    """A module of the package (its name without the package's), and what it imports at any place in its code."""

    name: str
    ours: frozenset[str]
    libraries: frozenset[str]

    @property
    def room(self) -> str:
        """The part of the house it stands in."""
        return self.name.split(".")[0]


def module_name(path: Path, package: Path) -> str:
    """The dotted name of a file below the package; a folder's ``__init__`` stands for the folder."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """The full dotted name of everything that the code imports; `package` is what its relative imports start from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def nearest(name: str, modules: set[str]) -> str:
    """The module of ours that a full name leads to: itself, else the folder or file that holds it."""
    inner = name.removeprefix(PACKAGE).lstrip(".")
    while inner and inner not in modules:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def read_house(root: Path) -> list[Module]:
    """All modules of the package below `root`, from their sources."""
    package = root / PACKAGE
    names = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}
    house = []
    for name, path in names.items():
        folder = (PACKAGE, *path.relative_to(package).parent.parts)
        found = set(imported(ast.parse(path.read_text()), folder))
        ours = {full for full in found if full.split(".")[0] == PACKAGE}
        libraries = {full.split(".")[0] for full in found - ours} - sys.stdlib_module_names
        house.append(Module(name, frozenset(nearest(full, set(names)) for full in ours), frozenset(libraries)))
    return house


def floor(room: str) -> int:
    """How high a room stands; a room that no floor names is an error of this file."""
    (level,) = [number for number, rooms in enumerate(FLOORS) if room in rooms] or [-1]
    return level


def faults(house: list[Module]) -> list[str]:
    """Every import that points up or sideways, or that breaks a promise, a line each."""
    found = [f"{module.name} stands on no floor" for module in house if floor(module.room) < 0]
    for module in house:
        for target in sorted(module.ours):
            room = target.split(".")[0]
            downwards = floor(room) < floor(module.room) or room == module.room or (module.room, room) in DOORS
            private = module.room == "report" and room == "study" and target not in READ_BY_REPORT
            if not downwards or private:
                found.append(f"{module.name} imports {target}")
        libraries, ours = PROMISES.get(module.name, (module.libraries, module.ours))
        found += [f"{module.name} needs {library}" for library in sorted(module.libraries - libraries)]
        found += [f"{module.name} imports {target}" for target in sorted(module.ours - ours - {module.name})]
    return sorted(set(found))


@pytest.fixture(scope="module")
def house() -> list[Module]:
    return read_house(ROOT)


def test_imports_point_down_the_floors_and_no_promise_is_broken(house):
    assert faults(house) == []


def test_every_module_with_a_promise_is_there(house):
    assert set(PROMISES) - {module.name for module in house} == set()


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("deviation.py", "from devnetlib import network", "deviation imports network"),
        ("network.py", "import torchvision", "network needs torchvision"),
        ("metrics.py", "def f():\n    import torch", "metrics needs torch"),
        ("methods/devnet.py", "from ..data import splits", "methods.devnet imports data.splits"),
        ("data/images.py", "from devnetlib.methods.detector import Detector", "data.images imports methods.detector"),
        ("study/results.py", "from .execution import execute", "study.results imports study.execution"),
        ("report/tables.py", "from devnetlib.study.execution import execute", "report.tables imports study.execution"),
        ("study/execution.py", "import devnetlib.report", "study.execution imports report"),
        ("report/tables.py", "from devnetlib import Run", "report.tables imports __init__"),
        ("attic/junk.py", "", "attic.junk stands on no floor"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(tmp_path, file, line, fault):
    package = tmp_path / PACKAGE
    modules = ["deviation", "network", "metrics", "methods/detector", "data/splits", "study/execution", "study/results"]
    for name in [*modules, "report/__init__", file.removesuffix(".py")]:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").touch()
    (package / file).write_text(line)
    assert faults(read_house(tmp_path)) == [fault]


def modules_after(program: str) -> set[str]:
    """The top-level modules that are loaded after a program has run in a fresh interpreter."""
    closing = "\nimport sys; print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program + closing], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_importing_the_package_loads_nothing_heavy():
    assert modules_after(f"import {PACKAGE}") & HEAVY == set()


def test_asking_for_help_loads_nothing_heavy():
    program = f"""
import runpy, sys
sys.argv = ["{PACKAGE}", "--help"]
try:
    runpy.run_module("{PACKAGE}", run_name="__main__")
except SystemExit as end:
    assert not end.code
"""
    assert modules_after(program) & HEAVY == set()


def test_results_are_read_and_reported_without_torch(house):
    light = READING | EVIDENCE_ON_PAGES
    names = [module.name for module in house if module.room == "report" or module.name in light]
    loaded = modules_after("\n".join(f"import {PACKAGE}.{name}" for name in names))
    assert len(names) > len(light) and not loaded & {"torch", "imagehash"}


def test_data_are_prepared_and_decoded_without_torch():
    loaded = modules_after("import devnetlib.data.intake, devnetlib.data.images")
    assert "PIL" in loaded and "torch" not in loaded


# What no file may hold. The check passes over what tools and builds leave behind.

MADE = re.compile(
    r"^(?:\.(?!ci/|github/|gitignore|pre-commit)|results/|book/(?:_build|notebooks)/|.*(?:__pycache__|\.egg-info)/)"
)
FORBIDDEN = {
    "an absolute path": re.compile(
        r"(?<![\w.:/~}\])-])/(?:home|root|Users|tmp|work|usr(?!/bin/env\b)|opt|mnt|var|etc|srv)/"
    ),
    "the host of a package registry": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|anaconda\.org|npmjs\.(?:org|com))\b"
    ),
}
BESIDE = re.compile(r"\.\./shared")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The text files of the repository by their path in it."""
    found = {}
    for folder, subfolders, files in os.walk(ROOT):
        place = Path(folder).relative_to(ROOT)
        subfolders[:] = sorted(name for name in subfolders if not MADE.match(f"{(place / name).as_posix()}/"))
        for name in sorted(name for name in files if not MADE.match((place / name).as_posix())):
            content = (Path(folder) / name).read_bytes()
            if b"\0" not in content:
                found[(place / name).as_posix()] = content.decode()
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(texts, what):
    assert {name: hit[0] for name, text in texts.items() if (hit := FORBIDDEN[what].search(text))} == {}


def test_what_no_file_may_hold_would_be_found():
    path, host = "/".join(["", "home", "someone", "data"]), ".".join(["pypi", "org"])
    assert FORBIDDEN["an absolute path"].search(f'open("{path}")')
    assert FORBIDDEN["the host of a package registry"].search(f"https://{host}/simple")


def test_only_the_script_of_the_continuous_integration_looks_beside_the_repository(texts):
    assert [name for name, text in texts.items() if BESIDE.search(text)] == [".ci/run"]


# The files around the house.


def test_make_help_lists_every_target_with_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)[1].split()) - {"help", "python"}
    shown = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    described = {line.split(maxsplit=1)[0] for line in shown.splitlines() if len(line.split()) > 1}
    assert described == targets == set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))


def test_the_citation_is_of_this_version_and_credits_the_paper_to_its_four_authors():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Pang", "Ding", "Shen", "Hengel"]


# Findings: scripts about other people's libraries, which run anywhere and say where to look.

FINDINGS = sorted((ROOT / "findings").glob("*.sh"))
CLEAN = ("set -euo pipefail", "export TMPDIR=$folder", "trap 'rm -rf \"$folder\"' EXIT", "unset PYTHONPATH")
PARTS = (*CLEAN, "# Source: ", "\n# Seen")


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_is_a_short_script_that_names_its_source_pins_its_packages_and_needs_nothing_of_ours(path):
    text = path.read_text()
    pinned = [word for line in re.findall(r"pip install (.*)", text) for word in line.split() if word[0] != "-"]
    assert pinned and [word for word in pinned if not re.fullmatch(r"[\w-]+==[\w.]+", word)] == []
    assert [part for part in PARTS if part not in text] == [] and PACKAGE not in text
    assert os.access(path, os.X_OK) and len(text.splitlines()) <= 60


def test_the_page_of_findings_lists_every_script():
    page = (ROOT / "findings" / "README.md").read_text()
    assert FINDINGS and re.findall(r"^\| `(\S+\.sh)`", page, re.MULTILINE) == [path.name for path in FINDINGS]


# Notebooks: a script people review, and a notebook they open.

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_every_notebook_has_its_script_and_every_script_its_notebook():
    scripts = sorted((ROOT / "notebooks").glob("*.py"))
    assert NOTEBOOKS and [path.stem for path in NOTEBOOKS] == [path.stem for path in scripts]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_equals_its_script(path):
    compare_notebooks(jupytext.read(path), jupytext.read(path.with_suffix(".py")), fmt="py:percent")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_carries_no_output(path):
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []
