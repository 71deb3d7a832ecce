"""The statistics that compare: runs crossed over splits and draws, paired differences, families of tests.

`values` is always an array (S, D): one measure (AUROC in [0, 1]) of S splits of the normals crossed with D draws of
the labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, isfinite, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

MOST_TRIPLES = comb(120, 3)  # above this an enumeration of all triples takes longer than a page may
ROUNDING = 10  # decimals kept of a difference of printed numbers; without it 0.983 - 0.967 and 0.016 are no tie


@dataclass(frozen=True)
class Components:
    """A grand mean, where its spread comes from, and how well it is known.

    A component that the design cannot tell apart (one split or one draw alone) is NaN; with one run the standard
    error is NaN too.
    """

    mean: float
    split_sd: float
    draw_sd: float
    residual_sd: float
    standard_error: float
    degrees_of_freedom: float
    splits: int
    draws: int

    @property
    def crossed(self) -> bool:
        return self.splits > 1 and self.draws > 1

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided t interval of the mean; NaN where the standard error is."""
        half = t_quantile(confidence, self.degrees_of_freedom) * self.standard_error
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Difference:
    """A paired difference with its interval. `half_width` is the smallest difference that could be seen."""

    mean: float
    low: float
    high: float
    half_width: float
    verdict: str

    @property
    def above(self) -> bool:
        """Whether it is significantly above 0: its whole interval is, and it crosses splits with draws."""
        return self.low > 0 and self.verdict != "undetermined"

    @property
    def text(self) -> str:
        """The difference and its interval, where it has one; signs included."""
        return f"{self.mean:+.3f}" + (f" [{self.low:+.3f}, {self.high:+.3f}]" if isfinite(self.low) else "")


@dataclass(frozen=True)
class SignedRank:
    """Wilcoxon's signed-rank test over pairs, two-sided."""

    p: float
    pairs: int  # used
    zeros: int  # dropped
    rank_biserial: float  # matched pairs, in [-1, 1]
    method: str


def crossed(values: ArrayLike) -> Components:
    """Two-way random effects of split and draw without replication (the interaction is the residual).

    Var(mean) = (MS_split + MS_draw - MS_residual) / (S D), with Satterthwaite's degrees of freedom. It is floored at
    MS_residual / (S D): both mean squares have at least the residual's expectation, so a smaller estimate is noise and
    would promise more than S D independent runs give. Raises ValueError for anything but a full, finite table.
    """
    values = _table(values)
    splits, draws = values.shape
    if min(values.shape) == 1:
        return _one_way(values)
    mean, by_split, by_draw = values.mean(), values.mean(axis=1), values.mean(axis=0)
    residual = values - by_split[:, None] - by_draw[None, :] + mean
    freedoms = np.array([splits - 1, draws - 1, (splits - 1) * (draws - 1)])
    squares = np.array([draws * _spread(by_split), splits * _spread(by_draw), (residual**2).sum() / freedoms[2]])
    combined = squares[0] + squares[1] - squares[2]
    if combined > squares[2]:
        # Never below the smaller factor's own: with so few levels the formula can fall below one.
        freedom = max(combined**2 / (squares**2 / freedoms).sum(), freedoms.min())
    else:
        combined, freedom = squares[2], freedoms[2]
    return Components(
        mean=float(mean),
        split_sd=sqrt(max(0.0, squares[0] - squares[2]) / draws),
        draw_sd=sqrt(max(0.0, squares[1] - squares[2]) / splits),
        residual_sd=sqrt(squares[2]),
        standard_error=sqrt(combined / values.size),
        degrees_of_freedom=float(freedom),
        splits=splits,
        draws=draws,
    )


