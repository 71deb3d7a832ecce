"""From a raw release to a data set that can be read: find or make it, and verify every file."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.manifests import MANIFESTS, Card, datasets, load_card, read_as, read_table
from devnetlib.errors import Misuse


@dataclass(frozen=True)
class Prepared:
    """A data set at hand: its card, the reading, the image table of that reading, and the folder its files are
    relative to."""

    card: Card
    reading: str
    table: pd.DataFrame
    root: Path


def default_data_root() -> Path:
    """Where prepared data and caches live: DEVNET_DATA, else the platform's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("DEVNET_DATA") or user_cache_path("devnetlib"))


def cache_folder(data_root: Path) -> Path:
    """The folder of everything that can be made again: banks and maps."""
    return data_root / "cache"


def prepare(dataset: str, reading: str | None = None, data_root: Path | None = None) -> Prepared:
    """Locate a data set (making it where its layout can) and read its image table.

    Raises Misuse for an unknown data set or reading, and for files that are not there, saying how to get them.
    """
    card = load_card(dataset)
    reading = card.reading(reading)
    layout = LAYOUTS[dataset]
    root = layout.locate(data_root or default_data_root())
    committed = MANIFESTS / f"{dataset}.csv"
    table = read_table(committed) if committed.exists() else layout.read(root)
    return Prepared(card, reading, read_as(table, reading), root)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Images of a reading as Table I counts them: normals divided 3:1, and anomalies."""
    normals, anomalies = (table["label"] == 0).sum(), (table["label"] == 1).sum()
    tested = -(-normals // 4)
    return {"train_normal": int(normals - tested), "test_normal": int(tested), "test_anomaly": int(anomalies)}


def overview(data_root: Path | None = None) -> list[dict[str, Any]]:
    """One entry a data set: whether its files are here, its counts by the card, its licence."""
    rows = []
    for name in datasets():
        card = load_card(name)
        reading = card.reading(None)
        row = {
            "name": name,
            "reading": reading,
            "counts": card.facts["counts"][reading],
            "licence": card.facts["licence"]["name"],
        }
        try:
            row["counts"], row["present"] = counts(prepare(name, data_root=data_root).table), True
        except Misuse:
            row["present"] = False
        rows.append(row)
    return rows


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(prepared: Prepared) -> list[str]:
    """Hash every file of the table again; returns one line a file that is missing or differs (empty: all as
    recorded)."""
    faults = []
    rows = zip(prepared.table["file"], prepared.table["sha256"], strict=True)
    for file, expected in tqdm(rows, total=len(prepared.table), desc="verify", unit="file", disable=None):
        path = prepared.root / file
        if not path.is_file():
            faults.append(f"{file}: missing")
        elif (found := sha256(path)) != expected:
            faults.append(f"{file}: found sha256 {found[:12]}..., expected {expected[:12]}...")
    return faults
