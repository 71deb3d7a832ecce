"""BrainMRI: magnetic resonance images with and without a tumour, from Kaggle (navoneel)."""

from pathlib import Path

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, near_copies, near_copies_together

FOLDERS = {"no": "0", "yes": "1"}
SUFFIXES = {".jpg", ".jpeg", ".png"}  # in any case; some files named .jpg hold PNG data, which decoders do not mind
# Bits of 256: the last distance before the first pair of files that shows two different things.
WITHIN = 46
LOADED = ("png", "PNG", "jpg", "npy")  # the endings that the released loader reads; it drops others without a word


def find(folder: Path) -> Path:
    """The folder that holds `yes/` and `no/`: `folder` itself or one inside it."""
    return find_root(folder, lambda place: all((place / name).is_dir() for name in FOLDERS), "the folders yes and no")


def read(root: Path) -> pd.DataFrame:
    """One row an image, named by folder and file name. `group` joins byte-identical and near-identical images, within
    and across the two folders."""
    files = [file for name in FOLDERS for file in (root / name).iterdir() if file.suffix.lower() in SUFFIXES]
    shown = [file for file in files if not file.name.startswith(".")]  # file managers leave "._name.jpg"
    return near_copies_together(finished(map(row, shown), root), root, WITHIN)


def row(file: Path) -> dict[str, str]:
    """One image: its folder is its label, and its name keeps the suffix, since Y92 is there as .jpg and as .png."""
    name, label = f"{file.parent.name}-{file.name}", FOLDERS[file.parent.name]
    facts = {"id": name, "group": name, "file": f"{file.parent.name}/{file.name}"}
    return facts | {"label": label, "defect": "tumour" if label == "1" else ""}


def official_loader(table: pd.DataFrame) -> pd.DataFrame:
    """The images that the released loader reads, by the ending of their names: .JPG and .jpeg are left out."""
    return table[table["file"].str.endswith(LOADED)]


READINGS = {"official_loader": official_loader}


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Files of the two folders that are no images of the release, and repeated images by number."""
    used = {root / file for file in table["file"]}
    strays = [path for name in FOLDERS for path in sorted((root / name).iterdir()) if path not in used]
    unused = [f"{path.relative_to(root).as_posix()}: not an image of this release, not used" for path in strays]
    return [*unused, *copies(table), near_copies(table)]
