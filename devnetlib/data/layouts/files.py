"""What several readers of raw releases need: the folder of a release, hashes, and which images belong together."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from devnetlib.cores import usable_cores
from devnetlib.data.layouts.arrays import open_npy
from devnetlib.data.layouts.bmp import misread, read_again
from devnetlib.data.layouts.formats import still
from devnetlib.data.layouts.listing import files_below, left_behind
from devnetlib.data.manifests import COLUMNS
from devnetlib.data.mask_files import marked_in, marked_in_array
from devnetlib.errors import Misuse

DEPTH = 3  # folders that archives of these releases nest their files in, at most
HASH_SIDE = 16  # of the perceptual hash: with 8, pictures that show two things are alike


def sha256(path: Path) -> str:
    """Hash of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_root(folder: Path, whole: Callable[[Path], bool], expected: str) -> Path:
    """The folder itself or the first one inside it, by depth and name, that `whole` accepts.

    Raises Misuse in one line where there is none; `expected` says in words what a whole release looks like.
    """
    if not folder.is_dir():
        raise Misuse(f"{folder}: not a folder; expected {expected}")
    level = [folder]
    for _ in range(DEPTH + 1):
        for place in level:
            if whole(place):
                return place
        level = [inner for place in level for inner in sorted(place.iterdir()) if inner.is_dir()]
    names = sorted(path.name for path in folder.iterdir())
    found = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "nothing"
    raise Misuse(f"{folder}: found {found}, expected {expected}; unpack the release there and name that folder")


def open_image(path: Path) -> Image.Image:
    """A decoded image in the mode of its file; of an array file (.npy) its first three channels, as RGB.

    Raises Misuse that names the file when it is missing, damaged, too large, or not one picture as `still` says.
    """
    try:
        if path.suffix == ".npy":
            return open_npy(path)
        with still(path) as image:
            if misread(image, path):
                return read_again(image, path)
            image.filename = ""  # else Pillow maps a plain TIFF file into memory, with swapped sides if a tag turns it
            image.load()
        check_whole(image.format, path)
        return image
    except Misuse:
        raise
    except Exception as error:  # decoders raise whatever they like on a damaged file
        told = " ".join(str(error).split()) or type(error).__name__
        raise Misuse(
            f"{path}: not a readable image ({told}); restore the file and run 'python -m devnetlib data verify'"
        ) from None


def check_whole(kind: str | None, path: Path) -> None:
    """Raise ValueError or SyntaxError for damage that a decoder passes over in silence: a PNG with a wrong checksum,
    and a JPEG without its end, as an unfinished copy leaves it; what is missing would be grey."""
    if kind == "PNG":
        with still(path) as again:
            again.verify()
    if kind in ("JPEG", "MPO"):
        content, place = path.read_bytes(), 2
        while content[place + 1] != 0xDA:  # segments that state their length, up to the first scan
            place += 2 + int.from_bytes(content[place + 2 : place + 4], "big") if content[place + 1] != 0xFF else 1
        if content.find(b"\xff\xd9", place) < 0:
            raise ValueError("its end is missing")


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Where a mask marks a defect, bool (height, width), by the rule that `mask_files` states.

    Raises Misuse that names the file where it is damaged, or the rule has no answer, and unless the mask is as large as
    `size`, the (width, height) of its image.
    """
    mask = marked_in_array(path) if path.suffix == ".npy" else marked_in(open_image(path), path)
    if mask.shape[::-1] != size:
        found = mask.shape[::-1]
        raise Misuse(f"{path}: a mask of {found} px for an image of {size} px (width, height); restore the file")
    return mask


def image_table(rows: Iterable[dict[str, str]]) -> pd.DataFrame:
    """Rows as an image table: every column of `COLUMNS`, empty where a row does not say, sorted by id."""
    table = pd.DataFrame([dict.fromkeys(COLUMNS, "") | row for row in rows], columns=COLUMNS)
    return table.sort_values("id", ignore_index=True)


def alike(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions with equal keys: each repetition with the first."""
    first: dict[str, int] = {}
    return [(first[key], place) for place, key in enumerate(keys) if first.setdefault(key, place) != place]


def perceptual_hash(image: Image.Image, side: int = HASH_SIDE) -> np.ndarray:
    """`imagehash.phash` as bool (side * side,): the low frequencies of the grey image, each above their median or
    not. Of values beyond 8 bits the range that there is counts, from the lowest to the highest."""
    import imagehash  # needed only where images are compared

    if image.mode[0] in "IF":  # Pillow would cut them off at 255
        values = np.nan_to_num(np.asarray(image).astype(float))
        values = (values - values.min()) / (np.ptp(values) or 1)
        image = Image.fromarray((255 * values).astype(np.uint8))
    return imagehash.phash(image, side).hash.ravel()


