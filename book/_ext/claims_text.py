"""`{claims-text} about` and `{claims-text} rules`: what `book/paper/claims.yml` says of itself and of its rules."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ABOUT = ("status", "unit", "runs", "lanes", "multiplicity", "limits")


def entries(part: str) -> dict[str, str]:
    """Terms and their text, of the file's head (`about`) or of its `rules`, each with the lane it is for."""
    from devnetlib.report import paper

    if part == "about":
        return {name: paper.about()[name] for name in ABOUT}
    return {f"{rule.name} ({rule.lane})" if rule.lane else rule.name: rule.words for rule in paper.rules().values()}


class ClaimsText(SphinxDirective):
    """A definition list; the text's backticks become code, its `+-` a plus-minus sign."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] not in ("about", "rules"):
            raise self.error(f"claims-text {self.arguments[0]!r}: expected about or rules")
        return [nodes.definition_list("", *[self.item(*entry) for entry in entries(self.arguments[0]).items()])]

    def item(self, term: str, text: str) -> nodes.definition_list_item:
        inline, messages = self.state.inline_text(text.replace("+-", "±"), self.lineno)
        definition = nodes.definition("", nodes.paragraph(text, "", *inline), *messages)
        return nodes.definition_list_item("", nodes.term(term, term), definition)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("claims-text", ClaimsText)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
