"""Mistakes of the caller, told in one line: what was found, what was expected, how to mend it."""

import errno
import re
import sys
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from difflib import get_close_matches

GO_ON = "finished runs are stored, the same command goes on with the rest"
# What the system answers where a place cannot be used at all; anything else, such as a full disk, may pass.
UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


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
    told = Unwritable(f"{path}: not written ({error.strerror or error}); {mend}")
    told.errno = error.errno
    return told


def told_to_user(error: BaseException) -> str | None:
    """What is wrong with the command, the files or the machine; None for a fault of the program."""
    if isinstance(error, ModuleNotFoundError):
        return missing_library(error)
    if isinstance(error, MemoryError):
        return (
            f"the memory does not suffice{f' ({error})' if str(error) else ''}: use fewer --workers, a smaller --batch"
        )
    if isinstance(error, UnicodeEncodeError):
        return f"the output takes {error.encoding} and cannot hold what is to be said: set PYTHONIOENCODING=utf-8"
    if not isinstance(error, (Misuse, Incomplete, OSError, BrokenExecutor, UnicodeDecodeError)):
        return None
    if isinstance(error, OSError) and error.filename is not None:
        mend = "data and caches go to --data-root or DEVNET_DATA, scores to --results"
        return f"{error.filename}: {error.strerror or error}; {mend}"
    return str(error)


def missing_library(error: ModuleNotFoundError) -> str | None:
    """How to get the environment that has a library which this Python lacks; None for a module that is no library."""
    library = (error.name or "").partition(".")[0]
    if library in ("", "devnetlib", *sys.stdlib_module_names):
        return None
    return f"{sys.executable} lacks {library}: run 'make venv' once, then .venv/bin/python in the place of this Python"


def status_of(error: BaseException) -> int:
    """The exit status of a command that an error ends: 2 where another command is needed, 1 where this one failed."""
    unusable = isinstance(error, OSError) and error.errno in UNUSABLE
    return 2 if unusable or isinstance(error, (Misuse, ModuleNotFoundError)) else 1
