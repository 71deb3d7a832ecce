"""The paper's printed numbers (Tables I-V) and its claims, read from `book/paper`, under the command line's names."""

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

PAPER = Path(__file__).resolve().parents[2] / "book" / "paper"
TABLES = (1, 2, 3, 4, 5)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C, where PyYAML has it: a second a process

# The command line's names on the left, the paper's on the right.
DATASETS = {
    "aitex": "AITEX",
    "brainmri": "BrainMRI",
    "elpv": "ELPV",
    "headct": "HeadCT",
    "hyperkvasir": "Hyper-Kvasir",
    "kolektorsdd": "SDD",
    "mastcam": "Mastcam",
    "mvtec": "MVTec AD",
    "optical": "Optical",
}
METHODS = {
    "deepsad": "DeepSAD",
    "deepsvdd": "DSVDD",
    "devnet": "DevNet",
    "ds": "DS",
    "ds_alexnet": "DS",
    "ds_resnet50": "DS",
    "flos": "FLOS",
    "kdad": "KDAD",
    "minns": "MINNS",
    "patch_ds": "Patch-DS",
    "rep": "Rep",
}
BACKBONES = {"ds_alexnet": "AlexNet", "ds_resnet50": "ResNet-50"}
DEVNET_IN_TABLE_5 = "MIL-DS"  # the ablation names DevNet after its parts


@dataclass(frozen=True)
class DataRef:
    """A data set, in one of its readings where it has several."""

    name: str
    reading: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.reading})" if self.reading else self.name


@dataclass(frozen=True)
class Lookup:
    """Where a printed number stands, in the paper's own names."""

    table: int
    dataset: str
    subset: str
    method: str
    backbone: str | None = None

    def value(self) -> tuple[float, float | None]:
        """Printed mean and sd over three runs (None where no sd is printed); ValueError where there is no such row."""
        keys = {"dataset": self.dataset, "subset": self.subset, "method": self.method, "backbone": self.backbone}
        found = _row(self.table, {name: key for name, key in keys.items() if key is not None})
        if found is None:
            raise ValueError(f"Table {self.table} has no row, or more than one, for {self}")
        return found


@dataclass(frozen=True)
class Vary:
    """The quantity that a claim varies (`anomalies` or `contamination`), from one value to another."""

    quantity: str
    start: float
    stop: float


@dataclass(frozen=True)
class Rule:
    """How a claim is judged: in words, with the constants that `statistics` is given."""

    name: str
    words: str
    verdicts: tuple[str, ...]
    constants: dict[str, float]
    lane: str | None = None
    over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, or a question of ours beside it (`extension`), judged by `rule` on each of its data sets.

    `methods` begins with the method that is judged; `options` gives, method by method, what departs from its defaults.
    `printed` has one lookup a data set. Sentences recomputed from the printed tables have no data set.
    """

    id: str
    question: str
    claim: str
    source: str
    methods: tuple[str, ...]
    lane: str
    rule: str
    status: str
    change_our_mind: str
    datasets: tuple[DataRef, ...] = ()
    printed: tuple[Lookup, ...] = ()
    options: tuple[dict[str, Any], ...] = ()
    protocol: str = "general"
    anomalies: int = 10
    contamination: float = 0.0
    vary: Vary | None = None
    measure: str = "auroc"
    extension: bool = False


def printed(table: int = 2) -> pd.DataFrame:
    """One of Tables I-V as tidy rows, names as the paper spells them. Raises ValueError for another table."""
    if table not in TABLES:
        raise ValueError(f"the paper has no Table {table}; its tables are {', '.join(map(str, TABLES))}")
    return _csv(f"table{table}.csv").copy()


def measured_again(dataset: str, anomalies: int = 10) -> tuple[float, float] | None:
    """Mean and sd of DevNet as Zhu et al. (2024, Tables 1 and 2) measured it with the released code, by the command
    line's name of a data set; None for a set or a number of labels (10 or 1) that they do not have."""
    rows = _csv("zhu2024.csv")
    rows = rows[(rows["dataset"] == DATASETS.get(dataset)) & (rows["anomalies"] == anomalies)]
    return tuple(map(float, rows.iloc[0][["mean", "sd"]])) if len(rows) else None


def p_values() -> pd.DataFrame:
    """The Wilcoxon p-values printed under Tables II and III: `table, test, method, p_printed`."""
    return _csv("pvalues.csv").copy()


