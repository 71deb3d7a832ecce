"""Figures drawn while the book is built: `{report-figure} NAME`, the caption as its content.

The package draws the picture and says in words what it shows, which becomes the alternative text.
"""

from pathlib import Path

from docutils import nodes
from matplotlib import rc_context
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure

FOLDER = "_build/figures"  # below the book's source, where git looks at nothing


class ReportFigure(Figure):
    """A figure of `devnetlib.report.figures.FIGURES`; takes the options of `{figure}`.

    `NAME` is drawn as SVG, `NAME.png` as PNG. An unknown name is an error that lists the known ones.
    """

    def run(self) -> list[nodes.Node]:
        from devnetlib.report.figures import FIGURES

        wanted = Path(self.arguments[0])
        if wanted.stem not in FIGURES:
            raise self.error(
                f"figure {wanted.stem!r} is not drawn by devnetlib.report.figures: known are {sorted(FIGURES)}"
            )
        file = f"{FOLDER}/{wanted.stem}{wanted.suffix or '.svg'}"
        target = Path(self.state.document.settings.env.srcdir, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        with rc_context({"svg.hashsalt": wanted.stem}):  # the same picture gives the same bytes
            self.options["alt"] = FIGURES[wanted.stem](target)
        self.arguments = [f"/{file}"]
        return super().run()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("report-figure", ReportFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
