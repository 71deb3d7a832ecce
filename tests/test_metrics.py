"""The measures: known answers, ties, scikit-learn's values on random data, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnetlib.metrics import auroc, average_precision, f1_max, roc_curve

LABELS, SCORES = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
TIED_LABELS, TIED = [0, 0, 1, 1, 1], [0.2, 0.5, 0.5, 0.5, 0.9]
METRICS = [auroc, average_precision, f1_max]


@st.composite
def rankings(draw) -> tuple[np.ndarray, np.ndarray]:
    """Scores on a coarse grid, so that ties are common, and labels of both classes."""
    size = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    labels[:2] = 0, 1
    scores = draw(st.lists(st.integers(-6, 6), min_size=size, max_size=size))
    return np.array(scores) / 4, labels


@pytest.mark.parametrize(("metric", "value"), [(auroc, 0.75), (average_precision, 5 / 6), (f1_max, 0.8)])
def test_four_scores_give_the_known_answer(metric, value):
    assert metric(SCORES, LABELS) == pytest.approx(value)


def test_a_tied_pair_counts_half_in_the_auroc():
    assert auroc(TIED, TIED_LABELS) == pytest.approx(5 / 6)  # 4 pairs right and 2 tied, of 6
    assert auroc([1, 1, 1], [0, 1, 1]) == 0.5


def test_constant_scores_have_the_share_of_anomalies_as_precision_and_the_floor_of_f1():
    assert average_precision([3.0] * 5, TIED_LABELS) == pytest.approx(0.6)
    assert f1_max([3.0] * 5, TIED_LABELS) == pytest.approx(2 * 0.6 / 1.6)


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_order_scores_1(metric):
    assert metric([0, 1, 2, 3], LABELS) == 1


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rankings())
def test_the_measures_agree_with_scikit_learn(ranking):
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    scores, labels = ranking
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))
    assert f1_max(scores, labels) == pytest.approx(best)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rankings())
def test_the_area_under_the_drawn_curve_is_the_auroc_and_reversing_the_scores_mirrors_it(ranking):
    scores, labels = ranking
    false, true = roc_curve(scores, labels)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(auroc(scores, labels))
    assert auroc(-scores, labels) == pytest.approx(1 - auroc(scores, labels))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_and_counted(metric, bad):
    with pytest.raises(ValueError, match="2 of 4 scores are not finite"):
        metric([0.1, bad, 0.2, bad], LABELS)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 2, 1], [0, 1, -1, 1]])
def test_labels_of_one_class_or_of_others_than_0_and_1_are_refused(metric, labels):
    with pytest.raises(ValueError, match="expected both 0"):
        metric(SCORES, labels)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_and_labels_of_other_shapes_are_refused(metric):
    with pytest.raises(ValueError, match=r"must be \(N,\)"):
        metric(np.zeros((4, 1)), LABELS)
    with pytest.raises(ValueError, match=r"must be \(N,\)"):
        metric(SCORES[:3], LABELS)
