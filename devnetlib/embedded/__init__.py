"""The embedded trunk: a narrow ResNet-18 that imitates the one with ImageNet weights, for machines that have none.

`trunk.safetensors` holds its tensors, `card.json` what it imitates, on which images, how well, and what it must not be
taken for; `python -m devnetlib distil` makes both.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from devnetlib.errors import Incomplete

FOLDER = Path(__file__).parent
TRUNK, CARD = "trunk.safetensors", "card.json"
TITLE = "embedded trunk"
MEND = "restore it with git, or make it again with 'python -m devnetlib distil'"


@cache
def card(folder: Path = FOLDER) -> dict[str, Any]:
    """What the card says; Incomplete where it is missing or no JSON."""
    try:
        return json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Incomplete(f"{folder / CARD}: no card of the embedded trunk ({error}); {MEND}") from None


def trunk_bytes(folder: Path = FOLDER) -> bytes:
    """The file of tensors; Incomplete unless its SHA-256 is the one on the card."""
    path, expected = folder / TRUNK, card(folder)["file"]["sha256"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Incomplete(f"{path}: not readable ({error.strerror}); {MEND}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise Incomplete(f"{path}: damaged, found sha256 {found[:12]}..., the card has {expected[:12]}...; {MEND}")
    return content


def names() -> dict[str, str]:
    """How runs name the trunk's tensors, by the last stage that is used."""
    return card()["weights"]


def seen_images() -> dict[str, list[str]]:
    """Ids of the images of data sets that the trunk has learned from, those held out included, by data set."""
    return card()["images"]["ids"]
