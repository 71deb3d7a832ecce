"""DeLong's error, the bootstrap over groups, and the components of a published row."""

import numpy as np
import pytest

from devnetlib.metrics import auroc
from devnetlib.report.spread import delong_error, grouped_error, groups_of, spread_record


def drawn(normals: int, anomalies: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = np.r_[rng.normal(0, 1, normals), rng.normal(1, 1, anomalies)]
    return scores.round(1), np.r_[np.zeros(normals, int), np.ones(anomalies, int)]


def test_delongs_error_is_that_of_the_placements_counted_pair_by_pair():
    scores, labels = drawn(40, 25)
    normal, anomalous = scores[labels == 0], scores[labels == 1]
    wins = (anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)
    expected = np.sqrt(wins.mean(axis=1).var(ddof=1) / 25 + wins.mean(axis=0).var(ddof=1) / 40)
    assert delong_error(scores, labels) == pytest.approx(expected)


def test_delongs_error_is_the_spread_of_auroc_over_fresh_samples():
    spread = np.std([auroc(*drawn(60, 60, seed)) for seed in range(400)], ddof=1)
    assert np.mean([delong_error(*drawn(60, 60, seed)) for seed in range(50)]) == pytest.approx(spread, rel=0.1)


def test_a_class_of_one_image_has_no_error():
    with pytest.raises(ValueError, match="two images"):
        delong_error([0.1, 0.2, 0.3], [0, 0, 1])


def test_single_groups_give_about_delongs_error_and_copies_in_a_group_a_larger_one():
    scores, labels = drawn(60, 60)
    alone = grouped_error(scores, labels, [str(number) for number in range(120)], 1000)
    assert alone == pytest.approx(delong_error(scores, labels), rel=0.15)
    twice = [str(number) for number in range(120)] * 2
    copied = grouped_error(np.tile(scores, 2), np.tile(labels, 2), twice, 1000)
    assert copied == pytest.approx(alone, rel=0.15)
    assert copied > 1.25 * delong_error(np.tile(scores, 2), np.tile(labels, 2))


def test_a_table_without_groups_has_none_and_kolektorsdd_has_its_commutators():
    assert groups_of("elpv") == {} and groups_of("no such set") == {}
    assert len(set(groups_of("kolektorsdd").values())) > 40


def test_the_components_of_devnet_on_elpv_are_published_with_the_way_their_image_error_was_found():
    record = spread_record("elpv", "DevNet")
    assert record["by"] == "DeLong" and float(record["draw sd"]) > float(record["split sd"])
    assert 0.005 < float(record["test images, se"]) < 0.03
