"""`{data-card} NAME`: what the card of a data set says, as a passage of the page."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class DataCard(SphinxDirective):
    """The passage comes as Markdown from the package and is parsed where it stands."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.cards import card_markdown

        passage = nodes.container(classes=["data-card"])
        lines = card_markdown(self.arguments[0]).splitlines()
        self.state.nested_parse(StringList(lines, self.get_location()), 0, passage)
        return passage.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("data-card", DataCard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
