"""What a word of the command line may be: numbers by the digits 0-9, names, places. Anything else is one line that says
what was found and what was expected."""

import argparse
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

LARGEST = 2**32 - 1  # what NumPy takes as a seed
MOST_NUMBERS = 10_000  # that one range may stand for
MOST_AT_ONCE = 4096  # threads, processes, images of a batch: more than any machine holds is a slip of the finger


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; the usage is a command away."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with 2."""
        self.exit(2, f"error: {message} ({self.prog} --help shows what there is)\n")


def whole(text: str, least: int = 0, most: int = LARGEST) -> int:
    """A whole number in a range. `int` alone would take digits of all scripts, underscores and signs."""
    digits = text.strip()
    if not re.fullmatch("[0-9]{1,20}", digits) or not least <= int(digits) <= most:
        raise ArgumentTypeError(f"found {text!r}, expected a whole number from {least} to {most}")
    return int(digits)


def positive(text: str) -> int:
    """So many of something, at least one."""
    return whole(text, 1, MOST_AT_ONCE)


def numbers(text: str) -> list[int]:
    """'3', '0-4' or '0,2,5-7' as a list of numbers, each once."""
    try:
        ranges = [[whole(end) for end in part.split("-")] for part in text.split(",")]
    except ArgumentTypeError:
        ranges = [[]]
    if not all(len(ends) in (1, 2) and ends[0] <= ends[-1] for ends in ranges):
        expected = f"a number or a range such as 0-4, the lower end first, of 0 to {LARGEST}"
        raise ArgumentTypeError(f"found {text!r}, expected {expected}")
    if (count := sum(ends[-1] - ends[0] + 1 for ends in ranges)) > MOST_NUMBERS:
        raise ArgumentTypeError(f"found {text!r}, {count} numbers, expected at most {MOST_NUMBERS}")
    return list(dict.fromkeys(number for ends in ranges for number in range(ends[0], ends[-1] + 1)))


def share(text: str) -> float:
    """A number from 0 to 1, such as 0.05."""
    if not re.fullmatch(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?", text.strip()) or not float(text) <= 1:
        raise ArgumentTypeError(f"found {text!r}, expected a share from 0 to 1 such as 0.05")
    return float(text)


def names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def given(text: str) -> str:
    """A word that says something: an empty one is a variable that was not set."""
    if not text.strip():
        raise ArgumentTypeError("found nothing, expected a word; leave the option out for its default")
    return text


def place(text: str) -> Path:
    """A path, whether or not there is anything yet."""
    return Path(given(text))


def folder(text: str) -> Path:
    """A folder, or what may become one."""
    return checked(text, os.path.isdir, "a folder")


def file(text: str) -> Path:
    """A file, or what may become one."""
    return checked(text, os.path.isfile, "a file")


def checked(text: str, fits: Callable[[Path], bool], expected: str) -> Path:
    """The path, once what stands there already, or in its way, fits."""
    path = place(text)
    stands = standing(path)
    if stands != path and not os.path.isdir(stands):
        raise ArgumentTypeError(f"found {text!r}, but {stands} is no folder")
    if stands == path and not fits(path):
        raise ArgumentTypeError(f"found {text!r}, expected {expected}")
    return path


def standing(path: Path) -> Path:
    """The path, or the nearest of its parents that is there."""
    return next(filter(os.path.lexists, (path, *path.parents)), Path())