def paired(
    a: ArrayLike,
    b: ArrayLike,
    confidence: float,
    threshold: float = 0.0,
    verdicts: Sequence[str] = ("holds", "reversed", "undetermined"),
) -> Difference:
    """a - b over the same splits and draws (S, D), either of them possibly a constant.

    Interval wholly above the threshold: the first verdict; wholly below: the second; else, or with one split or one
    draw alone, the third.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim and b.ndim and a.shape != b.shape:
        raise ValueError(f"paired runs must share splits and draws: found {a.shape} and {b.shape}")
    components = crossed(a - b)
    low, high = components.interval(confidence)
    above, below, undetermined = verdicts
    verdict = undetermined
    if components.crossed and low > threshold:
        verdict = above
    elif components.crossed and high < threshold:
        verdict = below
    return Difference(components.mean, low, high, (high - low) / 2, verdict)


def three_run_percentile(values: ArrayLike, printed_mean: float) -> float:
    """Percentile in [0, 100] of the printed mean among the means of all triples of our runs (ties count half).

    NaN with fewer than three runs. Raises ValueError where there are too many runs to enumerate.
    """
    runs = _table(values).ravel()
    if runs.size < 3:
        return nan
    if comb(runs.size, 3) > MOST_TRIPLES:
        raise ValueError(f"{runs.size} runs have {comb(runs.size, 3)} triples; at most {MOST_TRIPLES} are enumerated")
    means = runs[np.array(list(combinations(range(runs.size), 3)))].mean(axis=1).round(ROUNDING)
    from scipy import stats  # takes two seconds to import, and most pages do without

    return float(stats.percentileofscore(means, round(printed_mean, ROUNDING), kind="mean"))


def corrected_paired(a: ArrayLike, b: ArrayLike, confidence: float, tested_over_trained: float) -> Difference:
    """a - b (S, D) as `paired`, with the correction for splits that overlap (Nadeau and Bengio 2003): their variance
    between the split means counts 1/S + tested/trained times, so the squared standard error grows by tested/trained of
    it, and there are at most S - 1 degrees of freedom. Never narrower than `paired`; NaN with one split."""
    differences = _table(a) - _table(b)
    parts, splits = crossed(differences), differences.shape[0]
    between = _spread(differences.mean(axis=1)) if splits > 1 else nan
    error = sqrt(parts.standard_error**2 + tested_over_trained * between)
    half = t_quantile(confidence, min(parts.degrees_of_freedom, splits - 1)) * error
    low, high = parts.mean - half, parts.mean + half
    decided = "holds" if low > 0 else "reversed" if high < 0 else "undetermined"
    return Difference(parts.mean, low, high, half, decided if parts.crossed else "undetermined")


def wilcoxon(a: ArrayLike, b: ArrayLike, method: str | None = None) -> SignedRank:
    """Two-sided signed-rank test of paired numbers, zero differences dropped (Wilcoxon's own way with them), tied ones
    at their mid-ranks, no continuity correction.

    `method` is "exact", which counts all assignments of signs to these ranks, or "approx", the normal approximation;
    by default as the paper's p-values come out: exact below ten data sets, else approximate. Effect:
    (W+ - W-) / (W+ + W-) (Kerby 2014).
    """
    from scipy import stats  # as above

    differences = (np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).round(ROUNDING)
    if not np.isfinite(differences).all():
        raise ValueError(f"{(~np.isfinite(differences)).sum()} of {differences.size} pairs lack a number")
    kept = differences[differences != 0]
    if kept.size == 0:
        raise ValueError("all differences are zero: there is nothing to rank")
    method = method or ("exact" if kept.size < 10 else "approx")
    ranks = stats.rankdata(abs(kept))
    if method == "exact":
        p = _exact_signed_rank(ranks, kept > 0)
    else:
        p = stats.wilcoxon(kept, correction=False, method=method).pvalue
    effect = float((ranks * np.sign(kept)).sum() / ranks.sum())
    return SignedRank(float(p), kept.size, differences.size - kept.size, effect, method)


def _exact_signed_rank(ranks: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Two-sided p of the sum of the ranks (N,) of positive differences, each sign being a fair coin.

    Twice a mid-rank is a whole number, so the distribution of twice the sum is built rank by rank. scipy's "exact"
    takes the ranks 1 to N, which are not those of tied differences.
    """
    doubled = np.rint(2 * ranks).astype(int)
    chances = np.zeros(doubled.sum() + 1)  # of every value of twice the sum
    chances[0] = 1.0
    for rank in doubled:
        chances[rank:] = (chances[rank:] + chances[: chances.size - rank]) / 2
        chances[:rank] /= 2
    found = doubled[positive].sum()
    return min(1.0, 2 * float(chances[: min(found, doubled.sum() - found) + 1].sum()))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values, in the given order: the running maximum of (m - rank + 1) p, at most 1."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.arange(p.size, 0, -1) * p[order]))
    return adjusted


def t_quantile(confidence: float, freedom: float) -> float:
    """Two-sided t quantile; NaN without degrees of freedom."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, found {confidence}")
    return float(special.stdtrit(freedom, (1 + confidence) / 2)) if freedom > 0 else nan


def _one_way(values: NDArray[np.float64]) -> Components:
    splits, draws = values.shape
    sd = float(values.std(ddof=1)) if values.size > 1 else nan
    return Components(
        mean=float(values.mean()),
        split_sd=sd if splits > 1 else nan,
        draw_sd=sd if draws > 1 else nan,
        residual_sd=nan,
        standard_error=sd / sqrt(values.size),
        degrees_of_freedom=values.size - 1,
        splits=splits,
        draws=draws,
    )


def _table(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"runs are given as a table (splits, draws), found shape {values.shape}")
    if not np.isfinite(values).all():
        missing = int((~np.isfinite(values)).sum())
        raise ValueError(
            f"{missing} of {values.size} runs are missing or not finite: complete the grid of splits and draws"
        )
    return values


def _spread(means: NDArray[np.float64]) -> float:
    return float(means.var(ddof=1))
