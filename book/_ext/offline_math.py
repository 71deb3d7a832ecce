"""Mathematics without a network: the few files of MathJax that the pages load, copied beside them.

The installed package `sphinx-mathjax-offline` holds all of MathJax, 24 MB. The pages ask for one script and its fonts.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx

PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2")
FOLDER = "mathjax"  # below the site's _static


def installed_mathjax() -> Path:
    """The folder of the installed MathJax, or a FileNotFoundError that says what mends it."""
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("sphinx-mathjax-offline is not installed: run `make venv`")
    return Path(spec.origin).parent / "static" / "mathjax"


def copy_parts(target: Path) -> None:
    """Copy `PARTS` of the installed MathJax below `target`."""
    for part in PARTS:
        source, copy = installed_mathjax() / part, target / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, copy)


def ship(app: Sphinx) -> None:
    """Put the parts in place before pages are written, so that every page carries the script's checksum."""
    if app.builder.format == "html":
        copy_parts(Path(app.outdir) / "_static" / FOLDER)


def setup(app: Sphinx) -> dict[str, bool]:
    app.config.mathjax_path = f"{FOLDER}/{PARTS[0]}"
    # MathJax's own menu would load parts that are not shipped.
    app.config.mathjax3_config = {"options": {"enableMenu": False}}
    app.connect("builder-inited", ship)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
