"""The digest of the published scores, kept in a file beside them: what a check of them is held against."""

from pathlib import Path

from devnetlib.study.results import scores_digest
from devnetlib.writing import atomic_write

FILE = "DIGEST"


def renew(root: Path) -> str:
    """Write the digest of the scores under a results folder beside them, and return it."""
    digest = scores_digest(root)
    atomic_write(root / FILE, lambda file: file.write_text(f"{digest}\n"))
    return digest


def as_published(root: Path, digest: str) -> bool | None:
    """Whether the scores under a results folder still have the digest kept beside them; None where none is kept."""
    return (root / FILE).read_text(errors="replace").strip() == digest if (root / FILE).is_file() else None


def verdict(root: Path, digest: str) -> str:
    """One line for a reader: the digest, and what it is held against."""
    told = {
        True: f"as published ({FILE} beside them)",
        False: f"it differs from {FILE} beside them: scores were changed, added or removed; git status names them",
        None: "nothing is kept to hold it against",
    }
    return f"digest of all scores: {digest}, {told[as_published(root, digest)]}"
