"""A folder of your own, prepared as `my/<name>`, in one of two forms.

As MVTec AD:   train/good/*, test/good/*, test/<class>/*, and masks in ground_truth/<class>/ where there are any
Two folders:   normal/*, anomaly/* or anomaly/<class>/*; normals are divided 3:1
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, image_size, images_in
from devnetlib.data.manifests import OWN_READING
from devnetlib.errors import Misuse

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
TRAINED, TESTED, MASKS = Path("train/good"), Path("test"), Path("ground_truth")
NORMAL, ANOMALY = Path("normal"), Path("anomaly")
EXPECTED = "train/good with test/good and test/<class>, or normal with anomaly"


def find(folder: Path) -> Path:
    """`folder` itself or the first folder inside it of one of the two forms; Misuse where there is none."""
    return find_root(
        folder, lambda place: divided(place) or all((place / n).is_dir() for n in (NORMAL, ANOMALY)), EXPECTED
    )


def divided(root: Path) -> bool:
    """Whether a folder has the form of MVTec AD, in which normals are divided already."""
    return (root / TRAINED).is_dir() and (root / TESTED).is_dir()


def read(root: Path) -> pd.DataFrame:
    """One row an image, named by its path; `defect` is the class, or `anomaly` where there are no classes.

    Raises Misuse for a part without images, for two masks of one image, for a mask whose image is missing and for a
    mask of another size than its image.
    """
    rows = list(divided_rows(root) if divided(root) else plain_rows(root))
    for what, enough in needed(root, rows).items():
        if not enough:
            raise Misuse(f"{root}: {what}; expected {EXPECTED}, with files {', '.join(SUFFIXES)} in each")
    return finished(rows, root)


def needed(root: Path, rows: list[dict[str, str]]) -> dict[str, bool]:
    """What a set must have at the least, in the words that are said where it has not."""
    anomalous = any(row["label"] == "1" for row in rows)
    if not divided(root):
        normals = sum(row["label"] == "0" for row in rows)
        return {"fewer than two images in normal": normals > 1, "no image in anomaly": anomalous}
    tested = any(row["label"] == "0" and row["split"] == "test" for row in rows)
    trained = any(row["split"] == "train" for row in rows)
    return {
        "no image in train/good": trained,
        "no image in test/good, so anomalies cannot be told from anything": tested,
        "no image in test/<class>": anomalous,
    }


def divided_rows(root: Path) -> Iterator[dict[str, str]]:
    """The rows of the form of MVTec AD."""
    masks = masks_of(root)
    for path in (*images_in(root / TRAINED, *SUFFIXES), *images_in(root / TESTED, *SUFFIXES)):
        file = path.relative_to(root)
        if file.parts[0] == "train":
            yield row(file, "train", "")
        elif len(file.parts) > 2:  # an image in test itself has no class: see the remarks
            kind = file.parts[1]
            yield row(file, "test", "" if kind == "good" else kind, masks.pop(file.with_suffix(""), ""))
    for image, mask in masks.items():
        raise Misuse(f"{root / mask}: a mask, but there is no anomalous image {image.as_posix()}; mend one of the two")


def plain_rows(root: Path) -> Iterator[dict[str, str]]:
    """The rows of the form of two folders; a class is a folder in `anomaly`."""
    for path in images_in(root / NORMAL, *SUFFIXES):
        yield row(path.relative_to(root), "", "")
    for path in images_in(root / ANOMALY, *SUFFIXES):
        file = path.relative_to(root)
        yield row(file, "", file.parts[1] if len(file.parts) > 2 else "anomaly")


def row(file: Path, split: str, defect: str, mask: str = "") -> dict[str, str]:
    """The row of one image, anomalous where it has a defect; without a key that says otherwise it is its own group."""
    name = file.as_posix()
    facts = {"id": name, "file": name, "group": name, "split": split}
    return facts | {"label": str(int(defect != "")), "defect": defect, "mask": mask}


def masks_of(root: Path) -> dict[Path, str]:
    """Masks by their image's path without suffix: `ground_truth/<class>/NNN_mask.png`, or `NNN.png`.

    Raises Misuse for a second mask of one image, and for one of another size than its image.
    """
    found: dict[Path, str] = {}
    images = {path.relative_to(root).with_suffix(""): path for path in images_in(root / TESTED, *SUFFIXES)}
    for path in images_in(root / MASKS, *SUFFIXES):
        inner = path.relative_to(root / MASKS)
        image = TESTED / inner.with_name(inner.stem.removesuffix("_mask"))
        if image in found:
            raise Misuse(f"{path}: a second mask of {image.as_posix()}, beside {found[image]}; keep one")
        if image in images and image_size(path) != image_size(images[image]):
            sizes = " x ".join(map(str, image_size(path))), " x ".join(map(str, image_size(images[image])))
            raise Misuse(f"{path}: {sizes[0]} px, expected {sizes[1]} px as {image.as_posix()}; mend one of the two")
        found[image] = path.relative_to(root).as_posix()
    return found


def facts(name: str, table: pd.DataFrame, counts: dict[str, int]) -> dict[str, Any]:
    """The card of a prepared folder; `counts` are those found, since nothing else says how many there should be."""
    released = bool((table["split"] != "").any())
    return {
        "title": f"{name}: images of your own",
        "task": "Tell anomalous images from normal ones.",
        "citation": [],
        "homepage": None,
        "licence": {"name": "not stated", "source": "a folder of your own"},
        "obtain": [f"python -m devnetlib data prepare {name} --from FOLDER"],
        "archives": [],
        "layout": "train/good, test/<class>, ground_truth/<class>" if released else "normal, anomaly",
        "division": "release" if released else "3:1",
        "readings": {OWN_READING: "Every image."},
        "counts": {OWN_READING: counts},
        "table1": None,
        "traps": [],
        "use": "A comparison of your own.",
        "limits": "How these images were chosen is not known here, nor whether two of them show one specimen.",
    }


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Anomalous images without a mask where others have one, images without a class, and byte-identical images."""
    bare = table.loc[(table["label"] == "1") & (table["mask"] == ""), "file"] if (table["mask"] != "").any() else []
    said = [f"{file}: no mask; no pixel of it is measured" for file in bare]
    used = set(table["file"])
    inner = [path.relative_to(root).as_posix() for path in images_in(root, *SUFFIXES)]
    unread = [file for file in inner if file not in used and Path(file).parts[0] != MASKS.name]
    return said + [f"{file}: in no folder of the layout, not read" for file in unread] + copies(table)
