"""What few test images can tell of an AUROC: how wide its interval is, and below which counts a table says nothing."""

from functools import cache
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
WIDEST = 0.2  # of an interval at AUROC 1, above which a table says that it cannot tell


def auroc_interval(auroc: float, normals: int, anomalies: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of one run's AUROC over independent test images (Newcombe, Statistics in Medicine 25, 2006, method
    5): all A within z standard errors of what was found, by Hanley and McNeil's variance at A,

        A (1 - A) / (m n) (1 + ((m + n) / 2 - 1) ((1 - A) / (2 - A) + A / (1 + A))).

    Unlike DeLong's it has a width where every pair is in order. `auroc` in [0, 1]; at least one image of either class.
    """
    low = _lower_end(auroc, normals, anomalies, confidence)
    return low, 1 - _lower_end(1 - auroc, normals, anomalies, confidence)


def too_few(normals: int, anomalies: int) -> bool:
    """Whether so few test images leave a perfect ranking an interval of more than `WIDEST`: fewer than about ten of
    each class, or than five of one beside a hundred of the other."""
    return 1 - auroc_interval(1.0, normals, anomalies)[0] > WIDEST


def cannot_tell(auroc: float, normals: int, anomalies: int) -> str:
    """The sentence that a table has beside an AUROC over too few test images; empty where there are enough."""
    if not too_few(normals, anomalies):
        return ""
    low, high = auroc_interval(auroc, normals, anomalies)
    enough = next(count for count in range(2, 100) if not too_few(count, count))
    return (
        f"cannot tell: over {normals} normal and {anomalies} anomalous test images the 95 % interval of {auroc:.3f} is "
        f"{high - low:.2f} wide ({low:.2f} to {high:.2f}); test {enough} of each at least"
    )


@cache
def _lower_end(auroc: float, normals: int, anomalies: int, confidence: float) -> float:
    """By bisection: at 0 the distance to what was found is too large, there itself it is 0."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = 0.0, auroc
    for _ in range(50):
        middle = (low + high) / 2
        shape = 1 + ((normals + anomalies) / 2 - 1) * ((1 - middle) / (2 - middle) + middle / (1 + middle))
        error = sqrt(middle * (1 - middle) * shape / (normals * anomalies))
        low, high = (middle, high) if auroc - middle > z * error else (low, middle)
    return low
