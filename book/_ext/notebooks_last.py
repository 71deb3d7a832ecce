"""Reads the notebooks after all other pages, each once its executed copy is there: the others do not wait for them."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for the builder, too, takes its name from here, and needs no Sphinx
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

FOLDER = "notebooks/"
BUILDER = "DEVNET_BUILDER"  # number of the process, our parent, that executes notebooks meanwhile; unset: none does


def put_last(app: "Sphinx", env: "BuildEnvironment", docnames: list[str]) -> None:
    """Order the pages that are to be read."""
    docnames.sort(key=lambda docname: docname.startswith(FOLDER))


def wait(app: "Sphinx", env: "BuildEnvironment", docname: str) -> None:
    """Before a page is read: if it is a notebook, wait for the key beside its copy, which is written last.

    Raises ProcessLookupError where the builder is gone.
    """
    key = Path(env.doc2path(docname)).with_suffix(".key")
    while docname.startswith(FOLDER) and (builder := os.environ.get(BUILDER)) and not key.exists():
        if os.getppid() != int(builder):
            raise ProcessLookupError(f"{docname}: what was to execute it is gone")
        time.sleep(0.1)


def setup(app: "Sphinx") -> dict[str, Any]:
    app.connect("env-before-read-docs", put_last)
    app.connect("env-purge-doc", wait)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
