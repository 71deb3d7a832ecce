"""The explanation: gradients against finite differences, smoothing against SciPy, and the two scales of a map."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from devnetlib.network import ResNet18, TopKNetwork, initialise
from devnetlib.saliency import gaussian_smooth, input_gradient, saliency, scale_to_unit


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(11), dtype=torch.float64)


@pytest.fixture(scope="module")
def tiny() -> TopKNetwork:
    net = TopKNetwork(ResNet18(1), n_scales=2, signed=True)
    initialise(net, torch.Generator().manual_seed(0))
    return net.double().eval()


def test_the_input_gradient_agrees_with_finite_differences(tiny):
    images, step = noise(2, 3, 16, 16), 1e-6
    rng = np.random.default_rng(0)
    places = list(zip(*(rng.integers(0, n, 16) for n in images.shape), strict=True))
    moved = torch.stack([images[place[0]] for place in places for _ in range(2)])
    for number, place in enumerate(places):
        moved[2 * number][place[1:]] += step
        moved[2 * number + 1][place[1:]] -= step
    with torch.no_grad():
        up, down = tiny(moved).view(-1, 2).T
    gradient = input_gradient(tiny, images)
    found = torch.stack([gradient[place] for place in places])
    torch.testing.assert_close(found, (up - down) / (2 * step), atol=1e-7, rtol=1e-5)
    assert (found.abs() > 1e-4).sum() > 4


def test_the_gradient_is_there_in_inference_code_and_leaves_the_images_alone(tiny):
    images = noise(1, 3, 16, 16)
    with torch.no_grad():
        assert input_gradient(tiny, images).abs().sum() > 0
    assert not images.requires_grad and images.grad is None


@pytest.mark.parametrize(("sigma", "shape"), [(4.0, (2, 40, 33)), (1.3, (1, 20, 20)), (4.0, (1, 7, 5))])
def test_smoothing_equals_scipys_gaussian_filter_with_the_edge_pixel_repeated(sigma, shape):
    maps = noise(*shape)
    expected = np.stack([gaussian_filter(one, sigma, mode="reflect") for one in maps.numpy()])
    np.testing.assert_allclose(gaussian_smooth(maps, sigma).numpy(), expected, atol=1e-12)


def test_scaling_puts_the_minimum_at_0_the_99th_percentile_at_1_and_cuts_what_is_above():
    maps = torch.arange(101.0).view(1, 1, 101) * 3 + 7
    scaled = scale_to_unit(maps)[0, 0]
    torch.testing.assert_close(scaled[:100], torch.arange(100.0) / 99)
    assert scaled[100] == 1


def test_a_flat_map_scales_to_zero_and_not_to_nan():
    assert torch.equal(scale_to_unit(torch.full((1, 4, 4), 0.7)), torch.zeros(1, 4, 4))


def test_each_image_is_scaled_by_itself():
    maps = noise(2, 8, 8)
    torch.testing.assert_close(scale_to_unit(maps)[1:], scale_to_unit(maps[1:]))


def test_normalised_maps_lie_between_0_and_1(tiny):
    maps = saliency(tiny, noise(2, 3, 16, 16))
    assert maps.shape == (2, 16, 16) and maps.min() >= 0 and maps.max() <= 1


def test_raw_maps_keep_the_units_of_score_per_input_unit(tiny):
    images = noise(2, 3, 16, 16)
    raw = saliency(tiny, images, normalise=False)
    torch.testing.assert_close(raw, gaussian_smooth(input_gradient(tiny, images).abs().sum(dim=1)))
    doubled = saliency(lambda pixels: 2 * tiny(pixels), images, normalise=False)
    torch.testing.assert_close(doubled, 2 * raw)


def test_a_window_cuts_the_gaussian_and_an_even_one_reaches_further_to_the_left_and_top():
    spot = torch.zeros(1, 21, 21, dtype=torch.float64)
    spot[0, 10, 10] = 1
    narrow = gaussian_smooth(spot, 4.0, window=4)[0]
    assert narrow.sum().item() == pytest.approx(1)
    rows, columns = (torch.nonzero(narrow.sum(dim=dim)).flatten().tolist() for dim in (1, 0))
    assert rows == columns == [9, 10, 11, 12]  # output 12 still sees the spot two places to its left
    wide = gaussian_smooth(spot, 4.0)[0]
    ratio = narrow[10, 11] / narrow[10, 10]
    torch.testing.assert_close(ratio, wide[10, 11] / wide[10, 10])


def test_guided_gradients_pass_no_negative_gradient_through_a_rectifier():
    weights = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)

    def score(images: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(images.flatten(1)[:, :2])
        return (hidden @ weights[0]) + torch.nn.functional.relu(hidden @ weights[1])

    images = torch.ones(1, 3, 2, 2, dtype=torch.float64)
    plain, guided = (input_gradient(score, images, guided).flatten()[:2].tolist() for guided in (False, True))
    assert plain == [2.0, 0.0]  # 1 + 1 and -1 + 1
    assert guided == [2.0, 0.0]
    below = lambda pixels: score(pixels) - 3 * torch.relu(pixels.flatten(1)[:, 1])  # noqa: E731
    assert (
        input_gradient(below, images).flatten()[1] == -3
        and input_gradient(below, images, guided=True).flatten()[1] == 0
    )


def test_guidance_ends_with_the_gradient():
    x = torch.tensor([1.0], requires_grad=True)
    input_gradient(lambda pixels: torch.relu(pixels).sum(dim=(1, 2, 3)), torch.ones(1, 3, 2, 2), guided=True)
    (-torch.relu(x)).backward()
    assert x.grad.item() == -1
