"""HeadCT: computed tomography slices with and without a haemorrhage, from Kaggle (felipekitamura)."""

from pathlib import Path

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, near_copies, near_copies_together
from devnetlib.errors import Misuse

LABELS, IMAGES = "labels.csv", "head_ct/head_ct"
WITHIN = 26  # bits of 256: the farthest pair of one picture; as near are two neighbouring slices, which it joins, too


def find(folder: Path) -> Path:
    """The folder that holds `labels.csv` and `head_ct/head_ct/`: `folder` itself or one inside it."""
    expected = f"{LABELS} beside {IMAGES}/NNN.png"
    return find_root(folder, lambda place: (place / LABELS).is_file() and (place / IMAGES).is_dir(), expected)


def labels(root: Path) -> dict[str, str]:
    """Label by file name without suffix, from `labels.csv` (header `id, hemorrhage`, with a blank after the comma)."""
    path = root / LABELS
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True, keep_default_na=False)
        names, values = (f"{int(number):03d}" for number in table["id"]), table["hemorrhage"].tolist()
        found = dict(zip(names, values, strict=True))
    except (KeyError, ValueError):
        found = {}
    if not found or len(found) < len(table) or set(found.values()) - {"0", "1"}:
        raise Misuse(
            f'{path}: expected the header "id, hemorrhage", then a number of its own and 0 or 1 a row; restore it'
        )
    return found


def read(root: Path) -> pd.DataFrame:
    """One row an image that is there and has a label. `group` joins byte-identical and near-identical images."""
    rows = [row(name, label) for name, label in labels(root).items() if (root / file_of(name)).is_file()]
    return near_copies_together(finished(rows, root), root, WITHIN)


def row(name: str, label: str) -> dict[str, str]:
    """One image."""
    facts = {"id": name, "group": name, "file": file_of(name)}
    return facts | {"label": label, "defect": "haemorrhage" if label == "1" else ""}


def file_of(name: str) -> str:
    """Where an image stands in the release."""
    return f"{IMAGES}/{name}.png"


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Images that `labels.csv` names and that are not there, files without a label, and repeated images by number."""
    named = labels(root)
    missing = sorted(set(named) - set(table["id"]))
    expected = {root / file_of(name) for name in named}
    strays = [path.name for path in sorted((root / IMAGES).iterdir()) if path not in expected]
    absent = [f"{file_of(name)}: named in {LABELS}, missing" for name in missing]
    unused = [f"{IMAGES}/{name}: no label in {LABELS}, not used" for name in strays]
    return [*absent, *unused, *copies(table), near_copies(table)]