def printed_value(
    dataset: str, method: str, table: int = 2, known: str | None = None, backbone: str = "ResNet-18"
) -> tuple[float, float | None] | None:
    """Printed mean and sd (None where none is printed) under the command line's names, e.g. `("elpv", "devnet")`.

    `known` is the class whose anomalies are labelled (Table III; without it the family's mean), `backbone` counts in
    Table V only. Returns None where the paper prints nothing, as for a method or data set of one's own. Raises
    ValueError for a table without scores, a class that is not in Table III and a backbone that is not in Table V.
    """
    if table not in TABLES[1:]:
        raise ValueError(f"scores are printed in Tables {', '.join(map(str, TABLES[1:]))}, not in Table {table}")
    family, _, subset = dataset.partition("/")
    keys = {"dataset": DATASETS.get(family), "subset": subset or "all", "method": METHODS.get(method)}
    if table == 3:  # there a subset of MVTec AD is a family of its own
        keys |= {"dataset": subset or keys["dataset"], "subset": known or "mean"}
        _check_class(known, keys["dataset"])
    if table == 4 and not subset:
        keys["subset"] = "mean"
    if table == 5:
        backbone = BACKBONES.get(method, backbone)
        backbones = sorted(printed(5)["backbone"].unique())
        if backbone not in backbones:
            raise ValueError(f"unknown backbone {backbone!r}; Table V has {', '.join(backbones)}")
        keys |= {"backbone": backbone, "method": DEVNET_IN_TABLE_5 if method == "devnet" else keys["method"]}
    return None if None in keys.values() else _row(table, keys)


def claims(question: str | None = None) -> list[Claim]:
    """All claims in the file's order, or those of one question ("Q1" to "Q6")."""
    questions = sorted({entry["question"] for entry in _document()["claims"]})
    if question is not None and question not in questions:
        raise ValueError(f"unknown question {question!r}; the questions are {', '.join(questions)}")
    return [_claim(entry) for entry in _document()["claims"] if question in (None, entry["question"])]


def claim(identifier: str) -> Claim:
    """The claim of this id. Raises ValueError listing the ids where there is none."""
    found = {entry.id: entry for entry in claims()}
    if identifier not in found:
        raise ValueError(f"unknown claim {identifier!r}; the claims are {', '.join(found)}")
    return found[identifier]


def rules() -> dict[str, Rule]:
    """The rules by name."""
    return {name: _rule(name, dict(entry)) for name, entry in _document()["rules"].items()}


def about() -> dict[str, Any]:
    """What the claims' file says of itself; `pilot` and `changes` are among its keys."""
    document = _document()
    return document["about"] | {"pilot": document["pilot"], "changes": document["changes"]}


def _rule(name: str, entry: dict[str, Any]) -> Rule:
    words, verdicts = entry.pop("words"), tuple(entry.pop("verdicts"))
    lane, over = entry.pop("lane", None), tuple(entry.pop("over", ()))
    return Rule(name, words, verdicts, constants=entry, lane=lane, over=over)


def _claim(entry: dict[str, Any]) -> Claim:
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
        if name in {field.name for field in fields(Claim)}
    }
    values["datasets"] = tuple(DataRef(**reference) for reference in entry.get("datasets", ()))
    values["printed"] = tuple(Lookup(**lookup) for lookup in entry.get("printed", ()))
    if vary := entry.get("vary"):
        values["vary"] = Vary(vary["quantity"], vary["from"], vary["to"])
    return Claim(**values)


def _row(table: int, keys: dict[str, str]) -> tuple[float, float | None] | None:
    """Mean and sd of the one row whose columns equal `keys` (case apart); None where there is none."""
    rows = _csv(f"table{table}.csv")
    for column, key in keys.items():
        if column not in rows:
            return None
        rows = rows[rows[column].str.casefold() == key.casefold()]
    if len(rows) != 1:
        return None
    mean, sd = rows.iloc[0][["mean", "sd"]]
    return float(mean), None if pd.isna(sd) else float(sd)


def _check_class(known: str | None, family: str | None) -> None:
    rows = _csv("table3.csv")
    classes = rows[rows["dataset"].str.casefold() == str(family).casefold()]["subset"].drop_duplicates()
    if known and len(classes) and known.casefold() not in set(classes.str.casefold()):
        raise ValueError(f"unknown class {known!r} of {family}; Table III has {', '.join(classes)}")


@cache
def _csv(name: str) -> pd.DataFrame:
    return pd.read_csv(_file(name))


@cache
def _document() -> dict[str, Any]:
    return yaml.load(_file("claims.yml").read_text(encoding="utf-8"), Loader=LOADER)


def _file(name: str) -> Path:
    if not (PAPER / name).is_file():
        raise FileNotFoundError(f"{PAPER / name} is missing: use devnetlib from a clone (pip install -e .)")
    return PAPER / name
