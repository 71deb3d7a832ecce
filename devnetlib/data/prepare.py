"""From a raw release to a data set that can be read: get it, list it, and verify every file.

    <data root>/<name>/image_table.csv    one row a sample
    <data root>/<name>/prepared.json      the hash of every file, and their folder where they were linked
    <data root>/<name>/files/             the files, unless they were linked

All of it is written under a temporary name and renamed at the end, so that nothing half-made is ever read.
"""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from tqdm import tqdm

from devnetlib.data.archives import is_archive, unpack
from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.layouts.files import sha256
from devnetlib.data.manifests import MANIFESTS, Card, datasets, family, load_card, read_as, read_table, write_table
from devnetlib.errors import Incomplete, Misuse

TABLE, FACTS = "image_table.csv", "prepared.json"
COMPARED = ["id", "file", "x", "y", "width", "height", "split", "label", "defect", "mask", "sha256"]  # all but `group`


@dataclass(frozen=True)
class Prepared:
    """A data set at hand: its card, the reading, the image table of that reading, and the folder its files are
    relative to."""

    card: Card
    reading: str
    table: pd.DataFrame
    root: Path
    hashes: dict[str, str]  # of every file, masks included


def default_data_root() -> Path:
    """Where prepared data and caches live: DEVNET_DATA, else the platform's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("DEVNET_DATA") or user_cache_path("devnetlib"))


def cache_folder(data_root: Path) -> Path:
    """The folder of everything that can be made again: banks and maps."""
    return data_root / "cache"


def prepare(dataset: str, reading: str | None = None, data_root: Path | None = None) -> Prepared:
    """A data set that is at hand (making it where its layout can), in a reading.

    Raises Misuse for an unknown data set or reading, and for files that are not there, saying how to get them.
    """
    card, layout = load_card(dataset), LAYOUTS[family(dataset)]
    reading = card.reading(reading)
    table, root, hashes = at_hand(dataset, layout, data_root or default_data_root())
    return Prepared(card, reading, rows_of(dataset, reading, table), root, hashes)


def rows_of(dataset: str, reading: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a whole image table that take part in the study under a reading."""
    chosen = getattr(LAYOUTS[family(dataset)], "READINGS", {}).get(reading, lambda whole: whole)
    return read_as(chosen(table))


def at_hand(dataset: str, layout: ModuleType, data_root: Path) -> tuple[pd.DataFrame, Path, dict[str, str]]:
    """The whole image table of a data set, the folder of its files, and their hashes."""
    committed = MANIFESTS / f"{dataset}.csv"
    if hasattr(layout, "locate"):
        root = layout.locate(data_root)
        table = read_table(committed) if committed.exists() else layout.read(root)
        return table, root, dict(zip(table["file"], table["sha256"], strict=True))
    place = data_root / dataset
    if not (place / FACTS).is_file():
        how = "; ".join(load_card(dataset).facts["obtain"][:-1])
        raise Misuse(
            f"{dataset} is not prepared: {how}; then: python -m devnetlib data prepare {dataset} --from FOLDER"
        )
    facts = json.loads((place / FACTS).read_text())
    return read_table(place / TABLE), Path(facts["folder"] or place / "files"), facts["sha256"]


def get(dataset: str, source: Path | None, link: bool, data_root: Path) -> list[str]:
    """Prepare a data set from a folder or archive (None: the folder DEVNET_RAW/<name>), copied into the data root or,
    with `link`, read from where it lies. Returns what its layout remarks.

    Raises Incomplete for what is no release of it, lacks files, or has others than the committed image table, and for
    a disk that takes no more; what was there stays.
    """
    load_card(dataset)
    layout = LAYOUTS[family(dataset)]
    if hasattr(layout, "locate"):
        layout.locate(data_root)
        return []
    source = source or raw_folder(dataset)
    if link and is_archive(source):
        raise Misuse(f"{source}: an archive cannot be linked; unpack it and name the folder, or leave out --link")
    with made_whole(data_root / dataset) as place:
        if is_archive(source):
            unpack(source, place / "unpacked")
        try:
            root = found(layout, dataset, place / "unpacked" if is_archive(source) else source)
            table = checked(dataset, layout.read(root))
        except Misuse as error:  # not the command is wrong, but the files
            raise Incomplete(str(error)) from None
        files = sorted(set(table["file"]) | {mask for masks in table["mask"] for mask in masks.split("|") if mask})
        hashes = copy(files, root, None if link else place / "files")
        write_table(table, place / TABLE)
        folder = str(root.resolve()) if link else None
        (place / FACTS).write_text(json.dumps({"folder": folder, "sha256": hashes}, indent=0) + "\n")
        remarks = layout.remarks(root, table) if hasattr(layout, "remarks") else []
        shutil.rmtree(place / "unpacked", ignore_errors=True)
        return remarks


