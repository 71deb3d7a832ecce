"""`results.json` in the site: every number of its tables, for programs."""

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def as_json(document: dict[str, Any]) -> str:
    """Compact and sorted, so that equal results are equal bytes. ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


def write(app: Sphinx, failure: Exception | None) -> None:
    from devnetlib.report.tables import results_document

    if failure is None and app.builder.format == "html":
        Path(app.outdir, "results.json").write_text(as_json(results_document()), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
