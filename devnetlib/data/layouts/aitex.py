"""AITEX: strips of seven fabrics (Silvestre-Blanes et al. 2019), read as tiles of 256 px.

A tile is a crop of an untouched strip; its mask is the same crop of the strip's masks, merged by maximum.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, image_size, images_in, read_mask
from devnetlib.errors import Misuse

TILE = 256  # pixels
CLEAN, DEFECTIVE, MASKS = "NODefect_images", "Defect_images", "Mask_images"
DEFECTS = {  # by the code in the name of a strip, IIII_CCC_FF.png
    **{"002": "Broken_end", "006": "Broken_yarn", "010": "Broken_pick", "016": "Weft_curling", "019": "Fuzzyball"},
    **{"022": "Cut_selvage", "023": "Crease", "025": "Warp_ball", "027": "Knots", "029": "Contamination"},
    **{"030": "Nep", "036": "Weft_crack"},
}
UNUSED = "unused"


def find(folder: Path) -> Path:
    """The folder that holds the three folders of the release, in any capitals; Misuse where there is none."""
    expected = f"{CLEAN}, {DEFECTIVE} and {MASKS} side by side, with .png files"
    names = (CLEAN, DEFECTIVE, MASKS)
    return find_root(folder, lambda place: all(folder_named(place, name) for name in names), expected)


def folder_named(place: Path, name: str) -> Path | None:
    """The folder of that name in any capitals (`NODefect_images`, `NoDefect_images`), or the one of the same name
    inside it, as copies of the release nest it; None where there is none."""
    for path in sorted(place.iterdir()):
        if path.is_dir() and path.name.lower() == name.lower():
            return folder_named(path, name) or path
    return None


def strips(root: Path, name: str) -> list[Path]:
    """The .png files of one of the three folders, those in a folder `unused` left out."""
    folder = folder_named(root, name)
    return [path for path in images_in(folder, ".png") if not unused(path.relative_to(folder))]


def unused(file: Path) -> bool:
    """Whether a file lies in a folder `unused`."""
    return UNUSED in (part.lower() for part in file.parts[:-1])


def masks_of(root: Path) -> dict[str, list[Path]]:
    """Masks by the name of their strip: `<strip>_mask.png`, or `_mask1`, `_mask2` where there are several."""
    found: dict[str, list[Path]] = {}
    for path in strips(root, MASKS):
        found.setdefault(re.sub(r"_mask\d*$", "", path.stem), []).append(path)
    return found


def read(root: Path) -> pd.DataFrame:
    """One row a tile: all of a clean strip, and of a defective one those with a pixel of a mask.

    The other tiles of a defective strip are left out, as in the released converter: nobody has called them clean. A
    strip without a mask has no tile therefore. `group` is the strip. Raises Misuse for an empty folder, and for a
    mask that is damaged or of another size than its strip.
    """
    rows = [tile for path in strips(root, CLEAN) for tile in clean_tiles(root, path)]
    masks = masks_of(root)
    defective = [path for path in strips(root, DEFECTIVE) if code(path) in DEFECTS]
    for what, found in ((CLEAN, rows), (DEFECTIVE, defective), (MASKS, masks)):
        if not found:
            raise Misuse(f"{folder_named(root, what)}: no strip in it, expected .png files; unpack the release again")
    for path in defective:
        rows += defective_tiles(root, path, masks.get(path.stem, []))
    return finished(rows, root)


def code(path: Path) -> str:
    """The defect's code in the name of a strip, empty for a name of another form."""
    named = re.fullmatch(r"\d+_(\d{3})_\d+", path.stem)
    return named[1] if named else ""


def tiles(path: Path) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of a strip's tiles from left to right; the last may be narrower."""
    width, height = image_size(path)
    return [(x, 0, min(TILE, width - x), height) for x in range(0, width, TILE)]


def row(root: Path, path: Path, number: int, box: tuple[int, int, int, int], strip: str) -> dict[str, str]:
    """What the row of every tile has."""
    facts = {"id": f"{strip}_{number:02d}", "file": path.relative_to(root).as_posix(), "group": strip}
    return facts | dict(zip(("x", "y", "width", "height"), map(str, box), strict=True))


def clean_tiles(root: Path, path: Path) -> list[dict[str, str]]:
    """A row for each tile of a clean strip, named by fabric, strip and place."""
    inner = path.relative_to(folder_named(root, CLEAN)).with_suffix("")
    strip = "_".join(inner.parts)
    return [row(root, path, number, box, strip) | {"label": "0"} for number, box in enumerate(tiles(path))]


def defective_tiles(root: Path, path: Path, masks: list[Path]) -> list[dict[str, str]]:
    """A row for each tile of a defective strip in which one of its masks has a pixel."""
    marked = np.any([read_mask(mask, image_size(path)) for mask in masks], axis=0) if masks else None
    facts = {"label": "1", "defect": DEFECTS[code(path)]}
    facts["mask"] = "|".join(mask.relative_to(root).as_posix() for mask in masks)
    return [
        row(root, path, number, (x, y, width, height), path.stem) | facts
        for number, (x, y, width, height) in enumerate(tiles(path))
        if marked is not None and marked[:, x : x + width].any()
    ]


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Strips without a mask or with an empty or a second one, names without a known code, files in `unused`, masks of
    no strip, strips that are not a whole number of tiles wide, and byte-identical strips."""
    masks, used = masks_of(root), set(table["file"])
    said = []
    for path in strips(root, DEFECTIVE):
        file, own = path.relative_to(root).as_posix(), masks.pop(path.stem, [])
        if code(path) not in DEFECTS:
            said.append(f"{file}: no code of a defect in its name, not read")
        elif not own:
            said.append(f"{file}: no mask {path.stem}_mask.png, so it is not known which tiles are defective: not read")
        elif file not in used:
            said.append(f"{file}: its mask is empty: not read")
        elif len(own) > 1:
            said.append(f"{file}: {len(own)} masks, merged")
    said += [f"{path.relative_to(root).as_posix()}: a mask of no strip" for own in masks.values() for path in own]
    inner = (path.relative_to(root) for path in images_in(root, ".png"))
    said += [f"{file.as_posix()}: in a folder {UNUSED}, not read" for file in inner if unused(file)]
    widths = {file: image_size(root / file)[0] for file in sorted(used)}
    said += [f"{file}: {width} px wide, its last tile is narrower" for file, width in widths.items() if width % TILE]
    return said + copies(table)
