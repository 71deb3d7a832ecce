"""The embedded trunk on a page: `{imitation-table}`, how near it comes to what it imitates; `{imitation-scores}`, what
that does to the AUROC; `{imitation-savings}`, what it saves of time; `{imitation-maps}`, maps of both side by side,
where torch and ImageNet weights are at hand while the book is built, else a line that says so."""

from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from report_tables import in_wrapper
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure
from sphinx.util.docutils import SphinxDirective

FILE = "_build/figures/imitation.png"  # below the book's source, where git looks at nothing
CAPTION = (
    "Painted images that were held out, and the two channels of the map after stage 3 that vary most on each, by the "
    "ImageNet network and by the embedded trunk, on one scale. Right: how far the maps lie apart, over all channels; "
    "white is one standard deviation of the first channel."
)


class ImitationTable(SphinxDirective):
    """The errors on the trunk's card."""

    def run(self) -> list[nodes.Node]:
        from devnetlib.evidence.imitation_page import errors_table_html

        return [in_wrapper(errors_table_html(), "Errors of the embedded trunk on held-out images")]


class ImitationScores(SphinxDirective):
    """Published scores with it and with ImageNet weights."""

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.imitations import scores_table_html

        return [in_wrapper(scores_table_html(), "AUROC with the embedded trunk and with ImageNet weights")]


class ImitationSavings(SphinxDirective):
    """Seconds of the maps with it and with ResNet-18."""

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.imitations import savings_table_html

        return [in_wrapper(savings_table_html(), "Seconds to compute maps with the embedded trunk and with ResNet-18")]


class ImitationMaps(Figure):
    """A figure whose picture and alternative text come from the package."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        shown = drawn(Path(self.state.document.settings.env.srcdir, FILE))
        if shown is None:
            command = nodes.literal("", "make weights")
            line = nodes.Text(
                "Maps of both stand here when torch and ImageNet weights are at hand as the book is built: "
            )
            return [nodes.paragraph("", "", line, command)]
        self.options["alt"], self.arguments = shown, [f"/{FILE}"]
        self.content = StringList([CAPTION], FILE)
        return super().run()


def drawn(target: Path) -> str | None:
    """The alternative text of the picture, or None where it cannot be drawn."""
    if find_spec("torch") is None:  # an import would not tell: the API pages leave modules behind that imitate torch
        return None
    from devnetlib.evidence.imitation import maps_figure

    target.parent.mkdir(parents=True, exist_ok=True)
    return maps_figure(target)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("imitation-table", ImitationTable)
    app.add_directive("imitation-scores", ImitationScores)
    app.add_directive("imitation-savings", ImitationSavings)
    app.add_directive("imitation-maps", ImitationMaps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
