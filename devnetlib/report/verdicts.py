"""The rules of `book/paper/claims.yml` applied to runs: arrays (splits, draws) in, verdicts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isnan, nan, sqrt
from typing import Protocol

from numpy.typing import ArrayLike

from devnetlib.report.statistics import (
    ROUNDING,
    Components,
    Difference,
    crossed,
    paired,
    t_quantile,
    three_run_percentile,
)


@dataclass(frozen=True)
class Comparison:
    """Ours against a printed number (rule `printed`). `half_width` is the smallest difference that could be seen.

    `printed_half_width` is what the printed spread alone would leave, were our mean exact; `can_agree` says whether
    any precision of ours could bring the interval inside the margin; `percentile_of_printed` is among all means of
    three of our runs.
    """

    difference: float
    low: float
    high: float
    half_width: float
    printed_half_width: float
    can_agree: bool
    percentile_of_printed: float
    verdict: str


@dataclass(frozen=True)
class Reached:
    """Ours against a printed number where only the mean counts (rule `reaches`)."""

    difference: float
    verdict: str


@dataclass(frozen=True)
class Learned:
    """The lead over each control, and whether all of them are above 0 (rule `learned`)."""

    over: dict[str, Difference]
    verdict: str


Result = Comparison | Reached | Difference | Learned


class Judged(Protocol):
    """What `judge` needs of a rule; `paper.Rule` has it."""

    name: str
    verdicts: tuple[str, ...]
    constants: dict[str, float]
    over: tuple[str, ...]


def compare_with_printed(
    values: ArrayLike,
    printed_mean: float,
    printed_sd: float,
    margin: float,
    confidence: float,
    printed_runs: int = 3,
    verdicts: Sequence[str] = ("agrees", "differs", "undetermined"),
) -> Comparison:
    """d = ours - printed; our variance and printed_sd^2 / printed_runs are joined by Welch and Satterthwaite.

    Wholly inside +-margin: agrees; wholly outside: differs; else, or with one split or one draw alone: undetermined.
    """
    if printed_sd is None or not printed_sd >= 0:
        raise ValueError(f"the printed sd must be a number >= 0, found {printed_sd}; a mean alone cannot be compared")
    ours = crossed(values)
    printed_error, freedom = printed_sd / sqrt(printed_runs), printed_runs - 1
    error = sqrt(ours.standard_error**2 + printed_error**2)
    half = t_quantile(confidence, _welch(ours, printed_error, freedom)) * error
    difference = ours.mean - printed_mean
    low, high = difference - half, difference + half
    agrees, differs, undetermined = verdicts
    verdict = undetermined
    if ours.crossed and -margin <= low and high <= margin:
        verdict = agrees
    elif ours.crossed and (low > margin or high < -margin):
        verdict = differs
    return Comparison(
        difference,
        low,
        high,
        half_width=half,
        printed_half_width=t_quantile(confidence, freedom) * printed_error,
        can_agree=_least_factor(confidence, freedom) * printed_error <= margin,
        percentile_of_printed=three_run_percentile(values, printed_mean),
        verdict=verdict,
    )


def reaches(
    values: ArrayLike, printed_mean: float, margin: float, verdicts: Sequence[str] = ("reaches", "does not reach")
) -> Reached:
    """Whether our mean is at least printed - margin."""
    difference = crossed(values).mean - printed_mean
    return Reached(difference, verdicts[0] if round(difference + margin, ROUNDING) >= 0 else verdicts[1])


def learned(
    values: ArrayLike,
    controls: Mapping[str, ArrayLike],
    confidence: float,
    verdicts: Sequence[str] = ("learned", "not shown"),
) -> Learned:
    """Whether the lead over every control is above 0."""
    if not controls:
        raise ValueError("no control given: a result counts as learned only against some")
    over = {name: paired(values, control, confidence) for name, control in controls.items()}
    return Learned(over, verdicts[0] if learned_over(over) else verdicts[1])


def learned_over(leads: Mapping[str, Difference]) -> bool:
    """Whether a lead over every control is shown; the one rule, of claims and of tables."""
    return all(lead.above for lead in leads.values())


def judge(
    rule: Judged,
    ours: ArrayLike,
    rivals: Mapping[str, ArrayLike] | None = None,
    printed: tuple[float, float | None] | None = None,
) -> dict[str, Result]:
    """Apply a rule of `claims.yml`: results by what ours was held against, each with its `verdict`.

    `ours` and each rival are (S, D). `trend` and `robust` take the runs at the start as their rival, `steadier` takes
    changes instead of runs, `separation` the shares of test normals above the threshold. `recomputed` concerns the
    printed tables alone and is refused.
    """
    constants, rivals = rule.constants, rivals or {}
    confidence, margin = constants.get("confidence", 0.0), constants.get("margin", 0.0)
    if rule.name in ("printed", "reaches") and printed is None:
        raise ValueError(f"rule {rule.name!r} needs a printed number")
    if missing := sorted(set(rule.over) - set(rivals)):
        raise ValueError(f"rule {rule.name!r} needs the runs of {', '.join(rule.over)}; missing: {', '.join(missing)}")
    match rule.name:
        case "printed":
            runs = int(constants["printed_runs"])
            return {"printed": compare_with_printed(ours, *printed, margin, confidence, runs, rule.verdicts)}
        case "reaches":
            return {"printed": reaches(ours, printed[0], margin, rule.verdicts)}
        case "learned":
            return {"controls": learned(ours, rivals, confidence, rule.verdicts)}
        case "separation":
            return {"normals": paired(constants["expected_share"], ours, confidence, verdicts=rule.verdicts)}
        case "order" | "steadier" | "trend" | "robust":
            return {name: paired(ours, rival, confidence, -margin, rule.verdicts) for name, rival in rivals.items()}
    raise ValueError(f"rule {rule.name!r} is not judged from runs")


def _welch(ours: Components, printed_error: float, printed_freedom: int) -> float:
    """Degrees of freedom of the sum of our variance and the printed one."""
    a, b = ours.standard_error**2, printed_error**2
    if isnan(a):
        return nan
    spent = (a**2 / ours.degrees_of_freedom if a else 0.0) + b**2 / printed_freedom
    return (a + b) ** 2 / spent if spent else float(printed_freedom)


@cache
def _least_factor(confidence: float, freedom: int) -> float:
    """The smallest half-width, in printed standard errors, that any precision of ours can give.

    Some variance of ours, known with many degrees of freedom, shortens Welch's interval at first: it adds degrees of
    freedom faster than width.
    """

    from scipy import optimize  # takes half a second to import, and most pages do without

    def half(ratio: float) -> float:  # our variance in units of the printed one
        return t_quantile(confidence, freedom * (1 + ratio) ** 2) * sqrt(1 + ratio)

    return float(optimize.minimize_scalar(half, bounds=(0, 10), method="bounded").fun)
