"""The card of a data set as a passage of a page, in MyST Markdown."""

import re
from collections.abc import Iterator
from typing import Any

from devnetlib.data.manifests import load_card
from devnetlib.report.paper import printed

COUNTS = {"train_normal": "training normals", "test_normal": "test normals", "test_anomaly": "anomalies"}


def card_markdown(name: str) -> str:
    """Task, counts beside the paper's, source, licence, traps and limits of a data set."""
    return "\n\n".join(passages(load_card(name).facts))


def passages(card: dict[str, Any]) -> Iterator[str]:
    """The card's parts, each a paragraph, table or list."""
    cited = f" {{cite}}`{','.join(card['citation'])}`" if card["citation"] else ""
    yield card["task"] + cited
    yield counts_table(card)
    yield bullets("Readings", [f"`{reading}`: {words}" for reading, words in card["readings"].items()])
    layout = re.sub(r"([*<])", r"\\\1", card["layout"].rstrip("."))  # else <class> is a tag and * begins italics
    yield bullets("Where it comes from", [*map(as_code, card["obtain"]), f"Layout: {layout}."])
    yield f"**Licence.** {card['licence']['name']} ({card['licence']['source']})."
    yield bullets("What to look out for", card["traps"])
    yield f"**Use.** {card['use']} **Limits.** {card['limits']}"


def as_code(line: str) -> str:
    """A command set as code, with what stands behind it in brackets left as prose; any other line as it is."""
    command, bracket, remark = line.partition(" (")
    return f"`{command}`{bracket}{remark}" if line.startswith("python -m ") else line


def counts_table(card: dict[str, Any]) -> str:
    """Images by reading, and as Table I prints them."""
    rows = {f"`{reading}`": counts for reading, counts in card["counts"].items()}
    if card["table1"]:
        rows["printed in Table I"] = printed_counts(**card["table1"])
    lines = ["| | " + " | ".join(COUNTS.values()) + " |", "|---|" + "---|" * len(COUNTS)]
    lines += [
        f"| {title} | " + " | ".join(f"{counts[key]:,}" for key in COUNTS) + " |" for title, counts in rows.items()
    ]
    return "\n".join(lines)


def printed_counts(dataset: str, subset: str) -> dict[str, int]:
    """The row of Table I."""
    table = printed(1)
    (row,) = table[(table["dataset"] == dataset) & (table["subset"] == subset)].to_dict("records")
    return {key: int(row[key]) for key in COUNTS}


def bullets(title: str, items: list[str]) -> str:
    """A list under a title in bold."""
    return "\n".join([f"**{title}**", "", *(f"- {item}" for item in items)])
