"""DevNet and the variants of Table V against their definitions."""

import pytest
import torch

from devnetlib.deviation import REFERENCE_SIZE, deviation, reference_scores
from devnetlib.methods.devnet import DevNet, Ds, DsAlexNet, DsResNet50, PatchDs, Rep

LABELS = torch.tensor([0.0, 0.0, 1.0, 1.0])


def test_the_loss_falls_when_anomalies_rise_above_normals(generator):
    detector = DevNet(generator, stage=1)
    worse, better = (detector.loss(torch.tensor(s), LABELS).item() for s in ([3.0, 3, 0, 0], [0.0, 0, 3, 3]))
    assert better < worse


def test_ds_is_one_linear_unit_on_the_pooled_map(generator, noise):
    detector = Ds(generator, stage=1, n_scales=1)
    maps = noise(5, 64, 6, 7)
    pooled = detector.scorer.unit(maps.mean(dim=(2, 3)))[:, 0]
    torch.testing.assert_close(detector.score([maps]), pooled)
    assert (pooled < 0).any()  # the sign is kept


def test_patch_ds_takes_the_loss_of_every_patch_and_not_of_their_mean(generator):
    detector = PatchDs(generator, stage=1)
    detector.generator.manual_seed(3)
    loss = detector.loss(torch.tensor([[-2.0, 2.0], [4.0, 8.0]]), torch.tensor([0.0, 1.0]))
    reference = reference_scores(torch.Generator().manual_seed(3))
    mean, std = reference.mean(), reference.std()
    # normal patches |dev(-2)| and |dev(2)|; anomalous ones 5 - dev(4) and, above the margin, 0
    by_hand = ((mean + 2) / std + (2 - mean) / std + 5 - (4 - mean) / std) / 4
    torch.testing.assert_close(loss, by_hand)
    assert loss > 1  # the mean of the normal image's patches is 0: a loss on it would have been half as large


def test_the_patches_of_both_scales_count_alike_in_patch_ds(generator, noise):
    detector = PatchDs(generator, stage=1, n_scales=2, heads=3)
    maps = [noise(2, 64, 4, 4), noise(2, 64, 2, 2)]
    outputs = detector.outputs(maps)
    assert outputs.shape == (2, 3, 20)
    torch.testing.assert_close(detector.score(maps), outputs.mean(dim=(1, 2)))


def test_the_coordinates_of_rep_are_standard_normal_when_the_representation_is_gaussian(noise):
    reference = reference_scores(torch.Generator().manual_seed(5), (REFERENCE_SIZE, 16))
    coordinates = deviation(noise(20000, 16), reference)
    torch.testing.assert_close(coordinates.mean(dim=0), torch.zeros(16), atol=0.06, rtol=0)
    torch.testing.assert_close(coordinates.std(dim=0), torch.ones(16), atol=0.05, rtol=0)


def test_every_coordinate_of_rep_is_measured_by_its_own_reference():
    reference = torch.tensor([[0.0, 10.0], [2.0, 30.0]])  # means 1 and 20, standard deviations sqrt 2 and 10 sqrt 2
    found = deviation(torch.tensor([[1.0, 40.0]]), reference)
    torch.testing.assert_close(found, torch.tensor([[0.0, 2**0.5]]))


def test_the_loss_of_rep_is_the_mean_absolute_deviation_worked_out_by_hand(generator):
    detector = Rep(generator, stage=1)
    detector.generator.manual_seed(3)
    loss = detector.loss(torch.tensor([[1.0, -1.0], [2.0, 4.0]]), torch.tensor([0.0, 1.0]))
    reference = reference_scores(torch.Generator().manual_seed(3), (REFERENCE_SIZE, 2))
    m, s = reference.mean(dim=0), reference.std(dim=0)
    normal = ((1 - m[0]) / s[0] + (m[1] + 1) / s[1]) / 2
    anomalous = 5 - ((2 - m[0]) / s[0] + (4 - m[1]) / s[1]) / 2
    torch.testing.assert_close(loss, (normal + anomalous) / 2)


def test_rep_scores_the_pooled_map_itself_or_a_linear_projection_of_it(generator, noise):
    maps = noise(3, 64, 4, 4)
    torch.testing.assert_close(Rep(generator, stage=1).score([maps]), maps.mean(dim=(2, 3)).abs().mean(dim=1))
    projected = Rep(generator, stage=1, projection=5)
    expected = (maps.mean(dim=(2, 3)) @ projected.projection.weight.T).abs().mean(dim=1)
    torch.testing.assert_close(projected.score([maps]), expected)


@pytest.mark.parametrize("variant", [DevNet, Ds, PatchDs, Rep])
@pytest.mark.parametrize("margin", [0.0, -1.0, float("inf"), float("nan")])
def test_a_margin_that_is_no_number_above_0_is_refused(variant, margin, generator):
    with pytest.raises(ValueError, match="margin"):
        variant(generator, stage=1, margin=margin)


def test_the_variants_on_other_backbones_are_the_released_sizes(generator):
    assert DsAlexNet(generator).scorer.unit.in_features == 256
    assert DsResNet50(generator).scorer.unit.in_features == 2048
