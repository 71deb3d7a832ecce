"""Cards (what a data set is) and image tables (one row a sample), read from `data_manifests/`."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.errors import Misuse, unknown

MANIFESTS = Path(__file__).parents[2] / "data_manifests"
COLUMNS = ["id", "file", "x", "y", "width", "height", "split", "label", "defect", "mask", "group", "sha256"]


@dataclass(frozen=True)
class Card:
    """What a data set is; `facts` holds the whole card as `data_manifests/card.schema.json` describes it."""

    name: str
    facts: dict[str, Any]

    @property
    def readings(self) -> dict[str, str]:
        """Names of the ways to read the release, the default first, each in a sentence."""
        return self.facts["readings"]

    def reading(self, name: str | None) -> str:
        """The reading asked for, or the default for None; Misuse for one that the card does not know."""
        if name is None:
            return next(iter(self.readings))
        if name not in self.readings:
            raise unknown(f"reading of {self.name}", name, self.readings)
        return name


def datasets() -> list[str]:
    """Names of all data sets that have a card."""
    return sorted(path.stem for path in MANIFESTS.glob("*.yml"))


@cache
def load_card(name: str) -> Card:
    """Read and validate the card of a data set, of a subset `FAMILY/SUBSET` with its own counts; Misuse for an unknown
    name or a card that breaks the schema."""
    import jsonschema
    import yaml

    of, _, subset = name.partition("/")
    if of not in datasets():
        raise unknown("data set", name, datasets())
    facts = yaml.safe_load((MANIFESTS / f"{of}.yml").read_text())
    try:
        jsonschema.validate(facts, json.loads((MANIFESTS / "card.schema.json").read_text()))
    except jsonschema.ValidationError as error:
        where = "/".join(map(str, error.absolute_path)) or "top level"
        raise Misuse(f"card {name}.yml, {where}: {error.message}; data_manifests/README.md shows the form") from None
    if subset and subset not in facts.get("subsets", {}):
        raise unknown(f"subset of {of}", subset, facts.get("subsets", {}))
    return Card(name, facts | facts["subsets"][subset] if subset else facts)


def family(dataset: str) -> str:
    """The name under which the card and the layout of a data set stand: `mvtec` for `mvtec/carpet`."""
    return dataset.partition("/")[0]


def in_reading(dataset: str) -> tuple[str, str]:
    """`NAME` or `NAME:READING` as the name and the reading, the card's default where none is given; Misuse for an
    unknown one."""
    name, _, reading = dataset.partition(":")
    return name, load_card(name).reading(reading or None)


def read_table(path: Path) -> pd.DataFrame:
    """Read an image table, all cells as text; Misuse unless it has exactly the columns of `COLUMNS` and unique ids."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS or table["id"].duplicated().any():
        raise Misuse(
            f"{path.name}: expected unique ids and the columns {', '.join(COLUMNS)}; prepare the data set again"
        )
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write an image table sorted by id: the same bytes on every machine."""
    table.sort_values("id")[COLUMNS].to_csv(path, index=False, lineterminator="\n")


def read_as(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that take part in the study: those with a label. Sorted by id, labels as int."""
    used = table[table["label"] != ""].sort_values("id", ignore_index=True)
    return used.assign(label=used["label"].astype(int))


def table_digest(table: pd.DataFrame) -> str:
    """16 hex digits that name the content of an image table."""
    return hashlib.sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()[:16]
