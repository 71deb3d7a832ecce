"""`{sample-images} NAME`: a contact sheet of a data set that is at hand while the book is built, else a line that says
so. The picture lies in the built book and nowhere else: the repository holds no image of a data set."""

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.directives.patches import Figure

FOLDER = "_build/figures"  # below the book's source, where git looks at nothing


class SampleImages(Figure):
    """A figure whose picture, caption with licence, and alternative text come from the package."""

    def run(self) -> list[nodes.Node]:
        from devnetlib.errors import Misuse
        from devnetlib.report.samples import caption, contact_sheet

        name = self.arguments[0]
        file = f"{FOLDER}/samples-{name}.png"
        target = Path(self.state.document.settings.env.srcdir, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shown = contact_sheet(name, target)
        except Misuse as refusal:
            raise self.error(str(refusal)) from None
        if shown is None:
            command = nodes.literal("", f"python -m devnetlib data prepare {name}")
            line = nodes.Text("Sample images stand here when the data set is at hand while the book is built: ")
            return [nodes.paragraph("", "", line, command)]
        self.options["alt"], self.arguments = shown, [f"/{file}"]
        self.content = StringList([caption(name)], name)
        return super().run()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("sample-images", SampleImages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
