"""The synthetic toy, written once as files so that it passes through the same doors as a real release.

The files are grey PGM, a header and the pixels: their bytes depend on no library. What they must be is drawn anew in
every process, so that a damaged file is always found, and the folder bears a digest of it all: files of an older
drawing are never taken for these.
"""

import hashlib
import shutil
from functools import cache
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

from devnetlib.data.layouts.files import image_table
from devnetlib.data.toy import DEFECTS, toy_image
from devnetlib.errors import Incomplete, unwritable

NORMALS, ANOMALIES = 120, 20  # images without a defect; with one, for each kind
GOOD, MASKS = "good", "masks"  # folders


def locate(data_root: Path) -> Path:
    """The folder of the toy's files; draws them first where they are not there. A half-written folder never bears
    the name. Incomplete where a file is missing or is not what is drawn, Unwritable where none can be written."""
    root = data_root / f"toy-{digest()}"
    if not root.is_dir():
        temporary = data_root / f"{root.name}.{uuid4().hex}.tmp"
        try:
            write(temporary)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise unwritable(root, error, "name another folder with --data-root or DEVNET_DATA") from None
        try:
            temporary.rename(root)
        except OSError:  # another process was faster
            shutil.rmtree(temporary)
    check(root)
    return root


@cache
def files() -> dict[str, bytes]:
    """What every file must hold: `<kind>/<number>.pgm` and, for defects, `masks/<kind>/<number>.pgm`."""
    held = {}
    for kind, count in {GOOD: NORMALS, **dict.fromkeys(DEFECTS, ANOMALIES)}.items():
        for number in range(count):
            image, mask = toy_image(number, "" if kind == GOOD else kind)
            held[f"{kind}/{number:03d}.pgm"] = pgm(image)
            if kind != GOOD:
                held[f"{MASKS}/{kind}/{number:03d}.pgm"] = pgm(255 * mask.astype(np.uint8))
    return held


def pgm(image: np.ndarray) -> bytes:
    """A grey image, uint8 (height,width), as a file."""
    height, width = image.shape
    return b"P5\n%d %d\n255\n" % (width, height) + image.tobytes()


def write(root: Path) -> None:
    """Write all files into a folder."""
    for file, content in files().items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)


@cache
def hashes() -> dict[str, str]:
    """The hash that every file must have, masks included."""
    return {file: hashlib.sha256(content).hexdigest() for file, content in files().items()}


def digest() -> str:
    """8 hex digits that name the drawing."""
    return hashlib.sha256("".join(hashes().values()).encode()).hexdigest()[:8]


def check(root: Path) -> None:
    """Incomplete that names files of a folder which are missing or not as they were drawn."""
    faults = [file for file, content in files().items() if not holds(root / file, content)]
    if faults:
        told = f"{len(faults)} of {len(files())} files are missing or not as drawn ({', '.join(faults[:3])})"
        raise Incomplete(f"{root}: {told}; remove this folder, and it is drawn again on the next use")


def holds(path: Path, content: bytes) -> bool:
    """Whether a file is there and holds this."""
    return path.is_file() and path.read_bytes() == content


def read(root: Path) -> pd.DataFrame:
    """One row an image; `defect` is the kind. The hashes are those that the files must have."""
    images = (file for file in hashes() if not file.startswith(f"{MASKS}/"))
    return image_table(row(file) for file in images)


def row(file: str) -> dict[str, str]:
    """The row of one image."""
    kind, name = file.split("/")[0], file.removesuffix(".pgm").replace("/", "-")
    facts = {"id": name, "group": name, "file": file, "sha256": hashes()[file]}
    return facts | ({"label": "0"} if kind == GOOD else {"label": "1", "defect": kind, "mask": f"{MASKS}/{file}"})
