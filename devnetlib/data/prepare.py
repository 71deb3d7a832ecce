"""Data sets at hand: read one, count it, list them all, and verify every file. `intake.py` brings them there.

<data root>/<name>/image_table.csv    one row a sample
<data root>/<name>/prepared.json      the hash of every file, and their folder where they were linked
<data root>/<name>/files/             the files, unless they were linked
<data root>/<name>/card.json          of a folder of your own
"""

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from devnetlib.cores import usable_cores
from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.layouts.files import sha256
from devnetlib.data.manifests import (
    MANIFESTS,
    OWN_CARD,
    Card,
    datasets,
    default_data_root,
    family,
    in_reading,
    load_card,
    masks_in,
    read_as,
    read_table,
    table_digest,
)
from devnetlib.errors import Incomplete, Misuse, Unwritable

TABLE, FACTS, FILES = "image_table.csv", "prepared.json", "files"


@dataclass(frozen=True)
class Prepared:
    """A data set at hand: its card, the reading, the image table of that reading, and the folder its files are
    relative to."""

    card: Card
    reading: str
    table: pd.DataFrame
    root: Path
    hashes: dict[str, str]  # of every file, masks included

    @cached_property
    def digest(self) -> str:
        """Of the image table, as `table_digest` gives it."""
        return table_digest(self.table)

    @cached_property
    def mask_digest(self) -> str | None:
        """16 hex digits that name the content of the masks, of which the image table holds only the names; None where
        they are not at hand."""
        masks = sorted(mask for cell in set(self.table["mask"]) for mask in masks_in(cell))
        if not self.hashes.keys() >= set(masks):
            return None
        return hashlib.sha256("".join(f"{mask} {self.hashes[mask]}\n" for mask in masks).encode()).hexdigest()[:16]


def cache_folder(data_root: Path) -> Path:
    """The folder of everything that can be made again: banks, maps and saliency maps."""
    return data_root / "cache"


def prepare(
    dataset: str, reading: str | None = None, data_root: Path | None = None, *, checked: bool = False
) -> Prepared:
    """A data set that is at hand (making it where its layout can), in a reading.

    Raises Misuse for an unknown data set or reading, and for files that are not there, saying how to get them;
    Incomplete for a table that is not as it was prepared, for a linked folder that is gone and, where it is `checked`,
    for the first file that is not as it was prepared: so asks whoever uses the images.
    """
    data_root = data_root or default_data_root()
    card = one_set(dataset, data_root)
    reading = card.reading(reading)
    table, root, hashes = at_hand(card, data_root, checked)
    return Prepared(card, reading, rows_of(dataset, reading, table), root, hashes)


def one_set(dataset: str, data_root: Path) -> Card:
    """The card of a data set; Misuse for a family, of which only the subsets can be read."""
    card = load_card(dataset, data_root)
    subsets = card.facts.get("subsets", {})
    if subsets and dataset == family(dataset):
        raise Misuse(f"{dataset} is a family of data sets: name one, {dataset}/ and one of {', '.join(subsets)}")
    return card


