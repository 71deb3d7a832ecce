"""Pooled measures of maps: known answers, scikit-learn's values, and a slow direct AUPRO."""

import numpy as np
import pytest
from scipy import ndimage

from devnetlib.metrics import auroc, average_precision
from devnetlib.pixel_metrics import (
    Histograms,
    aupro,
    bin_edges,
    counted,
    histograms_of,
    pooled_auroc,
    pooled_average_precision,
)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """Maps (4,40,40) that rise on their masks, which have two, one, one and no component."""
    masks = np.zeros((4, 40, 40), bool)
    masks[0, 2:6, 2:9] = masks[0, 20:35, 20:35] = masks[1, 10:14, 5:30] = masks[2, 30:33, 30:32] = True
    rng = np.random.default_rng(3)
    return (rng.normal(size=masks.shape) + 1.5 * masks).astype(np.float32), masks


def counted_scene(maps: np.ndarray, masks: np.ndarray) -> Histograms:
    edges = bin_edges(maps[~masks])
    parts = [
        maps[place][region == number]
        for place, mask in enumerate(masks)
        for region, count in [ndimage.label(mask, np.ones((3, 3)))]
        for number in range(1, count + 1)
    ]
    return Histograms(counted(maps[~masks], edges), np.array([counted(part, edges) for part in parts]))


def direct_aupro(maps: np.ndarray, masks: np.ndarray, limit: float) -> float:
    """Threshold by threshold, from the definition."""
    regions = [ndimage.label(mask, np.ones((3, 3))) for mask in masks]
    curve = [(0.0, 0.0)]
    for threshold in np.unique(maps)[::-1]:
        above = maps >= threshold
        overlaps = [above[n][part == k].mean() for n, (part, count) in enumerate(regions) for k in range(1, count + 1)]
        curve.append((above[~masks].mean(), np.mean(overlaps)))
    false, overlap = np.array(curve).T
    fine = np.union1d(np.linspace(0, limit, 20001), false[false < limit])
    return float(np.trapezoid(np.interp(fine, false, overlap), fine) / limit)


def test_a_perfect_map_scores_1_in_every_measure(scene):
    perfect = counted_scene(scene[1].astype(float), scene[1])
    assert (pooled_auroc(perfect), pooled_average_precision(perfect), aupro(perfect)) == (1, 1, 1)


def test_a_constant_map_says_nothing(scene):
    constant = counted_scene(np.ones(scene[1].shape), scene[1])
    assert pooled_auroc(constant) == 0.5 and aupro(constant) == pytest.approx(0.15)
    assert pooled_average_precision(constant) == pytest.approx(scene[1].mean())


def test_a_random_map_has_half_the_limit_as_aupro(scene):
    noise = np.random.default_rng(0).random((40, *scene[1].shape[1:]))
    masks = np.resize(scene[1], noise.shape)
    assert aupro(counted_scene(noise, masks)) == pytest.approx(0.15, abs=0.03)


def test_two_perfect_images_that_share_no_threshold_are_pooled_to_6_tenths():
    maps = np.array([[[0.1, 0.2, 0.3, 0.4]], [[0.6, 0.7, 0.8, 0.9]]])
    masks = np.array([[[0, 0, 1, 1]], [[0, 0, 0, 1]]], bool)
    assert [auroc(one.ravel(), mask.ravel()) for one, mask in zip(maps, masks, strict=True)] == [1, 1]
    edges = np.arange(0.15, 0.9, 0.1)
    pooled = Histograms(counted(maps[~masks], edges), np.array([counted(maps[masks], edges)]))
    assert pooled_auroc(pooled) == pytest.approx(0.6)


def test_histograms_give_the_values_of_the_single_pixels_within_their_bins(scene):
    from sklearn.metrics import average_precision_score, roc_auc_score

    maps, masks = scene
    found = counted_scene(maps, masks)
    assert pooled_auroc(found) == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=0.001)
    exact = average_precision_score(masks.ravel(), maps.ravel())
    assert exact - 0.02 < pooled_average_precision(found) <= exact
    assert average_precision(maps.ravel(), masks.ravel()) == pytest.approx(
        average_precision_score(masks.ravel(), maps.ravel())
    )


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_equals_its_definition_within_the_bins(scene, limit):
    assert aupro(counted_scene(*scene), limit) == pytest.approx(direct_aupro(*scene, limit), abs=0.006)


def test_every_component_weighs_the_same_whatever_its_size():
    large_found = Histograms(np.array([100, 0]), np.array([[0, 1000], [10, 0]]))
    assert aupro(large_found) == pytest.approx(0.5 + 0.5 * 0.15)


def test_measures_do_not_change_when_the_map_is_stretched(scene):
    maps, masks = scene
    plain, stretched = (counted_scene(one, masks) for one in (maps.astype(float), np.exp(maps.astype(float))))
    for measure in (pooled_auroc, pooled_average_precision, aupro):
        assert measure(plain) == pytest.approx(measure(stretched), abs=0.005)


@pytest.mark.parametrize(
    ("normal", "components"),
    [([0, 0], [[1, 1]]), ([1, 1], []), ([1, 1], [[0, 0]]), ([1], [[1, 1]]), ([-1, 2], [[1, 1]])],
)
def test_histograms_without_pixels_of_a_kind_or_of_other_bins_are_refused(normal, components):
    with pytest.raises(ValueError, match="histograms"):
        histograms_of({"normal": normal, "components": components})


def test_a_limit_outside_0_to_1_is_refused(scene):
    with pytest.raises(ValueError, match="limit 0"):
        aupro(counted_scene(*scene), 0)