def near_pairs(hashes: np.ndarray, distance: int) -> list[tuple[int, int, int]]:
    """Pairs of positions, and in how many bits they differ, of all hashes (N,B) that differ in `distance` or fewer."""
    signs = np.where(hashes, 1, -1).astype(np.float32)  # exact: sums of B ones
    differing = (hashes.shape[1] - signs @ signs.T) / 2
    first, second = np.nonzero(np.triu(differing <= distance, k=1))
    return [(int(a), int(b), int(differing[a, b])) for a, b in zip(first, second, strict=True)]


def joined(names: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """For every name the smallest of those that pairs of positions join it to, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = list(zip(*pairs, strict=True)) or [(), ()]
    links = coo_array(([1] * len(ends[0]), ends), shape=(len(names), len(names)))
    part = connected_components(links, directed=False)[1]
    return pd.Series(list(names), dtype=str).groupby(part).transform("min").tolist()


def images_in(folder: Path, *suffixes: str) -> list[Path]:
    """Files with one of the suffixes (in any capitals) anywhere below a folder, through links too, sorted by their path
    within it; what is hidden or left behind by file managers is passed over."""
    named = (path for path in files_below(folder) if path.suffix.lower() in suffixes) if folder.is_dir() else ()
    found = {path.relative_to(folder): path for path in named if path.is_file()}
    return [found[inner] for inner in sorted(found, key=Path.as_posix) if not left_behind(inner)]


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) by the header of an image file alone, or of an array file (.npy); Misuse that names a file which
    has none."""
    if path.suffix == ".npy":
        return open_image(path).size
    try:
        with still(path) as image:
            return image.size
    except Misuse:
        raise
    except Exception as error:  # as above
        raise Misuse(f"{path}: not a readable image ({error}); restore it from the release") from None


def finished(rows: Iterable[dict[str, str]], root: Path) -> pd.DataFrame:
    """Rows as an image table, with the hash of every file (each read once, in parallel, with a progress bar), and one
    `group` for all samples whose groups share a byte-identical file. Misuse where there is no row at all, for two
    samples of one id, and for a name that an image table cannot hold."""
    rows = list(rows)
    check_names(rows, root)
    table = image_table(rows)
    if table.empty:
        raise Misuse(f"{root}: the folders of the release are there, but no image; unpack it again")
    for name, same in table[table["id"].duplicated(keep=False)].groupby("id")["file"]:
        raise Misuse(f"{root}: {' and '.join(same)} would both be the sample {name}; rename or remove one")
    files = sorted(set(table["file"]))
    with ThreadPoolExecutor(usable_cores()) as pool:
        hashed = pool.map(lambda file: sha256(root / file), files)
        hashes = dict(zip(files, tqdm(hashed, total=len(files), desc="hash", unit="file", disable=None), strict=True))
    table["sha256"] = table["file"].map(hashes)
    table["group"] = joined(table["group"], alike(table["group"]) + alike(table["sha256"]))
    return table


def check_names(rows: Iterable[dict[str, str]], root: Path) -> None:
    """Misuse that names a file whose name would not be read back from a table of text as it was written."""
    for row in rows:
        for cell in row.values():
            if "\r" in cell or cell.encode(errors="ignore").decode() != cell:
                what = "a carriage return" if "\r" in cell else "bytes that are no text"
                raise Misuse(f"{root}: {cell!a} has {what} in its name, which no image table holds; rename it")


def near_copies_together(table: pd.DataFrame, root: Path, within: int) -> pd.DataFrame:
    """The table with one `group` for all samples whose groups share files that look alike: whose perceptual hashes
    differ in at most `within` bits."""
    files = table["file"].drop_duplicates()
    hashes = np.stack([perceptual_hash(open_image(root / file)) for file in files])
    pairs = [(files.index[a], files.index[b]) for a, b, _ in near_pairs(hashes, within)]
    return table.assign(group=joined(table["group"], alike(table["group"]) + pairs))


def near_copies(table: pd.DataFrame) -> str:
    """How many files of a table share their group with another."""
    shared = table["group"][table["group"].duplicated(keep=False)]
    return f"{len(shared)} files share {shared.nunique()} pictures, the same or nearly"


def copies(table: pd.DataFrame) -> list[str]:
    """What a user must know of byte-identical files: how many there are, and by name those with both labels."""
    files = table.drop_duplicates("file")
    groups = [group for _, group in files.groupby("sha256") if len(group) > 1]
    both = [group for group in groups if group["label"].nunique() > 1]
    surplus = sum(len(group) - 1 for group in groups)
    said = [f"byte-identical files: groups {len(groups)}, surplus copies {surplus}"] if groups else []
    return said + [f"byte-identical, but normal and anomalous: {', '.join(group['file'])}" for group in both]
