"""From a raw release to a data set at hand: unpack it, list it, look at every file, compare, and copy or link it.

All of it is written under a temporary name and renamed at the end, so that nothing half-made is ever read.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from tqdm import tqdm

from devnetlib.cores import usable_cores
from devnetlib.data.archives import is_archive, unpack
from devnetlib.data.images import boxes_of, load_crops
from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.layouts.files import image_size, read_mask, sha256
from devnetlib.data.layouts.formats import further_pictures, still
from devnetlib.data.layouts.listing import not_read
from devnetlib.data.manifests import (
    COLUMNS,
    MANIFESTS,
    OWN,
    OWN_CARD,
    OWN_READING,
    family,
    files_in,
    load_card,
    masks_in,
    own_name,
    read_table,
    write_table,
)
from devnetlib.data.mask_files import turned
from devnetlib.data.placing import check_apart, check_place, check_source, made_whole, remove_abandoned
from devnetlib.data.prepare import (
    FACTS,
    FILES,
    TABLE,
    check_root,
    counts,
    digest_of,
    facts_text,
    how_to_get,
    one_set,
    rows_of,
    state_of,
)
from devnetlib.errors import Incomplete, Misuse, in_a_line

COMPARED = ["id", "file", "x", "y", "width", "height", "split", "label", "defect", "mask", "sha256"]  # all but `group`


def get(dataset: str, source: Path | None, link: bool, data_root: Path) -> list[str]:
    """Prepare a data set from a folder or archive (None: the folder DEVNET_RAW/<name>), copied into the data root or,
    with `link`, read from where it lies. Returns what its layout remarks. One that is at hand stays where nothing is
    named.

    Raises Incomplete for what is no release of it, lacks files, has others than the committed image table or one that
    cannot be read, and for a disk that takes no more; Misuse where a file of somebody's would be replaced. What was
    there stays.
    """
    check_root(data_root)
    own_name(dataset) if family(dataset) == OWN else one_set(dataset, data_root)
    layout = LAYOUTS[family(dataset)]
    if hasattr(layout, "locate"):
        layout.locate(data_root)
        return []
    if source is None and not os.environ.get("DEVNET_RAW") and (data_root / dataset / FACTS).is_file():
        return []
    source = source or raw_folder(dataset)
    if link and is_archive(source):
        raise Misuse(f"{source}: an archive cannot be linked; unpack it and name the folder, or leave out --link")
    check_apart(source, data_root / dataset, link)
    removed = remove_abandoned(data_root / dataset)
    check_place(data_root / dataset)
    with made_whole(data_root, dataset) as (place, unpacked):
        try:
            folder, said = opened(dataset, source, unpacked)
            root = found(layout, dataset, folder)
            table = checked(dataset, layout.read(root))
            if folder == source:  # and not unpacked from it
                check_links(table, root, data_root / dataset, link)
            said += look_at(table, root)
            said += layout.remarks(root, table) if hasattr(layout, "remarks") else []
            said += unread(dataset, folder, root, table, said)
            fill(place, dataset, table, root, link)
        except (Misuse, UnicodeError) as error:  # not the command is wrong, but the files
            raise Incomplete(in_a_line(str(error).replace(str(unpacked), str(source)))) from None
        return removed + said


def raw_folder(dataset: str) -> Path:
    """DEVNET_RAW/<name>, of a subset that of its family; Misuse that says how to name another place where there is
    none."""
    raw = os.environ.get("DEVNET_RAW")
    if raw and (Path(raw) / family(dataset)).exists() and family(dataset) != OWN:
        return Path(raw) / family(dataset)
    where = f"{raw} (DEVNET_RAW) holds no {family(dataset)}" if raw else "DEVNET_RAW is not set"
    if family(dataset) == OWN:
        raise Misuse(f"{dataset}: name its folder: python -m devnetlib data prepare {dataset} --from FOLDER")
    raise Misuse(f"{dataset}: no files named with --from, and {where}. To get them: {how_to_get(load_card(dataset))}")


def opened(dataset: str, source: Path, unpacked: Path) -> tuple[Path, list[str]]:
    """The folder of a release, which is `unpacked` for an archive, and what is to be said of the archive's hash."""
    if not source.exists():
        raise Misuse(f"{source}: no such folder or archive")
    if not is_archive(source):
        if source.is_file():
            raise Misuse(f"{source}: neither a folder nor .zip, .tar, .tar.gz, .tar.xz or .tar.bz2; unpack it yourself")
        return source, []
    unpack(source, unpacked)
    known = {} if family(dataset) == OWN else {each["name"]: each for each in load_card(dataset).facts["archives"]}
    expected, seen = known.get(source.name, {}).get("sha256"), sha256(source)
    if expected is None:
        return unpacked, [f"{source.name}: sha256 {seen}; the card knows none"]
    return unpacked, [] if seen == expected else [f"{source.name}: sha256 {seen}, the card has {expected}"]


def found(layout: ModuleType, dataset: str, folder: Path) -> Path:
    """The folder inside `folder` that the layout recognises; of a family, that of the subset."""
    subset = dataset.partition("/")[2]
    return layout.find(folder, subset) if subset and family(dataset) != OWN else layout.find(folder)


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


