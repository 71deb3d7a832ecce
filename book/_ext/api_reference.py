"""The API page: every module of a room, from its docstrings, whether or not the libraries for training are installed.

Docstrings are prose with names in backticks. What reStructuredText would take for markup in them is escaped, so that
nobody has to write a docstring with this page in mind.
"""

import re
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.ext.autodoc import _CLASS_NEW_BLACKLIST
from sphinx.ext.autodoc.mock import _MockObject
from sphinx.util.docutils import SphinxDirective

PACKAGE = "devnetlib"
TRAINING_LIBRARIES = (
    "elpv_dataset",
    "imagehash",
    "PIL",
    "platformdirs",
    "pooch",
    "safetensors",
    "torch",
    "torchvision",
)


def imitate_missing(app: Sphinx, config: Config) -> None:
    """Have autodoc imitate the libraries that only training needs, where they are not installed.

    Its imitations lack the `|` of type hints, as in the alias `list[Tensor] | Tensor`; here they get it. And a class
    derived from one shows its own arguments, not those of the imitation.
    """
    _CLASS_NEW_BLACKLIST.append(f"{_MockObject.__module__}.{_MockObject.__new__.__qualname__}")
    _MockObject.__or__ = _MockObject.__ror__ = lambda self, other: self
    config.autodoc_mock_imports = [name for name in TRAINING_LIBRARIES if find_spec(name) is None]


def escaped(line: str) -> str:
    """The line with `|` and `*` made plain characters, except between backticks."""
    parts = line.split("`")
    return "`".join(part if number % 2 else re.sub(r"([|*])", r"\\\1", part) for number, part in enumerate(parts))


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def as_restructured_text(lines: list[str]) -> list[str]:
    """A docstring's lines: prose escaped, indented blocks of their own (drawings, formulas) literal and untouched.

    A block of its own follows an empty line; what is indented without one, as below "Args:", is left to napoleon. Where
    indentation ends, an empty line is added, which reStructuredText wants.
    """
    result: list[str] = []
    literal_below: int | None = None  # the indentation of the text above the literal block that we are in
    for line in lines:
        above = next((earlier for earlier in reversed(result) if earlier.strip()), line)
        if line.strip() and literal_below is not None and indent(line) <= literal_below:
            literal_below = None
        if line.strip() and literal_below is None and indent(line) > indent(above) and not result[-1].strip():
            literal_below = indent(above)
            result += [" " * literal_below + "::", ""]
        elif line.strip() and result and result[-1].strip() and indent(line) < indent(above):
            result.append("")
        result.append(escaped(line) if literal_below is None else line)
    return result


def rewrite(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    lines[:] = as_restructured_text(lines)


def modules(name: str) -> list[str]:
    """The module of this name within the package, or, sorted, those of the room of this name. Nothing is imported."""
    root = Path(find_spec(PACKAGE).submodule_search_locations[0])
    file = root / f"{name.replace('.', '/')}.py"
    files = [file] if file.exists() else sorted((root / name).rglob("*.py"))
    return [".".join(found.relative_to(root).with_suffix("").parts) for found in files if found.stem != "__init__"]


class Room(SphinxDirective):
    """`.. room:: NAME ...`: a section for each of these modules; a room stands for all its modules."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return [self.section(module) for name in self.arguments[0].split() for module in modules(name)]

    def section(self, module: str) -> nodes.section:
        section = nodes.section("", nodes.title("", module), ids=[nodes.make_id(f"room-{module}")])
        directive = [f".. automodule:: {PACKAGE}.{module}", "   :members:", ""]
        self.state.nested_parse(StringList(directive, self.get_location()), 0, section)
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("room", Room)
    app.connect("config-inited", imitate_missing)
    app.connect("autodoc-process-docstring", rewrite, priority=400)  # before napoleon reads the sections
    return {"parallel_read_safe": True, "parallel_write_safe": True}