def raw_folder(dataset: str) -> Path:
    """DEVNET_RAW/<name>, or Misuse that says how to name another place."""
    raw = os.environ.get("DEVNET_RAW")
    if not raw:
        how = "; ".join(load_card(dataset).facts["obtain"])
        raise Misuse(f"{dataset}: name its files with --from FOLDER-OR-ARCHIVE, or set DEVNET_RAW. To get them: {how}")
    return Path(raw) / dataset


def found(layout: ModuleType, dataset: str, folder: Path) -> Path:
    """The folder inside `folder` that the layout recognises; of a family, that of the subset."""
    subset = dataset.partition("/")[2]
    return layout.find(folder, subset) if subset else layout.find(folder)


def checked(dataset: str, table: pd.DataFrame) -> pd.DataFrame:
    """The committed image table if the files found are its own; where none is committed, the table found."""
    committed = MANIFESTS / f"{dataset}.csv"
    if not committed.exists():
        return table
    expected = read_table(committed)
    ours, theirs = (frame[COMPARED].set_index("id").sort_index() for frame in (table, expected))
    missing, extra = theirs.index.difference(ours.index), ours.index.difference(theirs.index)
    shared = theirs.index.intersection(ours.index)
    other = shared[(ours.loc[shared] != theirs.loc[shared]).any(axis=1)]
    told = [
        f"{len(ids)} {what} ({', '.join(ids[:3])})"
        for what, ids in (("missing", missing), ("unknown", extra), ("with other content", other))
        if len(ids)
    ]
    if told:
        raise Incomplete(f"{dataset}: not the release of its image table: samples {'; '.join(told)}; get it again")
    return expected


def copy(files: list[str], root: Path, target: Path | None) -> dict[str, str]:
    """Copy files of `root` below `target` (None: leave them), with a progress bar; returns the hash of each."""

    def one(file: str) -> str:
        if target is None:
            return sha256(root / file)
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
        return sha256(target / file)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = tqdm(pool.map(one, files), total=len(files), desc="prepare", unit="file", disable=None)
        return dict(zip(files, hashes, strict=True))


@contextmanager
def made_whole(place: Path) -> Iterator[Path]:
    """A temporary folder that takes the name `place` when all went well, and is gone otherwise. Where another process
    was faster, its result stays; what was there before is replaced."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        old = place.with_name(f".{place.name}.{os.getpid()}.old")
        if place.exists():
            place.rename(old)
        temporary.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise Incomplete(f"{error.filename or place}: {error.strerror or error}; nothing was changed") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Images of a reading as Table I counts them: normals divided by the release, else 3:1, and anomalies."""
    normal = table[table["label"] == 0]
    tested = int((normal["split"] == "test").sum()) if (normal["split"] != "").any() else -(-len(normal) // 4)
    anomalies = int((table["label"] == 1).sum())
    return {"train_normal": len(normal) - tested, "test_normal": tested, "test_anomaly": anomalies}


def overview(data_root: Path | None = None) -> list[dict[str, Any]]:
    """One entry a data set: whether its files are here, its counts (by the card where they are not), Table I's, its
    licence."""
    rows = []
    for name in datasets():
        card = load_card(name)
        reading = card.reading(None)
        row = {"name": name, "reading": reading, "counts": card.facts["counts"][reading], "present": False}
        with suppress(Misuse):
            row |= {"counts": counts(prepare(name, data_root=data_root).table), "present": True}
        rows.append(row | {"expected": card.facts["counts"][reading], "licence": card.facts["licence"]["name"]})
    return rows


def verify(prepared: Prepared) -> list[str]:
    """Hash every file again, masks too; returns one line a file that is missing or differs (empty: all as recorded)."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = pool.map(lambda item: fault_of(prepared.root / item[0], *item), prepared.hashes.items())
        told = tqdm(checks, total=len(prepared.hashes), desc="verify", unit="file", disable=None)
        return [line for line in told if line]


def fault_of(path: Path, file: str, expected: str) -> str:
    """What is wrong with a file, or nothing."""
    if not path.is_file():
        return f"{file}: missing"
    differs = (seen := sha256(path)) != expected
    return f"{file}: found sha256 {seen[:12]}..., expected {expected[:12]}..." if differs else ""