def check_links(table: pd.DataFrame, root: Path, place: Path, link: bool) -> None:
    """As `check_apart` for the root, and as `check_source` for every folder that a file of the set really lies in."""
    check_apart(root, place, link)
    for folder in {os.path.dirname(os.path.realpath(root / file)) for file in files_in(table)}:
        check_source(Path(folder), place, link)


def unread(dataset: str, folder: Path, root: Path, table: pd.DataFrame, said: list[str]) -> list[str]:
    """What is to be said of the files below the root, and of one's own beside it, that are neither read nor named by a
    remark yet."""
    known = files_in(table) | {line.partition(": ")[0] for line in said}
    read = {root / file for file in known}
    if family(dataset) == OWN:
        return not_read(folder, read, lambda path: LAYOUTS[OWN].why_not_read(root, path))
    return not_read(root, read, lambda _: "no file of the release by its place or name")


def look_at(table: pd.DataFrame, root: Path) -> list[str]:
    """Read every image and mask once, as a run will; returns a line for each mask that marks nothing, and one on
    cameras' previews. Misuse for the first file that is damaged, of a mode that 8 bits cannot hold, or smaller than its
    crops, for a mask of another size than its image or one that `mask_files` refuses, for a mask that marks a normal
    image, and for an image with masks that a tag turns."""
    boxes, rows = boxes_of(table), table.reset_index(drop=True).groupby("file").indices

    def one(file: str) -> tuple[list[str], int]:
        load_crops(root / file, [boxes[row] for row in rows[file]], 1)
        known = table.iloc[rows[file]]
        anomalous, said = (known["label"].astype(str) == "1").any(), []
        for mask in dict.fromkeys(mask for cell in known["mask"] for mask in masks_in(cell)):
            marked = read_mask(root / mask, image_size(root / file))
            if marked.any():
                check_upright(root / file, mask)
            if marked.any() and not anomalous:
                raise Misuse(f"{root / mask}: marks {marked.mean():.2%} of {file}, a normal image; mend one of the two")
            said += [f"{mask}: marks nothing of {file}"] if anomalous and not marked.any() else []
        return said, further_pictures(root / file)

    seen = all_of(one, list(rows), "read")
    more = [file for file, (_, pictures) in zip(rows, seen, strict=True) if pictures]
    said = [line for lines, _ in seen for line in lines]
    return said + (
        [f"{len(more)} files hold previews beside their picture, not read (first: {more[0]})"] if more else []
    )


def check_upright(path: Path, mask: str) -> None:
    """Misuse for an image with a mask that its orientation tag turns: images are read as they are stored, and a mask
    may have been drawn on what a viewer shows."""
    if path.suffix == ".npy":
        return
    with still(path) as image:
        if turned(image):
            raise Misuse(f"{path}: an orientation tag turns it, so how {mask} lies on it is not known; save it upright")


def all_of(task: Callable[[str], Any], files: Sequence[str], name: str) -> list[Any]:
    """What a task gives for each file, in parallel, with a progress bar; the first error ends it."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            return list(tqdm(pool.map(task, files), total=len(files), desc=name, unit="file", disable=None))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def fill(place: Path, dataset: str, table: pd.DataFrame, root: Path, link: bool) -> None:
    """Write all that a prepared data set is into a folder. Incomplete for a file that changed since it was listed."""
    files = sorted(files_in(table))
    seen = {file: state_of(root / file) for file in files if link}  # before they are read
    hashes = copy(files, root, None if link else place / FILES)
    other = [file for file, listed in zip(table["file"], table["sha256"], strict=True) if hashes[file] != listed]
    if other:
        raise Incomplete(f"{root / other[0]}: changed while it was read; try again")
    write_table(table, place / TABLE)
    check_read_back(table, place / TABLE)
    if family(dataset) == OWN:
        card = LAYOUTS[OWN].facts(dataset, table, counts(rows_of(dataset, OWN_READING, table)))
        (place / OWN_CARD).write_text(facts_text(card), encoding="utf-8")
    own = {path.name: sha256(path) for path in sorted(place.iterdir()) if path.is_file()}
    facts = {"folder": str(root.resolve()) if link else None, "sha256": hashes, "own": own}
    facts["states"] = seen or {file: state_of(place / FILES / file) for file in files}
    (place / FACTS).write_text(facts_text(facts | {"digest": digest_of(facts)}), encoding="utf-8")


def check_read_back(table: pd.DataFrame, path: Path) -> None:
    """Incomplete that names a row which is not read from an image table as it was written."""
    written, found = table.sort_values("id")[COLUMNS].to_numpy().tolist(), read_table(path).to_numpy().tolist()
    other = [row[0] for row, same in zip_longest(written, found) if row != same and row]
    if other or len(written) != len(found):
        raise Incomplete(f"{other[:1]}: a name that is not read back from an image table as it is; rename it")


def copy(files: list[str], root: Path, target: Path | None) -> dict[str, str]:
    """Copy files of `root` below `target` (None: leave them), with a progress bar; returns the hash of each."""

    def one(file: str) -> str:
        if target is None:
            return sha256(root / file)
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).touch(exist_ok=False)  # two names may be one to a file system that knows no capitals
        shutil.copyfile(root / file, target / file)
        return sha256(target / file)

    return dict(zip(files, all_of(one, files, "prepare"), strict=True))
