"""The closed forms against scikit-learn, and the nearest patch on points made by hand."""

import numpy as np
import pytest
import torch

from devnetlib.methods.logistic import Logistic
from devnetlib.methods.mahalanobis import Lda, Mahalanobis
from devnetlib.methods.nearest import Nearest, greedy_coreset


def pooled(maps: torch.Tensor) -> np.ndarray:
    return maps.mean(dim=(2, 3)).double().numpy()


@torch.inference_mode()
def test_mahalanobis_is_scikit_learns_distance_under_the_ledoit_wolf_covariance(generator, noise):
    from sklearn.covariance import LedoitWolf

    detector = Mahalanobis(generator, stage=1)
    normals, tests = noise(50, 64, 3, 3) * 2 + 1, noise(9, 64, 3, 3, seed=2) + 2
    detector.prepare([normals], [normals[:0]])
    expected = np.sqrt(LedoitWolf().fit(pooled(normals)).mahalanobis(pooled(tests)))
    np.testing.assert_allclose(detector.score([tests]).numpy(), expected, rtol=1e-4)


@torch.inference_mode()
def test_the_discriminant_is_fishers_direction_under_the_covariance_of_the_normals(generator, noise):
    from sklearn.covariance import LedoitWolf

    detector = Lda(generator, stage=1)
    normals, anomalies, tests = noise(50, 64, 3, 3), noise(10, 64, 3, 3, seed=1) + 0.3, noise(9, 64, 3, 3, seed=2)
    detector.prepare([normals], [anomalies])
    fitted = LedoitWolf().fit(pooled(normals))
    direction = np.linalg.solve(fitted.covariance_, pooled(anomalies).mean(axis=0) - fitted.location_)
    np.testing.assert_allclose(
        detector.score([tests]).numpy(), (pooled(tests) - fitted.location_) @ direction, rtol=1e-3, atol=1e-3
    )
    assert detector.score([anomalies]).mean() > detector.score([normals]).mean()


@torch.inference_mode()
def test_the_logits_are_scikit_learns(generator, noise):
    from sklearn.linear_model import LogisticRegression

    detector = Logistic(generator, stage=1, strength=0.5)
    normals, anomalies, tests = noise(50, 64, 3, 3), noise(10, 64, 3, 3, seed=1) + 0.3, noise(9, 64, 3, 3, seed=2)
    detector.prepare([normals], [anomalies])
    fitted = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000)
    fitted.fit(np.r_[pooled(normals), pooled(anomalies)], [0] * 50 + [1] * 10)
    np.testing.assert_allclose(
        detector.score([tests]).numpy(), fitted.decision_function(pooled(tests)), rtol=1e-3, atol=1e-4
    )


def test_the_coreset_takes_the_farthest_point_each_time():
    line = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert greedy_coreset(line, 3).tolist() == [0, 3, 2]
    assert sorted(greedy_coreset(line, 9).tolist()) == [0, 1, 2, 3]


def test_the_coreset_is_that_of_distances_in_double_precision_also_among_points_that_stand_twice(generator):
    points = torch.randn(1000, 384, generator=generator) * torch.linspace(0.1, 5, 384)
    points = torch.cat([points, points[:200]])
    away, slowly = torch.full((len(points),), float("inf"), dtype=torch.double), [0]
    for _ in range(299):
        away = torch.minimum(away, (points.double() - points[slowly[-1]].double()).square().sum(dim=1))
        slowly.append(int(away.argmax()))
    assert greedy_coreset(points, 300).tolist() == slowly


@torch.inference_mode()
def test_an_image_whose_patches_are_all_kept_scores_0_and_another_lies_as_far_as_its_farthest_patches(generator, noise):
    detector = Nearest(generator, coreset=100, pool=100, top_k=0.5)
    normals = [noise(4, 128, 2, 2), noise(4, 256, 2, 2, seed=1)]
    detector.prepare(normals, [m[:0] for m in normals])
    torch.testing.assert_close(detector.score(normals), torch.zeros(4), atol=2e-2, rtol=0)
    moved = [m[:1].clone() for m in normals]
    moved[0][0, 0, 0, 0] += 100.0  # one patch of four, far away along one channel
    assert detector.score(moved).item() == pytest.approx(50, rel=0.05)  # the mean of the two farthest: about 100 and 0


def test_a_coreset_larger_than_its_pool_is_refused(generator):
    with pytest.raises(ValueError, match="coreset 30, pool 20"):
        Nearest(generator, coreset=30, pool=20)
