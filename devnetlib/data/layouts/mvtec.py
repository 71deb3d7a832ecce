"""MVTec AD: fifteen subsets of one layout (Bergmann et al. 2019); each is read alone, as `mvtec/<subset>`."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from devnetlib.data.layouts.files import copies, find_root, finished, image_size, images_in
from devnetlib.errors import Misuse, unknown

SUBSETS = (
    *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw", "tile"),
    *("toothbrush", "transistor", "wood", "zipper"),
)
EXPECTED = "train/good and test/good with .png files (and ground_truth), as in mvtec_anomaly_detection.tar.xz"


def find(folder: Path, subset: str | None = None) -> Path:
    """The subset's own folder: `folder` itself, or the one of that name inside; without a name, the first there is.

    Raises Misuse for an unknown subset, where there is none, and for the folder of another subset.
    """
    if subset is not None and subset not in SUBSETS:
        raise unknown("subset of mvtec", subset, SUBSETS)

    def whole(place: Path) -> bool:
        named = subset is None or place == folder or place.name == subset
        return named and (place / "train" / "good").is_dir() and (place / "test" / "good").is_dir()

    root = find_root(folder, whole, f"{subset}/ with {EXPECTED}" if subset else EXPECTED)
    other = root.resolve().name
    if subset is not None and other != subset and other in SUBSETS:
        raise Misuse(f"{root}: found the subset {other}, expected {subset}; name the folder of {subset}")
    return root


def read(root: Path) -> pd.DataFrame:
    """One row an image, divided as the release divides them; `defect` is the folder's name, masks are paired by name.

    An image without its mask has none in its row. Raises Misuse for a mask whose image is missing and for a mask of
    another size than its image.
    """
    images = {
        path.relative_to(root).as_posix() for path in (*images_in(root / "train" / "good", ".png"), *tested(root))
    }
    for mask in images_in(root / "ground_truth", ".png"):
        image = image_of(mask.relative_to(root))
        if image not in images:
            raise Misuse(f"{mask}: a mask, but its image {image} is missing; unpack the release again")
        if image_size(mask) != image_size(root / image):
            raise Misuse(f"{mask}: {size(mask)}, expected {size(root / image)} as {image}; unpack the release again")
    return finished((row(root, file) for file in sorted(images)), root)


def size(path: Path) -> str:
    """Width and height in words."""
    return "{} x {} px".format(*image_size(path))


def tested(root: Path) -> Iterator[Path]:
    """The images of `test/<defect>` and `test/good`."""
    return (path for path in images_in(root / "test", ".png") if path.parent.parent == root / "test")


def image_of(mask: Path) -> str:
    """`ground_truth/<defect>/NNN_mask.png` -> `test/<defect>/NNN.png`."""
    return (Path("test") / mask.parent.name / f"{mask.stem.removesuffix('_mask')}.png").as_posix()


def mask_of(file: Path) -> str:
    """`test/<defect>/NNN.png` -> `ground_truth/<defect>/NNN_mask.png`."""
    return (Path("ground_truth") / file.parent.name / f"{file.stem}_mask.png").as_posix()


def row(root: Path, file: str) -> dict[str, str]:
    """The row of one image, named by its path within the subset."""
    path = Path(file)
    split, kind = path.parts[:2]
    anomalous = kind != "good"
    mask = mask_of(path) if anomalous and (root / mask_of(path)).is_file() else ""
    name = "-".join((split, kind, path.stem))
    facts = {"id": name, "file": file, "split": split, "label": str(int(anomalous)), "group": name}
    return facts | {"defect": kind if anomalous else "", "mask": mask}


def remarks(root: Path, table: pd.DataFrame) -> list[str]:
    """Anomalous images without a mask, by name, and byte-identical images."""
    bare = table.loc[(table["label"] == "1") & (table["mask"] == ""), "file"]
    return [f"{file}: no mask {mask_of(Path(file))}; no pixel of it is measured" for file in bare] + copies(table)
