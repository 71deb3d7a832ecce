"""The paper's families of data sets: its methods over each family, from the printed means alone.

A family is a frame: a row a data set `(dataset, subset)`, a column a method under the book's title, AUROC in [0, 1].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, sqrt

import numpy as np
import pandas as pd

from devnetlib.errors import unknown
from devnetlib.report.paper import DEVNET_IN_TABLE_5, p_values, printed
from devnetlib.report.statistics import ROUNDING, holm, wilcoxon

DEVNET = "DevNet"
TITLES = {"DeepSAD": "Deep SAD", "DSVDD": "Deep SVDD", DEVNET_IN_TABLE_5: DEVNET}  # where the book's is another
OWN_BACKBONE = "ResNet-18"
SUMMARIES = ("all", "Mean")  # subsets that stand for a whole data set
DIVIDED = "MVTec AD"  # printed by subset beside its whole
LEVEL = 0.05


@dataclass(frozen=True)
class Family:
    """Rows of one of the paper's tables: whole data sets, or the single sets behind them."""

    title: str
    table: int
    single: bool
    test: str = ""  # the name under which `pvalues.csv` has its p-values; none are printed where it is empty


FAMILIES = {
    "nine": Family("the nine data sets of Table II", 2, False, "p-value (9)"),
    "twenty-three": Family("the twenty-three sets of Table II", 2, True, "p-value (23)"),
    "thirty": Family("the thirty open sets of Table III", 3, True, "p-value"),
    "six": Family("the six families of Table III", 3, False),
    "fifteen": Family("the fifteen categories of Table IV", 4, True),
    "twenty-two": Family("the twenty-two sets of Table V", 5, True),
}


@dataclass(frozen=True)
class Ranked:
    """Mean ranks of the methods of a family (1 is best, ties averaged), best first, and the tests that go with them.

    `chi_square` and `p` are Friedman's; mean ranks nearer than `critical_difference` are not told apart (Nemenyi).
    """

    ranks: dict[str, float]
    sets: int
    chi_square: float
    p: float
    critical_difference: float


def family(name: str) -> Family:
    """A family by its name; Misuse lists the valid ones."""
    if name not in FAMILIES:
        raise unknown("family", name, FAMILIES)
    return FAMILIES[name]


def means(name: str) -> pd.DataFrame:
    """The printed means of a family: sets in rows and methods in columns as printed, DevNet first."""
    of = family(name)
    table = printed(of.table)
    summary = table["subset"].isin(SUMMARIES)
    single = ~summary | ((table["subset"] == "all") & (table["dataset"] != DIVIDED))
    rows = table[single if of.single else summary]
    rows = rows.assign(title=[title(row) for _, row in rows.iterrows()])
    index = pd.MultiIndex.from_frame(rows[["dataset", "subset"]].drop_duplicates())
    columns = sorted(rows["title"].unique(), key=lambda name: name != DEVNET)
    return rows.pivot(index=["dataset", "subset"], columns="title", values="mean").reindex(index)[columns]


def title(row: pd.Series) -> str:
    """The book's title of the method of a printed row, with its backbone where that is not the usual one."""
    name = TITLES.get(row["method"], row["method"])
    backbone = row.get("backbone", OWN_BACKBONE)
    return name if backbone == OWN_BACKBONE else f"{name} on {backbone}"


def differences(name: str, first: str, second: str) -> pd.Series:
    """First minus second on every set of a family, free of floating-point noise."""
    values = means(name)
    return (values[first] - values[second]).round(ROUNDING)


def comparisons(name: str, first: str = DEVNET) -> pd.DataFrame:
    """`first` against every other method of a family, a row a rival.

    `p` of the signed-rank test and its `test` ("exact" below ten sets, else "approx") as the paper's come out, both
    kinds beside it, `p_holm` over the rows, `rank_biserial` in [-1, 1] (above 0: first is better), `wins`, `losses`,
    `ties` in sets, and `p_printed` (NaN where the paper prints none).
    """
    return _comparisons(name, first).copy()


def printed_p(name: str) -> pd.Series:
    """The p-values printed for a family, by the book's title of the rival; empty where none are."""
    rows = p_values()
    rows = rows[(rows["table"] == f"table{family(name).table}") & (rows["test"] == family(name).test)].dropna()
    return pd.Series(rows["p_printed"].to_numpy(), index=[TITLES.get(method, method) for method in rows["method"]])


@cache
def _comparisons(name: str, first: str) -> pd.DataFrame:
    values = means(name)
    rivals = values.columns.drop(first)
    frame = pd.DataFrame({rival: _comparison(values[first], values[rival]) for rival in rivals}).T.infer_objects()
    frame.insert(frame.columns.get_loc("p_approx") + 1, "p_holm", holm(frame["p"].astype(float)))
    return frame.assign(p_printed=printed_p(name).reindex(frame.index) if first == DEVNET else np.nan)


def _comparison(first: pd.Series, rival: pd.Series) -> dict[str, float | int | str]:
    usual = wilcoxon(first, rival)
    signs = np.sign((first - rival).round(ROUNDING))
    return {
        "p": usual.p,
        "test": usual.method,
        "p_exact": wilcoxon(first, rival, "exact").p,
        "p_approx": wilcoxon(first, rival, "approx").p,
        "rank_biserial": usual.rank_biserial,
        "wins": int((signs > 0).sum()),
        "losses": int((signs < 0).sum()),
        "ties": int((signs == 0).sum()),
    }


def ranked(name: str, methods: Sequence[str] | None = None) -> Ranked:
    """Mean ranks, Friedman's test and Nemenyi's critical difference over a family; `methods` (None: all of it, else
    three at least) are those that are ranked."""
    from scipy import stats  # takes two seconds to import, and most pages do without

    values = means(name)
    values = (values if methods is None else values[list(methods)]).round(ROUNDING)
    ranks = values.rank(axis=1, ascending=False).mean().sort_values(kind="stable")
    test = stats.friedmanchisquare(*(values[method] for method in values))
    width = critical_difference(len(ranks), len(values))
    return Ranked(ranks.to_dict(), len(values), float(test.statistic), float(test.pvalue), width)


@cache
def critical_difference(methods: int, sets: int, level: float = LEVEL) -> float:
    """Nemenyi's: mean ranks of so many methods over so many sets differ at `level` where they are further apart
    (Demšar, JMLR 7, 2006, Sec. 3.2.2)."""
    from scipy import stats  # as above

    studentized = stats.studentized_range.ppf(1 - level, methods, inf) / sqrt(2)
    return float(studentized * sqrt(methods * (methods + 1) / (6 * sets)))


def together(ranks: Mapping[str, float], width: float) -> list[tuple[str, ...]]:
    """The largest groups of two methods or more whose mean ranks all lie within `width` of each other, best first."""
    ordered = sorted(ranks, key=ranks.__getitem__)
    groups: list[tuple[str, ...]] = []
    for start, best in enumerate(ordered):
        group = tuple(name for name in ordered[start:] if ranks[name] - ranks[best] < width)
        if len(group) > 1 and not (groups and set(group) <= set(groups[-1])):
            groups.append(group)
    return groups
