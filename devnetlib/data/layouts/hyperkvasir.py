"""Hyper-Kvasir: the upper gastro-intestinal tract, landmarks against pathological findings (Borgli et al. 2020)."""

from pathlib import Path

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, images_in
from devnetlib.errors import Misuse

TRACT = "upper-gi-tract"
CLASSES = {  # label, folder, and the classes it holds
    "0": ("anatomical-landmarks", ("pylorus", "retroflex-stomach", "z-line")),
    "1": ("pathological-findings", ("barretts", "barretts-short-segment", "esophagitis-a", "esophagitis-b-d")),
}


def find(folder: Path) -> Path:
    """The folder that holds `upper-gi-tract` (`labeled-images` in the archive); Misuse where there is none."""
    expected = f"{TRACT}/ with {' and '.join(kind for kind, _ in CLASSES.values())} (labeled-images in the archive)"
    return find_root(
        folder, lambda place: all((place / TRACT / kind).is_dir() for kind, _ in CLASSES.values()), expected
    )


def read(root: Path) -> pd.DataFrame:
    """One row an image of the upper tract; `defect` is the finding. Misuse that names a class without images.

    The folders do not say which examination an image comes from, so each is its own group.
    """
    rows = []
    for label, (kind, classes) in CLASSES.items():
        for name in classes:
            folder = root / TRACT / kind / name
            images = images_in(folder, ".jpg")
            if not images:
                raise Misuse(f"{folder}: no .jpg file, expected the images of {name}; unpack the release again")
            rows += [row(path.relative_to(root), label, name) for path in images]
    return finished(rows, root)


def row(file: Path, label: str, name: str) -> dict[str, str]:
    """The row of one image of the class `name`."""
    image = f"{name}-{file.stem}"
    defect = name if label == "1" else ""
    return {"id": image, "file": file.as_posix(), "label": label, "defect": defect, "group": image}


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Folders beside the seven classes, which are not read, and byte-identical images."""
    known = {(kind, name) for kind, classes in CLASSES.values() for name in classes}
    folders = sorted(path.relative_to(root) for path in (root / TRACT).glob("*/*") if path.is_dir())
    unread = [folder for folder in folders if folder.parts[-2:] not in known]
    return [f"{folder.as_posix()}: not one of the classes of the study, not read" for folder in unread] + copies(table)
