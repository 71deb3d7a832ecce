"""Optical: DAGM 2007, ten artificial textures (Heidelberg's release, or its copy on Kaggle), read as one set."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, image_size, images_in
from devnetlib.errors import Misuse

TEXTURES = [f"Class{number}" for number in range(1, 11)]
HALVES = ("Train", "Test")


def find(folder: Path) -> Path:
    """The folder that holds `Class1` to `Class10`; of two copies in one archive the one that lies higher.

    Raises Misuse where no folder holds all ten.
    """
    expected = "Class1 to Class10, each with Train and Test (once or twice nested: Class1/Class1/Train)"
    return find_root(folder, lambda place: all(texture_folder(place, name) for name in TEXTURES), expected)


def texture_folder(root: Path, texture: str) -> Path | None:
    """The folder of a texture's `Train` and `Test`: `Class1/Class1` as the release nests it, else `Class1`."""
    for folder in (root / texture / texture, root / texture):
        if all((folder / half / "Label" / "Labels.txt").is_file() for half in HALVES):
            return folder
    return None


def read(root: Path) -> pd.DataFrame:
    """One row an image that a `Labels.txt` names; `defect` is the texture of a defective one, in DAGM's own numbers.

    DAGM's own division is ignored (`split` is empty), as in the released converter; each image is its own group.
    Raises Misuse for a listed image or mask that is missing, and for a mask of another size than its image.
    """
    rows = []
    for texture in TEXTURES:
        inner = texture_folder(root, texture)
        if inner is None:
            raise Misuse(f"{root / texture}: no Train and Test with Label/Labels.txt in it; unpack the release again")
        for folder in (inner / half for half in HALVES):
            rows += [row(root, folder, texture, image, mask) for image, mask in listed(folder)]
    return finished(rows, root)


def listed(folder: Path) -> Iterator[tuple[str, str]]:
    """(image, mask) names that `Label/Labels.txt` gives, the mask empty for a clean image.

    The first line holds a 1 alone; then one line an image: its number, 0 or 1, its name, 0, the mask's name or 0,
    separated by tabs. Misuse for a line of another form.
    """
    path = folder / "Label" / "Labels.txt"
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        cells = line.split("\t")
        if line.strip() in ("", "1"):
            continue
        if len(cells) < 5 or cells[1] not in ("0", "1"):
            raise Misuse(f"{path}, line {number}: {line!r}, expected number, 0 or 1, image, 0, mask; unpack it again")
        yield cells[2].strip(), cells[4].strip() if cells[1] == "1" else ""


def row(root: Path, folder: Path, texture: str, image: str, mask: str) -> dict[str, str]:
    """The row of one image; `mask` is empty for a clean one."""
    paths = [folder / image, *([folder / "Label" / mask] if mask else [])]
    for path in paths:
        if not path.is_file():
            raise Misuse(f"{path}: missing, but {folder / 'Label' / 'Labels.txt'} names it; unpack the release again")
    if len({image_size(path) for path in paths if mask}) > 1:
        raise Misuse(f"{paths[1]}: a mask of another size than its image {image}; unpack the release again")
    name = f"{texture}-{folder.name}-{Path(image).stem}"
    files = [path.relative_to(root).as_posix() for path in paths]
    facts = {"id": name, "file": files[0], "label": str(len(files) - 1), "group": name}
    return facts | ({"defect": texture, "mask": files[1]} if mask else {})


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Images that no `Labels.txt` names (a second copy among them), which are not read, and byte-identical images."""
    known = {*table["file"], *table["mask"]}
    unread = [path.relative_to(root).as_posix() for path in images_in(root, ".png")]
    unread = [file for file in unread if file not in known and not file.lower().endswith("_label.png")]
    said = f"{len(unread)} images that no Labels.txt names are not read (first: {unread[0]})" if unread else ""
    return [said] * bool(said) + copies(table)
