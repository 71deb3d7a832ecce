"""Mastcam: 64 x 64 px tiles of the surface of Mars in six bands, as arrays (Kerner et al. 2020)."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, images_in, open_image, sha256
from devnetlib.errors import Misuse

TYPICAL = {"train": "train_typical", "test": "test_typical"}  # the release's own division of the normal images
NOVEL = "test_novel"
SHAPE = (64, 64, 6)
SET_ASIDE = ("mcam01052", "mcam06606")  # sequences that the loaders of the release's authors leave out


def find(folder: Path) -> Path:
    """The folder that holds `train_typical`, `test_typical` and `test_novel`; Misuse where there is none."""
    names = [*TYPICAL.values(), NOVEL]
    whole = f"{', '.join(names)} side by side, each with .npy files"
    return find_root(folder, lambda place: all((place / name).is_dir() for name in names), whole)


def read(root: Path) -> pd.DataFrame:
    """One row a tile, divided as the release divides them; `defect` is the class of a novel one.

    The folder `all`, which repeats every novel tile, is passed over; a novel tile in several classes (the same bytes)
    stands once, in the first by name. `group` is the sequence of pictures, by the file's name. Raises Misuse for an
    empty folder and for a file that is no array of three bands or more.
    """
    rows = []
    for split, folder in TYPICAL.items():
        rows += [row(path.relative_to(root), split, "") for path in images_in(root / folder, ".npy")]
    for paths in novel(root).values():
        rows.append(row(paths[0].relative_to(root), "test", paths[0].parent.name))
    if {(kept["split"], kept["label"]) for kept in rows} != {("train", "0"), ("test", "0"), ("test", "1")}:
        raise Misuse(f"{root}: train_typical, test_typical or test_novel holds no .npy file; unpack the release again")
    for kept in rows:
        open_image(root / kept["file"])
    return finished(rows, root)


def novel(root: Path) -> dict[str, list[Path]]:
    """The files of every novel tile by their hash, those in a class only, sorted by class and name."""
    found: dict[str, list[Path]] = {}
    for path in images_in(root / NOVEL, ".npy"):
        if path.parent.parent == root / NOVEL and path.parent.name.lower() != "all":
            found.setdefault(sha256(path), []).append(path)
    return found


def sequence(stem: str) -> str:
    """`mcamNNNNN`, the sequence a file's name gives; the name itself where it gives none."""
    named = re.search(r"mcam\d{5}", stem)
    return named[0] if named else stem


def row(file: Path, split: str, defect: str) -> dict[str, str]:
    """The row of one tile; `defect` is empty for a typical one."""
    facts = {"id": "-".join(file.with_suffix("").parts), "file": file.as_posix(), "group": sequence(file.stem)}
    return facts | {"split": split, "label": "1" if defect else "0", "defect": defect}


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Novel tiles in several classes and in `all` alone, other shapes, sequences set aside, byte-identical tiles."""
    tiles = novel(root)
    names = [", ".join(path.relative_to(root).as_posix() for path in paths) for paths in tiles.values() if paths[1:]]
    said = [f"the same novel tile several times, kept once: {name}" for name in names]
    lone = [path for path in images_in(root / NOVEL, ".npy") if path.parent.name.lower() == "all"]
    lone = [path.name for path in lone if sha256(path) not in tiles]
    said += [f"{NOVEL}/all/{name}: in no class, not read" for name in lone]
    shapes = Counter(np.load(root / file, mmap_mode="r").shape for file in table["file"])
    said += [f"{shapes[shape]} tiles of shape {shape}, not {SHAPE}" for shape in sorted(shapes) if shape != SHAPE]
    aside = table["file"].str.contains("|".join(SET_ASIDE)).sum()
    said += [f"{aside} tiles of {' and '.join(SET_ASIDE)}, which the release's authors leave out"] if aside else []
    return said + copies(table)
