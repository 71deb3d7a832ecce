"""Mistakes of the caller, told in one line: what was found, what was expected, how to mend it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class Misuse(ValueError):
    """A request that cannot be met as it stands; the command line prints it and exits with 2."""


def unknown(kind: str, found: object, valid: Iterable[str]) -> Misuse:
    """The error for a name outside `valid`: lists the valid ones and suggests the nearest."""
    valid = sorted(valid)
    near = get_close_matches(str(found), valid, n=1)
    suggestion = f" (did you mean {near[0]!r}?)" if near else ""
    return Misuse(f"unknown {kind} {found!r}{suggestion}: valid are {', '.join(valid)}")


def in_a_line(text: str) -> str:
    """A message as a terminal can print it on one line: what else a file's name may hold is written as Python does."""
    whole = text.encode(errors="backslashreplace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda found: ascii(found[0])[1:-1], whole)


class Incomplete(ValueError):
    """Files that are not what they should be: a release that lacks some, an archive that is damaged or hostile. One
    line that names them."""


class Unwritable(OSError):
    """A file that could not be written, such as on a full disk; nothing of it is left behind."""


def unwritable(path: object, error: OSError, mend: str) -> Unwritable:
    """The error for a file that could not be written: its path, the system's reason, and what to do."""
    return Unwritable(f"{path}: not written ({error.strerror or error}); {mend}")
