"""SDD: KolektorSDD, electrical commutators (Tabernik et al. 2020), cut into thirds as the released converter does."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from devnetlib.data.layouts.files import alike, find_root, finished, near_copies_together, open_image, read_mask

TEST_NORMALS, TRAIN_NORMALS = 286, 594  # as Table I prints them
WITHIN = 24  # bits of 256: two parts photographed twice differ in 12 at most, any others in 82 or more


def find(folder: Path) -> Path:
    """The folder that holds `kosNN/PartM.jpg` and masks: `folder` itself or one inside it; Misuse where none does."""
    return find_root(folder, holds_parts, "folders kosNN with files PartM.jpg and PartM_label.bmp")


def holds_parts(place: Path) -> bool:
    """Whether a folder holds images and masks of the release; without any mask every image would seem sound."""
    return all(any(place.glob(f"kos*/{name}")) for name in ("Part*.jpg", "Part*_label.bmp"))


def read(root: Path) -> pd.DataFrame:
    """Three crops an image; one is anomalous if its mask has a pixel above 0, clean thirds of defective images are
    normal. `mask` is named where the crop has defect pixels.

    `group` is the commutator; two that share byte-identical or near-identical images are one.
    """
    table = finished((row for file in sorted(root.glob("kos*/Part*.jpg")) for row in thirds(file)), root)
    return near_copies_together(table, root, WITHIN)


def thirds(file: Path) -> list[dict[str, str]]:
    """The rows of one image, cut at h//3 and 2h//3."""
    width, height = open_image(file).size
    commutator, mask = file.parent.name, mask_of(file)
    marked = read_mask(mask, (width, height)) if mask.is_file() else np.zeros((height, width), bool)
    rows = []
    for number, (upper, lower) in enumerate(pairwise([0, height // 3, 2 * height // 3, height])):
        anomalous = bool(marked[upper:lower].any())
        row = {"id": f"{commutator}_{file.stem}_{number}", "file": f"{commutator}/{file.name}", "group": commutator}
        row |= {"x": "0", "y": str(upper), "width": str(width), "height": str(lower - upper)}
        row |= {"label": str(int(anomalous)), "defect": "defect" if anomalous else ""}
        rows.append(row | {"mask": f"{commutator}/{mask.name}" if anomalous else ""})
    return rows


def mask_of(file: Path) -> Path:
    """Where the mask of an image belongs."""
    return file.with_name(f"{file.stem}_label.bmp")


def table1(table: pd.DataFrame) -> pd.DataFrame:
    """All anomalous thirds and 880 normal ones, divided as Table I counts them: in the order of the SHA-256 of their
    ids the first 286 are tested, the next 594 train, the others are left out. Whom the authors took is unknown."""
    order = {name: hashlib.sha256(name.encode()).hexdigest() for name in table["id"]}
    normals = sorted(table.loc[table["label"].astype(str) == "0", "id"], key=order.__getitem__)
    split = dict.fromkeys(table.loc[table["label"].astype(str) == "1", "id"], "test")
    split |= dict.fromkeys(normals[:TEST_NORMALS], "test")
    split |= dict.fromkeys(normals[TEST_NORMALS : TEST_NORMALS + TRAIN_NORMALS], "train")
    kept = table[table["id"].isin(split)]
    return kept.assign(split=kept["id"].map(split))


READINGS = {"table1": table1}


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Images without a mask, masks without an image, and byte-identical images, with the size of masks that differ."""
    hashes = table.drop_duplicates("file").set_index("file")["sha256"]
    bare = [file for file in hashes.index if not mask_of(root / file).is_file()]
    missing = [f"{file}: no mask, taken as free of defects" for file in bare]
    images = {mask_of(root / file) for file in hashes.index}
    strays = [path for path in sorted(root.glob("kos*/*_label.bmp")) if path not in images]
    unused = [f"{path.relative_to(root).as_posix()}: a mask without an image, not used" for path in strays]
    return missing + unused + [same_bytes(root, *(hashes.index[place] for place in pair)) for pair in alike(hashes)]


def same_bytes(root: Path, first: str, second: str) -> str:
    """The remark on two files of the same bytes."""
    sizes = [defect_pixels(root / file) for file in (first, second)]
    differ = f", but {sizes[0]} and {sizes[1]} defect pixels in the masks" if sizes[0] != sizes[1] else ""
    return f"{first} and {second}: the same bytes{differ}"


def defect_pixels(file: Path) -> int:
    """Pixels that the mask of an image marks; 0 where there is no mask."""
    mask = mask_of(file)
    return int(read_mask(mask, open_image(file).size).sum()) if mask.is_file() else 0
