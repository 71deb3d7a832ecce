"""Tables on a page: `{result-table} DATASET QUESTION`, `{sets-table} QUESTION`, `{methods-table} DATASET`,
`{claims-table} [QUESTION]` and `{census-table} leaks|effect`.

The package renders a table as HTML; here it is put on the page, in a wrapper of its own that scrolls where the table is
wider than the screen.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def in_wrapper(table: str, label: str) -> nodes.raw:
    """The table in a region that scrolls sideways, by keyboard too, and that screen readers announce by `label`."""
    from devnetlib.report.html import scrolling

    return nodes.raw("", scrolling(table, label), format="html")


class ResultTable(SphinxDirective):
    """Printed, published and yours side by side: `{result-table} elpv q1`."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.html import result_table_html

        dataset, question = self.arguments
        return [in_wrapper(result_table_html(dataset, question), f"Results of {question} on {dataset}")]


class SetsTable(SphinxDirective):
    """The main rows of a question on every published data set: `{sets-table} q1`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.html import sets_table_html

        (question,) = self.arguments
        return [in_wrapper(sets_table_html(question), f"{question} on every published data set")]


class MethodsTable(SphinxDirective):
    """Every method and control with what a run of it costs: `{methods-table} elpv`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.html import methods_table_html

        (dataset,) = self.arguments
        return [in_wrapper(methods_table_html(dataset), f"All methods on {dataset}")]


class ClaimsTable(SphinxDirective):
    """The paper's claims with our verdicts, of all questions or of one: `{claims-table} q1`."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.html import claims_table_html

        question = self.arguments[0] if self.arguments else None
        return [in_wrapper(claims_table_html(question), f"Claims and verdicts {question or ''}".strip())]


class CensusTable(SphinxDirective):
    """The leak census, or what the copies do to AUROC: `{census-table} leaks`, `{census-table} effect`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from devnetlib.evidence.census_page import effect_table_html, leaks_table_html

        tables = {
            "leaks": (leaks_table_html, "Copies within each data set and across its splits"),
            "effect": (effect_table_html, "AUROC with and without copies"),
        }
        (which,) = self.arguments
        if which not in tables:
            raise self.error(f"{which!r} is no table of the census; known are {sorted(tables)}")
        table, label = tables[which]
        return [in_wrapper(table(), label)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("result-table", ResultTable)
    app.add_directive("sets-table", SetsTable)
    app.add_directive("methods-table", MethodsTable)
    app.add_directive("claims-table", ClaimsTable)
    app.add_directive("census-table", CensusTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
