"""How the embedded trunk is made: where it begins, what it is shown, how it goes on after an interruption."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from devnetlib import embedded
from devnetlib.__main__ import main
from devnetlib.data.batches import IMAGENET_MEAN, IMAGENET_STD
from devnetlib.data.distillation_images import PAINTED, Varied, apart, held_out, plain, unlabelled_cells
from devnetlib.data.painting import PAINTERS, painted
from devnetlib.embedded.network import NarrowResNet18
from devnetlib.errors import Misuse
from devnetlib.network import STAGE_CHANNELS, ResNet18, initialise
from devnetlib.study.distilling import Distillation, Recipe, distil, keep, maps_of, resume
from devnetlib.study.embedding import card_of, summary, teacher_of, write_trunk
from devnetlib.study.narrowing import narrow
from devnetlib.study.weights import trunk_of

SHORT = Recipe(phases=((3, 32), (2, 48)), batch=4, warm_up=2, narrowed_on=8, measured_on=8, pixels=48)


@pytest.fixture(scope="module")
def teacher() -> ResNet18:
    """A network with weights and statistics of its own, as a trained one has."""
    network = ResNet18(3)
    draw = torch.Generator().manual_seed(6)
    initialise(network, draw)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=draw)
            layer.bias.data.uniform_(-0.5, 0.5, generator=draw)
            layer.running_mean.uniform_(-0.5, 0.5, generator=draw)
            layer.running_var.uniform_(0.5, 2.0, generator=draw)
    return network.eval()


@pytest.fixture(scope="module")
def banks() -> dict[str, np.ndarray]:
    """Sixteen grey and sixteen coloured images."""
    images = np.stack([painted(number, 48) for number in range(32)])
    return {"cells": images[:16, :1], "painted": images[16:]}


@pytest.fixture
def work(teacher, banks) -> Distillation:
    return Distillation(teacher, banks, SHORT)


def test_a_student_as_wide_as_the_teacher_begins_as_its_equal(teacher, banks, monkeypatch):
    monkeypatch.setattr(NarrowResNet18, "WIDTHS", {0: 64} | {stage: STAGE_CHANNELS[stage] for stage in (1, 2, 3)})
    student, images = NarrowResNet18(), plain(banks["painted"], 48)
    narrow(teacher, student, images)
    theirs, ours = maps_of(teacher, images), maps_of(student, images)
    for stage in (1, 2, 3):
        torch.testing.assert_close(ours[stage], theirs[stage], rtol=1e-3, atol=1e-3)


def test_a_narrow_student_begins_nearer_to_the_teacher_than_a_mean_map(work):
    assert all(0 < share < 1 for errors in work.start.values() for share in errors.explained.values())


def test_a_student_that_gives_the_teachers_maps_has_no_error(work):
    work.average = work.teacher
    for errors in work.errors().values():
        assert set(errors.squared.values()) == {0.0} and set(errors.explained.values()) == {1.0}


def test_training_lowers_the_loss_on_the_same_images(work):
    work.recipe = replace(SHORT, phases=((30, 32),), learning_rate=1e-4)
    first = work.varied.batch(0, 4, 32)
    work.varied = SimpleNamespace(batch=lambda *_: first)

    def loss() -> float:
        with torch.no_grad():
            return work.loss(work.student.maps(first), work.teacher.maps(first)).item()

    before = loss()
    for _ in range(30):
        work.step()
    assert loss() < before


def test_the_loss_of_an_equal_map_is_0_and_of_one_that_is_a_unit_off_the_sum_of_the_stages_weights(work):
    wanted = work.teacher.maps(work.varied.batch(0, 4, 32))
    assert work.loss(wanted, wanted).item() == 0
    units = {stage: torch.cat([work.units[kind][stage].expand(2, -1, 1, 1) for kind in work.units]) for stage in wanted}
    off = work.loss({stage: maps + units[stage] for stage, maps in wanted.items()}, wanted)
    assert off.item() == pytest.approx(sum(SHORT.stage_weights), rel=1e-4)


def test_an_interrupted_distillation_ends_where_an_uninterrupted_one_does(teacher, banks, tmp_path):
    whole = distil(teacher, banks, SHORT, tmp_path / "whole")
    first = Distillation(teacher, banks, SHORT)
    for _ in range(3):
        first.step()
    keep(first, tmp_path / "cut" / "distillation" / "state.safetensors")
    resumed = distil(teacher, banks, SHORT, tmp_path / "cut")
    assert resumed.update == whole.update == SHORT.updates and resumed.seconds > first.seconds > 0
    for network in ("student", "average"):
        pairs = zip(getattr(whole, network).parameters(), getattr(resumed, network).parameters(), strict=True)
        for theirs, ours in pairs:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fault", ["damaged", "of another recipe"])
def test_a_state_that_is_damaged_or_another_recipes_is_named_and_left_aside(work, tmp_path, capsys, fault):
    path = tmp_path / "state.safetensors"
    work.step()
    keep(work, path)
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:-1000])
    else:
        work.recipe = replace(SHORT, seed=1)
    before = {key: tensor.clone() for key, tensor in work.student.state_dict().items()}
    work.update = 0
    resume(work, path)
    assert "state.safetensors: not taken up (" in capsys.readouterr().out and work.update == 0
    assert all(torch.equal(before[key], tensor) for key, tensor in work.student.state_dict().items())


def test_the_rate_rises_at_first_and_falls_to_nearly_nothing():
    rates = [SHORT.rate_at(update) for update in range(SHORT.updates)]
    assert rates[0] < rates[1] and rates[1:] == sorted(rates[1:], reverse=True)
    assert 0 < rates[-1] < 0.1 * SHORT.learning_rate


def test_the_phases_follow_one_another_and_nothing_follows_them():
    assert [SHORT.pixels_at(update) for update in range(SHORT.updates)] == [32, 32, 32, 48, 48]
    with pytest.raises(ValueError, match="update 5 beyond"):
        SHORT.pixels_at(5)


def test_nothing_that_is_held_out_is_trained_on(work, banks):
    for kind, bank in banks.items():
        trained = {image.tobytes() for image in work.train[kind]}
        kept = [image.tobytes() for image in work.held_out[kind]]
        assert len(kept) == 3 and len(trained) == 13 and not trained & set(kept)
        assert all(np.array_equal(work.held_out[kind][i], bank[7 * i]) for i in range(3))


def test_of_the_cells_without_a_label_every_seventh_is_held_out():
    cells = unlabelled_cells()
    assert len(cells) == 401 and held_out(401).sum() == 58 and list(cells["id"]) == sorted(cells["id"])
    assert held_out(17).nonzero()[0].tolist() == [0, 7, 14]


def test_a_hash_that_is_near_to_one_beyond_the_first_ones_is_left_out_and_one_that_is_near_to_a_first_one_is_not():
    hashes = np.zeros((5, 64), bool)
    hashes[1, :15] = hashes[4, :20] = True  # 15 bits from the first, 5 from the last
    hashes[2, :40] = hashes[3, 40:] = True
    assert apart(hashes, 3).tolist() == [True, False, True]


def test_every_painter_is_among_the_images_that_are_held_out():
    assert set(held_out(PAINTED).nonzero()[0] % len(PAINTERS)) == set(range(len(PAINTERS)))


def test_a_batch_is_a_function_of_its_number_half_grey_and_half_painted_within_the_range_of_pixels(banks):
    varied = Varied(banks, seed=3)
    once, again, other = varied.batch(5, 4, 40), Varied(banks, seed=3).batch(5, 4, 40), varied.batch(6, 4, 40)
    assert once.shape == (4, 3, 40, 40) and torch.equal(once, again) and not torch.equal(once, other)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    pixels = once * std + mean
    assert pixels.min() > -1e-5 and pixels.max() < 1 + 1e-5


def test_a_painted_image_is_a_function_of_its_number_and_every_second_round_of_painters_is_coloured():
    first, again = painted(3, 64), painted(3, 64)
    assert first.shape == (3, 64, 64) and first.dtype == np.uint8 and np.array_equal(first, again)
    rounds = [painted(number, 64) for number in range(2 * len(PAINTERS))]
    grey = [np.array_equal(image[0], image[1]) and np.array_equal(image[0], image[2]) for image in rounds]
    assert grey == [True] * len(PAINTERS) + [False] * len(PAINTERS)
    assert len({image.tobytes() for image in rounds}) == len(rounds) and all(image.std() > 1 for image in rounds)


def test_what_is_written_is_read_again_and_the_card_tells_of_it(work, tmp_path):
    work.step()
    told = write_trunk(work, "0123456789abcdef", ["cell0007"], tmp_path)
    network = NarrowResNet18()
    network.load_state_dict(trunk_of(tmp_path).tensors)
    for ours, theirs in zip(network.parameters(), work.average.parameters(), strict=True):
        assert torch.equal(ours, theirs) and torch.equal(ours, ours.half().float())
    assert told == embedded.card(tmp_path) and told["file"]["bytes"] == (tmp_path / embedded.TRUNK).stat().st_size
    assert told["made"]["updates"] == 1 and told["imitates"]["tensors"] == "0123456789abcdef"
    assert told["network"]["parameters"] == sum(p.numel() for p in network.parameters())
    assert told["images"]["ids"] == {"elpv": ["cell0007"]}
    assert f"{told['errors']['cells']['squared']['3']:.3f}" in summary(told)


def test_the_card_names_the_tensors_of_each_stage_differently(work):
    tensors = {key: value.half() for key, value in work.average.state_dict().items()}
    assert len(set(card_of(work, "0" * 16, [], b"", tensors)["weights"].values())) == 3


@pytest.mark.parametrize("choice", ["random", "embedded"])
def test_only_imagenet_weights_are_imitated(choice):
    with pytest.raises(Misuse, match=f"--weights {choice}: the trunk imitates ImageNet weights"):
        teacher_of(choice)


def test_without_imagenet_weights_nothing_is_distilled(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("DEVNET_WEIGHTS", raising=False)
    with pytest.raises(Misuse, match="no ImageNet weights of ResNet-18 at hand"):
        teacher_of(None)


def test_the_command_refuses_other_weights_in_a_line_and_writes_nothing(tmp_path, capsys):
    assert main(["distil", "--weights", "random", "--output", str(tmp_path / "made")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --weights random: the trunk imitates") and not (tmp_path / "made").exists()
