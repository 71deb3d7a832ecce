"""Numbers in sentences: `{{ name }}` on a page becomes the string that the package computed under this name.

A name that is not computed fails the build, since warnings are errors.
"""

from sphinx.application import Sphinx
from sphinx.config import Config


def fill(app: Sphinx, config: Config) -> None:
    """Hand the computed numbers to MyST as its substitutions."""
    from devnetlib.evidence.census_page import numbers as census_numbers
    from devnetlib.evidence.imitation_page import numbers as trunk_numbers
    from devnetlib.report.numbers import numbers

    config.myst_substitutions = {**config.myst_substitutions, **numbers(), **census_numbers(), **trunk_numbers()}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", fill, priority=100)  # before MyST reads its configuration
    return {"parallel_read_safe": True, "parallel_write_safe": True}
