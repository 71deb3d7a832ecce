"""The leak census, as it is made: perceptual hashes of all images of a data set, and what the probes reach on it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from devnetlib.arguments import standing
from devnetlib.data.images import boxes_of, cut, image_bank
from devnetlib.data.layouts import brainmri, headct, kolektorsdd
from devnetlib.data.layouts.files import HASH_SIDE, near_pairs, open_image, perceptual_hash
from devnetlib.data.manifests import MANIFESTS, load_card
from devnetlib.data.prepare import Prepared, cache_folder, default_data_root, overview, prepare
from devnetlib.errors import Misuse
from devnetlib.evidence.census import Census, Leaks, check_enough, leaks, published_partitions, read
from devnetlib.methods.controls import CONTROLS
from devnetlib.metrics import auroc
from devnetlib.report.selection import cell, published
from devnetlib.study.execution import probe, row_numbers
from devnetlib.study.results import write_json
from devnetlib.study.runs import PROFILES

PROBES = ("order", "size", "grey")
# Bits of 256 in which two images differ at most. All pairs were looked at in the order of their distance: this is the
# last distance before the first pair that shows two different things (or, on KolektorSDD, the last before 88).
WITHIN = {"brainmri": brainmri.WITHIN, "elpv": 14, "headct": headct.WITHIN, "kolektorsdd": kolektorsdd.WITHIN}
NOT_LOOKED_AT = min(WITHIN.values())  # of any other data set


def take(dataset: str, reading: str | None = None, data_root: Path | None = None) -> Census:
    """The census of a data set that is at hand; Misuse where it is not. Shows progress."""
    data = prepare(dataset, reading, data_root, checked=True)
    check_enough(data.table, dataset)
    within, ids = WITHIN.get(dataset, NOT_LOOKED_AT), data.table["id"].tolist()
    near = [(ids[a], ids[b], bits) for a, b, bits in near_pairs(image_hashes(data), within)]
    return Census(
        dataset=dataset,
        reading=data.reading,
        image_table=data.digest,
        hash="phash",
        bits=HASH_SIDE**2,
        within=within,
        near=tuple(sorted(near)),
        probes=probes(data, cache_folder(data_root or default_data_root())),
    )


def image_hashes(data: Prepared) -> np.ndarray:
    """The hash of every image or crop, bool (N,B) in the order of the table. A file of several crops is opened once."""
    boxes = boxes_of(data.table)
    hashes = np.empty((len(boxes), HASH_SIDE**2), dtype=bool)
    files = data.table.reset_index(drop=True).groupby("file", sort=False).indices
    for file, rows in tqdm(files.items(), desc=f"hash {data.card.name}", unit="file", disable=None):
        path = data.root / file
        image = open_image(path)
        for row in rows:
            hashes[row] = perceptual_hash(cut(image, boxes[row], path))
    return hashes


def probes(data: Prepared, cache: Path) -> dict[str, float]:
    """Mean AUROC of every probe over the published splits and draws: of the published scores where there are any, else
    computed here by the same rule."""
    cells = {name: cell(published(), data.card.name, name, "quick", reading=data.reading) for name in PROBES}
    found = {name: runs.values().mean() for name, runs in cells.items() if runs.complete}
    missing = [name for name in PROBES if name not in found]
    found |= computed(data, missing, cache) if missing else {}
    return {name: round(float(found[name]), 6) for name in PROBES}


def computed(data: Prepared, names: Iterable[str], cache: Path) -> dict[str, float]:
    """Mean AUROC of probes over the published splits and draws, from the pixels."""
    bank = image_bank(data.table, data.root, PROFILES["quick"].training.pixels, cache)
    partitions = list(published_partitions(data.table, data.card.name, data.reading))
    values = {name: [] for name in names}
    for partition in tqdm(partitions, desc=f"probe {data.card.name}", unit="cell", disable=None):
        rows = row_numbers(data, partition)
        for name, measured in values.items():
            measured.append(auroc(probe(CONTROLS[name], data, bank, rows), partition.test_label))
    return {name: float(np.mean(measured)) for name, measured in values.items()}


def countable(data_root: Path | None = None) -> list[str]:
    """Every data set at hand whose image table is committed."""
    return [row["name"] for row in overview(data_root) if row["present"] and is_committed(row["name"])]


def is_committed(dataset: str) -> bool:
    return (MANIFESTS / f"{dataset}.csv").is_file()


def take_all(datasets: Iterable[str], data_root: Path | None = None) -> Iterator[tuple[Census, Leaks]]:
    """The census of every reading of the data sets, in the order of their names, and what it counts."""
    for name in sorted(datasets):
        for reading in load_card(name, data_root).readings:
            census = take(name, reading, data_root)
            yield census, leaks(census, prepare(name, reading, data_root).table)


def check_storable(datasets: Iterable[str], path: Path) -> None:
    """Misuse, before anything is counted, for a data set whose image table is not committed, since nobody could read
    its census, and for a file that cannot be written; Incomplete for one that holds something else."""
    if own := sorted(name for name in datasets if not is_committed(name)):
        raise Misuse(f"{', '.join(own)}: no committed image table, so its census is not stored; leave out --output")
    stands = standing(path.parent)
    if not os.access(stands, os.W_OK):
        raise Misuse(f"{path}: {stands} is not writable; name another file with --output")
    if path.exists():
        read(path)


def write(found: Iterable[Census], path: Path) -> None:
    """Store censuses in the place of older ones of the same data sets, sorted: the same bytes on every machine.

    Misuse and Incomplete as by `check_storable`.
    """
    found = list(found)
    taken = {census.dataset for census in found}
    check_storable(taken, path)
    kept = [census for census in read(path) if census.dataset not in taken] if path.exists() else []
    everything = sorted([*kept, *found], key=lambda census: (census.dataset, census.reading))
    write_json(path, {"sets": [census.as_json() for census in everything]})
