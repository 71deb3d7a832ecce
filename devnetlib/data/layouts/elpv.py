"""ELPV: solar cells in electroluminescence, from the authors' own package `elpv-dataset` (Deitsch et al. 2019)."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from devnetlib.errors import Misuse

LABELS = {"0.0": "0", "1.0": "1"}  # the released converter: exactly 0 is normal, exactly 1 anomalous, the rest left out
THIRDS = {"0.3333333333333333": " 1/3", "0.6666666666666666": " 2/3"}


def locate(data_root: Path) -> Path:
    """The folder inside the installed package that holds `labels.csv` and `images/`; nothing is copied."""
    package = find_spec("elpv_dataset")
    if package is None:
        raise Misuse("ELPV is not at hand: install it with 'pip install elpv-dataset' or 'make venv'")
    return Path(package.origin).parent / "data"


def read(root: Path) -> pd.DataFrame:
    """All 2,624 cells; those with a defect probability of 1/3 or 2/3 have no label. `defect` names the module type.

    Cells come from 44 modules, but which is not published, so each is its own group.
    """
    rows = [line.split() for line in (root / "labels.csv").read_text().splitlines()]
    table = pd.DataFrame(rows, columns=["file", "probability", "module"])
    probability = table.pop("probability")
    module = table.pop("module")
    table["id"] = table["file"].map(lambda file: Path(file).stem)
    table["label"] = probability.map(LABELS).fillna("")
    table["defect"] = (module + probability.map(THIRDS).fillna("")).where(probability != "0.0", "")
    table["group"] = table["id"]
    table["sha256"] = [hashlib.sha256((root / file).read_bytes()).hexdigest() for file in table["file"]]
    return table.assign(x="", y="", width="", height="", split="", mask="")
