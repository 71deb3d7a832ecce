"""What the pages of the methods say in tables is what the code does."""

import re
from pathlib import Path

import pytest
import torch

from devnetlib.methods import CONTROLS, METHODS
from devnetlib.study.execution import built_options
from devnetlib.study.planning import resolved_training
from devnetlib.study.runs import PROFILES

PAGES = Path(__file__).parents[1] / "book" / "methods"
SCHEDULES = {"devnet": "devnet", "deepsad": "deepsad", "deepsvdd": "deepsvdd", "kdad": "kdad"}


def section(page: str, title: str) -> str:
    return (PAGES / f"{page}.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row of a text."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def said(value: object) -> str:
    """A setting as a page writes it."""
    if value in (0, 0.0, ()):
        return "–"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("page", "method"), SCHEDULES.items())
def test_the_schedule_on_a_page_is_the_one_that_a_run_is_planned_with(page, method):
    (_, *profiles), *lines = rows(section(page, "Schedule"))
    assert profiles == ["quick", "laptop", "released"]
    known = {line[0]: line[1:] for line in lines}
    for number, profile in enumerate(profiles):
        training = resolved_training(method, profile)
        options = METHODS[method].options() | built_options(method, profile, {})
        for name, values in known.items():
            value = options[name] if name == "pretraining" else getattr(training, name)
            assert float_or_text(values[number]) == float_or_text(said(value)), (page, profile, name)
    assert {"trains", "pixels", "updates", "batch", "learning_rate", "decay_at", "clip", "rotation"} <= set(known)


def float_or_text(text: str) -> float | str:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("page", "method", "profile", "options"),
    [
        ("devnet", "devnet", "quick", {}),
        ("devnet", "devnet", "released", {}),
        ("devnet", "rep", "quick", {}),
        ("minns", "minns", "quick", {}),
        ("minns", "minns", "released", {}),
        ("deepsad", "deepsad", "quick", {}),
        ("deepsad", "deepsad", "released", {}),
        ("kdad", "kdad", "quick", {"teacher": "resnet18"}),
        ("kdad", "kdad", "released", {}),
    ],
)
def test_the_parameters_on_a_page_are_those_of_the_network(page, method, profile, options):
    detector = METHODS[method](torch.Generator(), **built_options(method, profile, options))
    backbone = parameters(detector.backbone)
    text = section(page, "Network")
    assert f"{backbone:,}" in text and f"{parameters(detector) - backbone:,}" in text


def test_the_layers_of_deep_svdds_encoder_have_the_parameters_on_its_page():
    detector = METHODS["deepsvdd"](torch.Generator())
    counts = [f"{p.numel():,}" for p in detector.parameters()]
    assert [line[-1] for line in rows(section("deepsvdd", "Network"))[1:] if line[-1] != "–"] == counts


def test_every_key_has_its_place_in_the_list_of_methods():
    listed = re.findall(r"`([a-z_0-9]+)`", " ".join(line[0] for line in re_rows()))
    assert sorted(listed) == sorted([*METHODS, *CONTROLS])


def re_rows() -> list[list[str]]:
    """Rows of the list with their backticks."""
    lines = (PAGES / "index.md").read_text().splitlines()
    return [line.strip("|").split("|") for line in lines if line.startswith("| `")]


def test_the_commands_on_the_pages_can_be_planned():
    import shlex

    from devnetlib.__main__ import options_of, parser
    from devnetlib.study.planning import plan

    for page in sorted(PAGES.glob("*.md")):
        for line in re.findall(r"^python -m devnetlib run .*$", page.read_text(), re.MULTILINE):
            args = parser().parse_args(shlex.split(line)[3:])
            runs = plan(args.dataset, args.method, args.profile, "random", options=options_of(args.option))
            assert runs and args.profile in PROFILES