def rows_of(dataset: str, reading: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a whole image table that take part in the study under a reading."""
    chosen = getattr(LAYOUTS[family(dataset)], "READINGS", {}).get(reading, lambda whole: whole)
    return read_as(chosen(table))


def at_hand(card: Card, data_root: Path, checked: bool) -> tuple[pd.DataFrame, Path, dict[str, str]]:
    """The whole image table of a data set, the folder of its files, and their hashes; `checked` as in `prepare`."""
    check_root(data_root)
    layout, committed = LAYOUTS[family(card.name)], MANIFESTS / f"{card.name}.csv"
    if hasattr(layout, "locate"):
        root = layout.locate(data_root)
        table = read_table(committed) if committed.exists() else layout.read(root)
        listed = dict(zip(table["file"], table["sha256"], strict=True))
        return table, root, layout.hashes() if hasattr(layout, "hashes") else listed
    place = data_root / card.name
    if not (place / FACTS).is_file():
        raise Misuse(f"{card.name} is not prepared in {data_root}: {how_to_get(card)}")
    facts = read_facts(place)
    if facts["folder"] and not Path(facts["folder"]).is_dir():
        raise Incomplete(f"{card.name} was linked from {facts['folder']}, which is gone: {prepare_again(card)} --link")
    root = Path(facts["folder"] or place / FILES)
    if checked:
        check_unchanged(card, root, facts)
    return read_table(place / TABLE), root, facts["sha256"]


def known(dataset: str, reading: str | None, data_root: Path | None = None) -> Prepared | None:
    """The images that scores of a data set must come from, by their table alone: the committed one, that of what a
    layout draws, else that of what is prepared; None where there is none. Misuse for an unknown name or reading."""
    data_root = data_root or default_data_root()
    reading = in_reading(f"{dataset}:{reading or ''}")[1]
    layout, committed, place = LAYOUTS[family(dataset)], MANIFESTS / f"{dataset}.csv", data_root / dataset
    hashes: dict[str, str] = {}
    with suppress(OSError, Incomplete):
        hashes = read_facts(place)["sha256"]
    if committed.exists():
        table = read_table(committed)
    elif hasattr(layout, "hashes"):
        table, hashes = layout.read(place), layout.hashes()
    elif hashes:
        table = read_table(place / TABLE)
    else:
        return None
    return Prepared(load_card(dataset, data_root), reading, rows_of(dataset, reading, table), place, hashes)


def check_unchanged(card: Card, root: Path, facts: Mapping[str, Any]) -> None:
    """Incomplete for the first file of a prepared data set that is gone or has other content than when it was prepared.

    Only a file whose size or times are others than recorded is read, once a process. Data sets that an earlier version
    linked have no such record, and all their files are read.
    """
    seen, again = facts.get("states"), prepare_again(card, facts["folder"])
    if seen is None and facts["folder"] is None:
        return
    for file, expected in facts["sha256"].items():
        found = state_of(root / file)
        if found != (seen or {}).get(file) and not (found and holds(root / file, tuple(found), expected)):
            what = "changed since it was prepared" if found else "gone since it was prepared"
            raise Incomplete(f"{root / file}: {what}; put it back, or prepare the data set again: {again}")


def state_of(path: Path) -> list[int] | None:
    """Size and times (of content, of entry) of a file, which change when it is written; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


@cache
def holds(path: Path, state: tuple[int, ...], expected: str) -> bool:
    """Whether a file has this hash; found out once a process for each state of the file."""
    return sha256(path) == expected


def prepare_again(card: Card, folder: str | None = None) -> str:
    """The command that prepares a data set again, with the folder that it is linked from."""
    linked = f"{shlex.quote(folder)} --link" if folder else "FOLDER"
    return f"python -m devnetlib data prepare {card.name} --from {linked}"


def check_root(data_root: Path) -> None:
    """Misuse for a data root that is no folder, or one that may not be read; one that is not there yet is well."""
    if os.path.lexists(data_root) and not (os.path.isdir(data_root) and os.access(data_root, os.R_OK | os.X_OK)):
        raise Misuse(f"data root {data_root}: no folder that can be read; name another with --data-root or DEVNET_DATA")


def how_to_get(card: Card) -> str:
    """What the card says of it, and the command."""
    steps = [step for step in card.facts["obtain"] if not step.startswith("python -m devnetlib")]
    return " ".join([*steps, f"Then: python -m devnetlib data prepare {card.name} --from FOLDER-OR-ARCHIVE"])


def facts_text(facts: Mapping[str, Any]) -> str:
    """The one way to write the facts of a prepared data set; a file in which a bit differs is not written so."""
    return json.dumps(facts, indent=0, sort_keys=True, ensure_ascii=False) + "\n"


def read_facts(place: Path) -> dict[str, Any]:
    """What was written down when a data set was prepared; Incomplete unless it, the image table and the card of a
    folder of your own are as they were then."""
    own = {name: place / name for name in (TABLE, OWN_CARD) if (place / name).is_file()}
    try:
        text = (place / FACTS).read_bytes().decode()
        facts = json.loads(text)
        digest = facts.pop("digest")
        whole = text == facts_text(facts | {"digest": digest}) and digest == digest_of(facts)
        whole = whole and facts["own"] == {name: sha256(path) for name, path in own.items()}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        whole = False
    if not whole:
        told = f"{FACTS} or {' or '.join(own) or TABLE} is damaged; move the folder elsewhere"
        raise Incomplete(f"{place}: {told} and prepare the data set again")
    return facts


def digest_of(facts: Mapping[str, Any]) -> str:
    """64 hex digits that name the facts."""
    return hashlib.sha256(facts_text(facts).encode()).hexdigest()


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Images of a reading as Table I counts them: normals divided by the release, else 3:1, and anomalies."""
    normal = table[table["label"] == 0]
    tested = int((normal["split"] == "test").sum()) if (normal["split"] != "").any() else -(-len(normal) // 4)
    anomalies = int((table["label"] == 1).sum())
    return {"train_normal": len(normal) - tested, "test_normal": tested, "test_anomaly": anomalies}


def overview(data_root: Path | None = None) -> list[dict[str, Any]]:
    """One entry a data set, prepared subsets and folders of your own included: whether its files are here, its counts
    (by the card where they are not), those that the card expects, its licence."""
    data_root = data_root or default_data_root()
    check_root(data_root)
    rows = []
    for name in sorted({*datasets(), *subsets_at_hand(data_root)}):
        with suppress(Misuse, Incomplete):  # a card of your own that is damaged
            rows.append(overview_row(load_card(name, data_root), data_root))
    return rows


def overview_row(card: Card, data_root: Path) -> dict[str, Any]:
    """The entry of one data set; one that is damaged counts as missing."""
    reading = card.reading(None)
    expected = card.facts["counts"][reading]
    row = {"name": card.name, "reading": reading, "counts": expected, "present": False, "expected": expected}
    with suppress(Misuse, Incomplete, Unwritable):
        row |= {"counts": counts(prepare(card.name, data_root=data_root).table), "present": True}
    return row | {"licence": card.facts["licence"]["name"]}


def subsets_at_hand(data_root: Path) -> list[str]:
    """Names `FAMILY/SUBSET` of what is prepared below the data root, `my/<name>` included."""
    names = (path.parent.relative_to(data_root).as_posix() for path in data_root.glob(f"*/*/{FACTS}"))
    return [name for name in names if "." not in name]  # what is being made has a dot


def verify(prepared: Prepared) -> list[str]:
    """Hash every file again, masks too; returns one line a file that is missing or differs (empty: all as recorded)."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        checks = pool.map(lambda item: fault_of(prepared.root / item[0], *item), prepared.hashes.items())
        told = tqdm(checks, total=len(prepared.hashes), desc="verify", unit="file", disable=None)
        return [line for line in told if line]


def fault_of(path: Path, file: str, expected: str) -> str:
    """What is wrong with a file, or nothing."""
    if not path.is_file():
        return f"{file}: missing"
    differs = (seen := sha256(path)) != expected
    return f"{file}: found sha256 {seen[:12]}..., expected {expected[:12]}..." if differs else ""
