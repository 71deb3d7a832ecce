"""Numbers in sentences: `{{ name }}` on a page, or in the alternative text of a notebook's figure, becomes the string
that the package computed under this name.

A name that is not computed fails the build, since warnings are errors.
"""

import re

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

NAME = re.compile(r"\{\{ *(\w+) *\}\}")
ALTERNATIVE = re.compile(r'"alt": "(?:[^"\\]|\\.)*"')
logger = logging.getLogger(__name__)


def fill(app: Sphinx, config: Config) -> None:
    """Hand the computed numbers to MyST as its substitutions."""
    from devnetlib.evidence.census_page import numbers as census_numbers
    from devnetlib.evidence.imitation_page import numbers as trunk_numbers
    from devnetlib.report.numbers import numbers

    config.myst_substitutions = {**config.myst_substitutions, **numbers(), **census_numbers(), **trunk_numbers()}


def fill_alternatives(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the numbers into the alternative texts of a notebook, which MyST reads from its cells as they are."""
    if app.env.doc2path(page).endswith(".ipynb"):
        source[0] = ALTERNATIVE.sub(
            lambda found: with_numbers(found[0], app.config.myst_substitutions, page), source[0]
        )


def with_numbers(text: str, known: dict[str, str], page: str) -> str:
    """The text with every name in it replaced, and a warning for one that is not computed."""
    for name in {*NAME.findall(text)} - known.keys():
        logger.warning("%s: no number {{ %s }} is computed", page, name)
    return NAME.sub(lambda found: known.get(found[1], found[0]), text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", fill, priority=100)  # before MyST reads its configuration
    app.connect("source-read", fill_alternatives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
