"""The controls: what a probe reads, what a border sees."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from devnetlib.methods.controls import CONTROLS, Border, Images, outer_ring
from devnetlib.study.results import rounded

NOTHING = np.zeros(0)


def images(sizes: Sequence = (), ids: Sequence[str] = (), pixels: np.ndarray = NOTHING) -> Images:
    """What a probe is shown, of which it reads one part."""
    return Images(pixels, lambda: sizes, ids)


def test_grey_is_the_mean_of_the_pixels():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    assert CONTROLS["grey"].value(images(pixels=pixels)).tolist() == [5.5, 17.5]


def test_size_is_the_number_of_pixels_before_an_image_is_resized():
    assert CONTROLS["size"].value(images(sizes=[(4, 3), (10, 20)])).tolist() == [12, 200]
    assert CONTROLS["size"].value(images()).shape == (0,)


def test_order_reads_the_digits_of_the_id_and_no_word_that_may_name_the_class():
    assert CONTROLS["order"].value(images(ids=["kos01_Part5_0", "good-012", "Y30", "none"])).tolist() == [
        150,
        12,
        30,
        0,
    ]


def numbers(*ids: str) -> list[float]:
    return CONTROLS["order"].value(images(ids=ids)).tolist()


@pytest.mark.parametrize("name", ["type1/003.png", "2024/7/003.png", "a/003.jp2", "a/③003.png", "a/x²_003.png", "٣003"])
def test_order_reads_no_digit_of_a_folder_or_suffix_and_none_that_is_not_0_to_9(name):
    assert numbers(name) == numbers("type/003.png") == [3]


def test_order_tells_apart_numbers_that_no_float_and_no_scores_file_keeps_apart():
    shown = [f"normal/cam1_20240131_101502_123_{number:04d}.png" for number in (2, 1, 10)]
    assert numbers(*shown) == [1, 0, 2]
    assert numbers("12345678", "12345679", "x/12345678") == [0, 1, 0]
    assert len(set(rounded(np.array(numbers("99999998", "99999999"))))) == 2
    assert numbers("1234567") == [1234567]  # seven digits are kept as they are


@pytest.mark.parametrize("digits", [320, 9000])
def test_order_of_a_number_of_any_length_is_finite_and_exact(digits):
    assert numbers("2" * digits, "1" * (digits + 1), "1" * digits, "0" * digits + "3") == [2, 3, 1, 0]


def test_order_counts_the_last_of_several_numbers_as_a_camera_does():
    assert numbers("cam10_1", "cam2_10", "cam2_9") == [1001, 210, 209]
    assert np.argsort(numbers("1_10", "2_1", "1_9")).tolist() == [2, 0, 1]


def test_the_outer_ring_of_a_map_is_its_edge_cells():
    maps = torch.arange(20.0).view(1, 1, 4, 5)
    ring = outer_ring(maps)
    assert ring.shape == (1, 1, 14, 1)
    assert sorted(ring.flatten().tolist()) == [n for n in range(20) if n not in (6, 7, 8, 11, 12, 13)]


def test_only_the_border_moves_the_score_of_the_border_control(generator, noise):
    detector, maps = Border(generator, stage=1, n_scales=1), noise(2, 64, 5, 5)
    inside, edge = maps.clone(), maps.clone()
    inside[:, :, 1:-1, 1:-1] += 100
    edge[:, :, 0, 0] += 100
    torch.testing.assert_close(detector.score([inside]), detector.score([maps]))
    assert not torch.allclose(detector.score([edge]), detector.score([maps]))
