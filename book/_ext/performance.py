"""`{performance-table} NAME`: a table of `devnetlib.report.costs_html.TABLES`."""

from docutils import nodes
from report_tables import in_wrapper
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class PerformanceTable(SphinxDirective):
    """An unknown name is an error that lists the known ones."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.costs_html import TABLES

        name = self.arguments[0]
        if name not in TABLES:
            raise self.error(f"performance-table {name!r}: known are {sorted(TABLES)}")
        return [in_wrapper(TABLES[name](), f"Performance: {name}")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("performance-table", PerformanceTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
