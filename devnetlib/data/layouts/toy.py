"""The synthetic toy, written once as files so that it passes through the same doors as a real release."""

import hashlib
import os
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from devnetlib.data.manifests import read_table, write_table
from devnetlib.data.toy import DEFECTS, toy_image

TABLE = "image_table.csv"

NORMALS, ANOMALIES = 80, 20  # images without a defect; with one, for each kind


def locate(data_root: Path) -> Path:
    """The folder of the toy's files; draws them first where they are not there. A half-written folder never bears
    the name."""
    root = data_root / "toy"
    if not root.is_dir():
        temporary = data_root / f"toy.{os.getpid()}.tmp"
        draw(temporary)
        try:
            temporary.rename(root)
        except OSError:  # another process was faster
            shutil.rmtree(temporary)
    return root


def draw(root: Path) -> None:
    """Write `<kind>/<number>.png` and, for defects, `masks/<kind>/<number>.png`."""
    for kind, count in (("good", NORMALS), *((defect, ANOMALIES) for defect in DEFECTS)):
        (root / kind).mkdir(parents=True)
        (root / "masks" / kind).mkdir(parents=True)
        for number in range(count):
            image, mask = toy_image(number, "" if kind == "good" else kind)
            Image.fromarray(image).save(root / kind / f"{number:03d}.png")
            if kind != "good":
                Image.fromarray(mask).save(root / "masks" / kind / f"{number:03d}.png")
    write_table(listed(root), root / TABLE)


def read(root: Path) -> pd.DataFrame:
    """The image table as it was written when the files were drawn, so that a file damaged since is found."""
    return read_table(root / TABLE)


def listed(root: Path) -> pd.DataFrame:
    """One row an image; `defect` is hole or scratch."""
    files = sorted(path.relative_to(root) for kind in ("good", *DEFECTS) for path in (root / kind).glob("*.png"))
    rows = []
    for file in files:
        kind, name = file.parent.name, f"{file.parent.name}-{file.stem}"
        anomalous = kind != "good"
        row = {"id": name, "file": file.as_posix(), "label": str(int(anomalous)), "group": name}
        row |= {"defect": kind if anomalous else "", "mask": f"masks/{file.as_posix()}" if anomalous else ""}
        rows.append(row | {"sha256": hashlib.sha256((root / file).read_bytes()).hexdigest()})
    return pd.DataFrame(rows).assign(x="", y="", width="", height="", split="")
