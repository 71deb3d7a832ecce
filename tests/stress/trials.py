"""Trials by the thousand: an input whose right answer is known, spoilt at random. The answer is that one, or a refusal
in one line that names the file; everything else is wrong.

`TRIALS` in the environment multiplies their number, `SEED` draws others, and `TRIAL` repeats the one of that number.
"""

import os
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from devnetlib.errors import Incomplete, Misuse, Unwritable
from devnetlib.study.results import DamagedScores

Found = TypeVar("Found")
REFUSALS = (Misuse, Incomplete, Unwritable, DamagedScores)
RIGHT, REFUSED = "right", "refused"
TIMES, SEED = float(os.environ.get("TRIALS", "1")), int(os.environ.get("SEED", "0"))
AT_ONCE = 250  # trials of one test
TOLD = 12  # wrong ones that a failed test shows


class Wrong(AssertionError):
    """Neither the right answer nor a refusal."""


def numbered(sample: int, total: int) -> pytest.MarkDecorator:
    """The numbers of a kind's trials, in tests of some hundred each: a `sample` among the fast tests, and `total` where
    they are asked for."""
    last = sample + round(total * TIMES)
    parts = [range(start, end) for start, end in pairwise([*range(sample, last, AT_ONCE), last])]
    if "TRIAL" in os.environ:
        parts = [range(int(os.environ["TRIAL"]), int(os.environ["TRIAL"]) + 1)]
    marks = pytest.mark.slow, pytest.mark.stress
    rest = [pytest.param(part, marks=marks, id=f"{part[0]}-{part[-1]}") for part in parts]
    return pytest.mark.parametrize("numbers", [pytest.param(range(sample), id="sample"), *rest])


def held(
    kind: str,
    trial: Callable[[np.random.Generator, Path], str],
    numbers: Iterable[int],
    folder: Path,
    record: Callable[[str, Any], None],
) -> None:
    """Fail unless every trial of these numbers comes out right or refused; what they came to is recorded. Each has a
    folder of its own, which stays where it is wrong."""
    tally: Counter[str] = Counter()
    wrong = []
    for number in numbers:
        rng = np.random.default_rng([SEED, zlib.crc32(kind.encode()), number])
        own = folder / str(number)
        own.mkdir()
        try:
            tally[trial(rng, own)] += 1
            shutil.rmtree(own)
        except Exception as error:
            wrong.append(f"{kind}, TRIAL={number} SEED={SEED}: {type(error).__name__}: {error}")
    record("trials", [kind, tally[RIGHT], tally[REFUSED], len(wrong)])
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} wrong", *wrong[:TOLD]]), pytrace=False)


def asked(ask: Callable[[], Found], names: Iterable[str] = ("",), may_refuse: bool = True) -> Found | None:
    """What the product answers; None where it refuses what it may refuse, in one line with one of the names in it."""
    try:
        return ask()
    except REFUSALS as error:
        said = str(error)
        if not may_refuse:
            raise Wrong(f"refused, though it can be read: {said}") from None
        if len(said.splitlines()) != 1 or not any(name in said for name in names):
            raise Wrong(f"refused, but not in one line that names the file: {said!r}") from None
        return None


def summary(reports: Iterable[Any]) -> list[str]:
    """A line a kind of trials, and one of all, from the reports of tests; nothing where no trial was made."""
    kinds: dict[str, np.ndarray] = {}
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "trials" and report.when == "call":
                kinds[value[0]] = kinds.get(value[0], np.zeros(3, int)) + np.array(value[1:])
    lines = [
        f"{kind:13}{found.sum():6} trials: {found[0]} right, {found[1]} refused by name, {found[2]} wrong"
        for kind, found in sorted(kinds.items())
    ]
    every = sum(kinds.values(), np.zeros(3, int))
    return [*lines, f"{every.sum()} trials, {every[2]} wrong"] if kinds else []
