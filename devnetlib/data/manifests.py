"""Cards (what a data set is) and image tables (one row a sample), read from `data_manifests/`."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.errors import Incomplete, Misuse, unknown

MANIFESTS = Path(__file__).parents[2] / "data_manifests"
OWN = "my"  # the family of folders of your own; the card of one lies beside its files
OWN_CARD = "card.json"
OWN_READING = "all"  # the only one
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

    def division(self, reading: str) -> str:
        """How the normals of a reading are divided: `3:1` by the number of the split, or once and for all by the
        `release` or by the reading (`fixed`)."""
        stated = self.facts["division"]
        return stated if isinstance(stated, str) else stated[reading]


def datasets() -> list[str]:
    """Names of all data sets that have a card."""
    return sorted(path.stem for path in MANIFESTS.glob("*.yml"))


def default_data_root() -> Path:
    """Where prepared data and caches live: DEVNET_DATA, else the platform's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("DEVNET_DATA") or user_cache_path("devnetlib"))


def load_card(name: str, data_root: Path | None = None) -> Card:
    """Read and validate the card of a data set, of a subset `FAMILY/SUBSET` with its own counts, or of a folder of your
    own below the data root; Misuse for an unknown name or a card that breaks the schema."""
    return own_card(name, data_root or default_data_root()) if family(name) == OWN else committed_card(name)


def own_card(name: str, data_root: Path) -> Card:
    """The card of `my/<name>`, made when the folder was prepared; Misuse where it is not or the name has no form,
    Incomplete for a damaged card."""
    own_name(name)
    path = data_root / name / OWN_CARD
    if not path.is_file():
        raise Misuse(f"{name} is not prepared in {data_root}: python -m devnetlib data prepare {name} --from FOLDER")
    try:
        return Card(name, validated(json.loads(path.read_text(encoding="utf-8")), str(path)))
    except (ValueError, RecursionError):  # no text, no JSON, or not by the schema
        raise Incomplete(
            f"{path}: damaged; move {path.parent} elsewhere, then python -m devnetlib data prepare {name} --from FOLDER"
        ) from None


def own_name(name: str) -> None:
    """Misuse for a name that is not `my/` and a word."""
    if not re.fullmatch(rf"{OWN}/[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise Misuse(f"data set {name!r}: expected {OWN}/ and letters, digits, - or _, such as {OWN}/tiles")


@cache
def committed_card(name: str) -> Card:
    """The card of a data set or subset, from `data_manifests/`."""
    import yaml

    of, _, subset = name.partition("/")
    if of not in datasets():
        raise unknown("data set", name, [*datasets(), f"{OWN}/<name>"])
    facts = validated(yaml.safe_load((MANIFESTS / f"{of}.yml").read_text()), f"{name}.yml")
    if subset and subset not in facts.get("subsets", {}):
        raise unknown(f"subset of {of}", subset, facts.get("subsets", {}))
    return Card(name, facts | facts["subsets"][subset] if subset else facts)


def validated(facts: Any, where: str) -> dict[str, Any]:
    """A card's facts as they are; Misuse that names the place where they break the schema."""
    from fastjsonschema import JsonSchemaValueException  # jsonschema takes two seconds to import

    try:
        rules_of(MANIFESTS / "card.schema.json")(facts)
    except JsonSchemaValueException as error:
        place, told = "/".join(error.path[1:]) or "top level", error.message.removeprefix(f"{error.name} ")
        raise Misuse(
            f"card {where}, {place}: found {shortened(error.value)}, {told}; data_manifests/README.md shows the form"
        ) from None
    return facts


@cache
def rules_of(schema: Path) -> Callable[[Any], Any]:
    """A function that takes what a schema allows and refuses all else."""
    import fastjsonschema

    return fastjsonschema.compile(json.loads(schema.read_text()), use_default=False)


def shortened(value: Any) -> str:
    """What was found, in a few words."""
    return text if len(text := repr(value)) <= 40 else f"{text[:37]}..."


def family(dataset: str) -> str:
    """The name under which the card and the layout of a data set stand: `mvtec` for `mvtec/carpet`."""
    return dataset.partition("/")[0]


def in_reading(dataset: str) -> tuple[str, str]:
    """`NAME` or `NAME:READING` as the name and the reading, the card's default where none is given; Misuse for an
    unknown one. A folder of your own has one reading and need not be at hand: its results can be read anywhere."""
    name, _, reading = dataset.partition(":")
    if family(name) == OWN:
        own_name(name)
        if reading not in ("", OWN_READING):
            raise unknown(f"reading of {name}", reading, [OWN_READING])
        return name, OWN_READING
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


def masks_in(cell: str) -> list[str]:
    """The files that a cell of the column `mask` names."""
    return [file for file in cell.split("|") if file]


def files_in(table: pd.DataFrame) -> set[str]:
    """Every file that an image table names, masks too."""
    return {*table["file"], *(mask for cell in table["mask"] for mask in masks_in(cell))}
