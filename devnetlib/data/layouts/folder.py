"""A folder of your own, prepared as `my/<name>`, in one of two forms.

    As MVTec AD: train/good/*, test/good/*, test/<class>/*; the mask of test/<class>/NNN is
                 ground_truth/<class>/NNN_mask
    Two folders: normal/*, anomaly/* or anomaly/<class>/*; normals are divided 3:1; the mask of anomaly/<class>/NNN is
                 ground_truth/<class>/NNN_mask or ground_truth/NNN_mask

A mask may be named NNN alone.
Where there is no ground_truth, masks/ stands for it. Links are followed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, image_size, images_in
from devnetlib.data.layouts.formats import SUFFIXES
from devnetlib.data.manifests import OWN_READING
from devnetlib.errors import Misuse

TRAINED, TESTED, MASKS = Path("train/good"), Path("test"), (Path("ground_truth"), Path("masks"))
NORMAL, ANOMALY = Path("normal"), Path("anomaly")
MASK_NAME = re.compile(r"(.+)[ _.-](?:masks?|gt|labels?|seg)(?:[_-]?[0-9]+)?", re.IGNORECASE)
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

    Raises Misuse for a part without images, for two masks of one image, for a mask whose image is missing, for one
    among the images and for a mask of another size than its image.
    """
    rows = list(divided_rows(root) if divided(root) else plain_rows(root))
    for what, enough in needed(root, rows).items():
        if not enough:
            raise Misuse(f"{root}: {what}; expected {EXPECTED}, with files {', '.join(SUFFIXES)} in each")
    check_no_masks(root, [Path(row["file"]) for row in rows])
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
    """The rows of the form of MVTec AD; Misuse for a folder that is `good` in other letters, not a class."""
    tested = [path for path in images_in(root / TESTED, *SUFFIXES) if len(path.relative_to(root / TESTED).parts) > 1]
    for path in images_in(root / TRAINED, *SUFFIXES):
        yield row(path.relative_to(root), "train", "")
    masks = masks_of(root, TESTED, tested)
    for path in tested:
        file = path.relative_to(root)
        kind = file.parts[1]
        if kind != "good" and kind.strip().lower() == "good":
            raise Misuse(f"{root / TESTED / kind}: a class named as the normal images are, test/good; rename one")
        yield row(file, "test", "" if kind == "good" else kind, masks.get(path, ""))


def plain_rows(root: Path) -> Iterator[dict[str, str]]:
    """The rows of the form of two folders; a class is a folder in `anomaly`."""
    for path in images_in(root / NORMAL, *SUFFIXES):
        yield row(path.relative_to(root), "", "")
    anomalous = images_in(root / ANOMALY, *SUFFIXES)
    masks = masks_of(root, ANOMALY, anomalous)
    for path in anomalous:
        file = path.relative_to(root)
        yield row(file, "", file.parts[1] if len(file.parts) > 2 else "anomaly", masks.get(path, ""))


def row(file: Path, split: str, defect: str, mask: str = "") -> dict[str, str]:
    """The row of one image, anomalous where it has a defect; without a key that says otherwise it is its own group."""
    name = file.as_posix()
    facts = {"id": name, "file": name, "group": name, "split": split}
    return facts | {"label": str(int(defect != "")), "defect": defect, "mask": mask}


def mask_folder(root: Path) -> Path:
    """The folder of the masks, whether it is there or not."""
    return next((root / name for name in MASKS if (root / name).is_dir()), root / MASKS[0])


def masks_of(root: Path, part: Path, images: list[Path]) -> dict[Path, str]:
    """Masks, as paths within the root, by the image of `part` that they fit. In the form of two folders a mask that
    fits none or several is left out.

    Raises Misuse for one in the form of MVTec AD, for a second mask of one image, for one of another size than its
    image, and for a name that a list of masks cannot hold.
    """
    found: dict[Path, str] = {}
    folder, named = mask_folder(root), by_name(root / part, images)
    for path in images_in(folder, *SUFFIXES):
        mask, fits = path.relative_to(root).as_posix(), fitting(path.relative_to(folder), part, named)
        if len(fits) != 1 and part == ANOMALY:
            continue  # told in the remarks
        if len(fits) != 1:
            image = (part / path.relative_to(folder)).with_name(unmasked(path.stem)).as_posix()
            several = f"it fits {' and '.join(image.relative_to(root).as_posix() for image in fits)}"
            what = several if fits else f"there is no anomalous image {image} (NNN or NNN_mask is the mask of NNN)"
            raise Misuse(f"{path}: a mask, but {what}; mend one of the two")
        (image,) = fits
        name = image.relative_to(root).as_posix()
        if image in found:
            raise Misuse(f"{path}: a second mask of {name}, beside {found[image]}; keep one")
        if "|" in mask:
            raise Misuse(f"{path}: a mask with | in its path, which stands between the masks of an image; rename it")
        if image_size(path) != image_size(image):
            sizes = (" x ".join(map(str, image_size(each))) for each in (path, image))
            raise Misuse("{}: {} px, expected {} px as {}; mend one of the two".format(path, *sizes, name))
        found[image] = mask
    return found


def by_name(folder: Path, images: list[Path]) -> dict[Path, list[Path]]:
    """Images by their path within a folder, without suffix."""
    named: dict[Path, list[Path]] = {}
    for path in images:
        named.setdefault(path.relative_to(folder).with_suffix(""), []).append(path)
    return named


def fitting(mask: Path, part: Path, named: dict[Path, list[Path]]) -> list[Path]:
    """The images that a mask, by its path within its folder, may belong to: those of its name, with or without
    `_mask`; of two folders, where its folder says no class, in any class."""
    inner = mask.relative_to(part) if mask.is_relative_to(part) else mask
    keys = {inner.with_suffix(""), inner.with_name(unmasked(inner.stem))}
    fits = [image for key in sorted(keys) for image in named.get(key, [])]
    if fits or part != ANOMALY or inner.parent != Path("."):
        return fits
    return [image for key, images in named.items() if Path(key.name) in keys for image in images]


def unmasked(stem: str) -> str:
    """The name without the ending of a mask, unless it is nothing else."""
    return stem.removesuffix("_mask") or stem


def check_no_masks(root: Path, files: list[Path]) -> None:
    """Misuse for a mask among the images, which any detector would tell from them: in a folder of masks, or named as
    the mask of an image beside it."""
    names = {file.with_suffix("") for file in files}
    for file in files:
        named = MASK_NAME.fullmatch(file.stem)
        if any(Path(part.lower()) in MASKS for part in file.parts[1:-1]):
            told = "in a folder of masks"
        elif named and file.with_name(named[1]) in names:
            told = f"named as the mask of {named[1]} beside it"
        else:
            continue
        raise Misuse(f"{root / file}: {told}, among the images; move the masks to {root / MASKS[0]}, or rename it")


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
    """Anomalous images without a mask where others have one, and byte-identical images."""
    bare = table.loc[(table["label"] == "1") & (table["mask"] == ""), "file"] if (table["mask"] != "").any() else []
    return [f"{file}: no mask; no pixel of it is measured" for file in bare] + copies(table)


def why_not_read(root: Path, path: Path) -> str:
    """Why an image below the root, or beside it, is none of the set's."""
    if path.is_relative_to(mask_folder(root)):
        return "a mask that fits no anomalous image, or several"
    return "in no folder of the layout" if path.is_relative_to(root) else f"outside {root.name}, which is the set"
