"""Batches: rotation with black corners, ImageNet's normalisation, and evaluation on images as they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from devnetlib.data.batches import IMAGENET_MEAN, IMAGENET_STD, gather, normalise, rotate, to_unit
from devnetlib.data.images import image_bank
from devnetlib.data.layouts.files import sha256
from devnetlib.study.training import Pixels


def test_normalisation_is_imagenets():
    grey = normalise(to_unit(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)))
    assert grey.shape == (1, 3, 2, 2)
    torch.testing.assert_close(grey[0, :, 0, 0], torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 33), (24, 40)])
def test_a_batch_is_rotated_as_torchvision_rotates_each_of_its_images(height, width):
    from torchvision.transforms.functional import rotate as reference

    degrees = torch.tensor([0.0, 13.7, -37.2, 90.0, -90.0, 121.9, 180.0, -179.3, 45.0])
    images = torch.from_numpy(np.random.default_rng(2).random((len(degrees), 3, height, width), dtype=np.float32))
    expected = torch.stack([reference(image, angle.item()) for image, angle in zip(images, degrees, strict=True)])
    assert torch.equal(rotate(images, degrees), expected)


def test_an_anticlockwise_quarter_turn_moves_the_upper_right_corner_to_the_upper_left():
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 0, 8] = 1
    turned = rotate(image, torch.tensor([90.0]))
    assert turned[0, 0, 0, 0] == 1 and turned.sum() == 1


def test_training_images_have_corners_that_were_black_before_normalisation():
    bank = np.full((40, 1, 32, 32), 255, np.uint8)
    angles = np.random.default_rng(5).uniform(-180, 180, 40)
    images, places = Pixels(bank, torch.device("cpu"), 180.0, np.random.default_rng(5)).augmented(np.arange(40))
    black, white = (normalise(torch.full((1, 3, 1, 1), value)).flatten() for value in (0.0, 1.0))
    oblique = np.abs(angles % 90 - 45) < 30
    assert oblique.sum() > 10 and places.tolist() == list(range(40))
    for corner in (images[oblique][:, :, y, x] for y in (0, -1) for x in (0, -1)):
        torch.testing.assert_close(corner, black.expand_as(corner))
    centre = images[:, :, 16, 16]
    torch.testing.assert_close(centre, white.expand_as(centre))


def test_without_rotation_training_images_are_the_test_images():
    bank = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    pixels, rows = Pixels(bank, torch.device("cpu"), 0.0, np.random.default_rng(0)), np.array([3, 1])
    assert torch.equal(pixels.augmented(rows)[0], pixels.plain(rows))
    assert torch.equal(gather(pixels.bank, rows), torch.from_numpy(bank[[3, 1]]))


@pytest.mark.parametrize("colour", [False, True])
def test_training_images_are_those_of_the_plain_path_resized_turned_and_normalised_one_by_one(
    toy, tmp_path, monkeypatch, colour
):
    from torchvision import transforms

    table = toy.table.iloc[:6]
    if colour:
        for number, name in enumerate(table["file"]):
            place = tmp_path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            grey = np.asarray(Image.open(toy.root / name).convert("L"))
            Image.fromarray(np.stack([grey, 255 - grey, np.roll(grey, number)], axis=-1)).save(place)
        table = table.assign(sha256=[sha256(tmp_path / name) for name in table["file"]])
    root, rows = tmp_path if colour else toy.root, np.array([4, 0, 4, 2, 5])
    angles = np.random.default_rng(7).uniform(-180, 180, len(rows))
    drawn = iter(angles.tolist())
    monkeypatch.setattr(transforms.RandomRotation, "get_params", staticmethod(lambda _: next(drawn)))
    last = transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    plain = transforms.Compose(
        [transforms.Resize((40, 40)), transforms.ToTensor(), transforms.RandomRotation(180), last]
    )
    expected = torch.stack([plain(Image.open(root / table["file"].iloc[row]).convert("RGB")) for row in rows])
    bank = image_bank(table, root, 40, tmp_path / "cache")
    images, _ = Pixels(bank, torch.device("cpu"), 180.0, np.random.default_rng(7)).augmented(rows)
    assert bank.shape[1] == (3 if colour else 1) and not torch.equal(expected[0], expected[2])
    torch.testing.assert_close(images, expected, rtol=0, atol=1e-6)
