"""The parts of a sentence of the paper: what it says of one thing, what its tables give, and whether that follows."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from devnetlib.report.families import DEVNET, comparisons, means
from devnetlib.report.paper import rules
from devnetlib.report.statistics import ROUNDING

TESTS = {"exact": "exact", "approx": "normal approximation"}


@dataclass(frozen=True)
class Part:
    """One thing that a sentence says, in AUROC, sets or p; `digits` are those shown.

    `said` is in words where the sentence gives no number; `beside` is shown and not judged.
    """

    what: str
    said: float | str
    found: float
    follows: bool
    beside: str = ""
    digits: int = 0

    def __str__(self) -> str:
        said = self.said if isinstance(self.said, str) else f"{self.said:.{self.digits}f}"
        beside = f" ({self.beside})" if self.beside else ""
        fails = "" if self.follows else ", does not follow"
        return f"{self.what}: said {said}, found {self.found:.{self.digits}f}{fails}{beside}"


def count(what: str, said: int, found: float, beside: str = "") -> Part:
    """A number of sets or rivals: follows where it is the same."""
    return Part(what, said, int(found), bool(said == found), beside)


def value(what: str, said: float, found: float, beside: str = "") -> Part:
    """An AUROC or a difference of two: follows within the rule's tolerance."""
    return Part(what, said, float(found), near(said, found, "tolerance"), beside, digits=3)


def majority(what: str, word: str, found: float, sets: int, beside: str = "") -> Part:
    """A `word` such as most, of so many sets: follows where it is more than half of them."""
    return Part(what, f"{word} (more than half of {sets})", int(found), bool(found > sets / 2), beside)


def near(said: float, found: float, tolerance: str) -> bool:
    """Whether two numbers are the same within a constant of the rule."""
    return bool(round(abs(said - found), ROUNDING) <= rules()["recomputed"].constants[tolerance])


def p_value_parts(family: str) -> list[Part]:
    """The p-values printed for a family of sets, each with its test and what Holm's correction makes of it."""
    sets = len(means(family))
    return [
        Part(
            f"p against {rival} over {sets} sets",
            float(row["p_printed"]),
            float(row["p"]),
            near(row["p_printed"], row["p"], "p_tolerance"),
            f"{TESTS[row['test']]}; {row['p_holm']:.4f} by Holm",
            digits=4,
        )
        for rival, row in comparisons(family).iterrows()
    ]


def levels_part(family: str, level: float, own: Mapping[str, float] | None = None, beside: str = "") -> Part:
    """Over how many rivals the lead is significant at the level said; `own` has the levels said of single rivals."""
    table, own = comparisons(family), own or {}
    levels = pd.Series({rival: own.get(rival, level) for rival in table.index})
    better = table["rank_biserial"] > 0
    found, holm = (int((better & (table[column] < levels)).sum()) for column in ("p", "p_holm"))
    apart = "".join(f" ({rival} {own_level:g})" for rival, own_level in own.items())
    what = f"rivals over whom p is below {level:g}{apart}, {len(means(family))} sets"
    return count(what, len(table), found, "; ".join(filter(None, [f"{holm} by Holm", beside])))


def lead(values: pd.DataFrame, method: str = DEVNET, others: list[str] | None = None) -> pd.Series:
    """A method minus the best of the others (None: all) on every set: above 0 it is best alone, at 0 it shares that."""
    rivals = values[others] if others else values.drop(columns=method)
    return (values[method] - rivals.max(axis=1)).round(ROUNDING)
