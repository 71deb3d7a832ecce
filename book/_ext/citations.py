"""The list of citations as a plain block: the role that Sphinx gives it, list, wants items that it does not have."""

from typing import Any

from sphinx.application import Sphinx


def without_role(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Take the role away from the page's body."""
    if body := context.get("body"):
        context["body"] = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", without_role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
