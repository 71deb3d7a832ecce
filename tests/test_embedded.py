"""The embedded trunk: the file that is committed, how the study uses it, and what it must not have seen."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load
from torch.utils.flop_counter import FlopCounterMode

from devnetlib import embedded
from devnetlib.data.distillation_images import plain
from devnetlib.data.images import image_bank
from devnetlib.data.manifests import MANIFESTS
from devnetlib.data.painting import painted
from devnetlib.embedded.network import NarrowResNet18
from devnetlib.errors import Incomplete, Misuse
from devnetlib.evidence.imitation import explained_here, maps_figure, maps_row
from devnetlib.network import ResNet18
from devnetlib.report.selection import Stored, cell, published, weights_title
from devnetlib.study.execution import (
    Machine,
    build_detector,
    check_unseen,
    execute,
    frozen_inputs,
    lane_inputs,
    partition_of,
    row_numbers,
    train,
)
from devnetlib.study.imagenet import find_imagenet
from devnetlib.study.planning import plan
from devnetlib.study.results import PUBLISHED
from devnetlib.study.training import Maps, Pixels
from devnetlib.study.weights import RANDOM, in_place_of, load_backbone, load_weights, trunk_of

KNOWN_NUMBERS = (1000, 1001, 1005)  # of painted images that are not among those of the distillation
KNOWN = torch.tensor([[0.370, 0.585, 0.220], [0.212, 0.263, 0.711], [0.395, 1.081, 0.440]])
CHANNELS = (22, 52, 206)  # of their maps after stage 3, at the middle cell (7, 7): a row an image


@pytest.fixture(scope="module")
def trunk() -> NarrowResNet18:
    """The network with the committed tensors."""
    network = NarrowResNet18()
    assert load_backbone(network, load_weights("embedded"), frozen=True) == []
    return network.eval()


@pytest.fixture(scope="module")
def imagenet() -> None:
    """ImageNet weights, or the test is left out."""
    if find_imagenet() is None:
        pytest.skip("left out: needs ImageNet weights, such as the file that DEVNET_WEIGHTS names")


@pytest.fixture
def copied(tmp_path) -> Path:
    """A folder with a copy of trunk and card."""
    for name in (embedded.TRUNK, embedded.CARD):
        shutil.copy(embedded.FOLDER / name, tmp_path)
    return tmp_path


def quick(method: str = "devnet", **more) -> list:
    """Runs of a method on the toy in the frozen lane, from the embedded trunk."""
    return plan("toy", method, "quick", "embedded", **more)


def test_the_file_is_the_one_on_the_card_and_the_one_that_was_published_in_half_precision_and_small():
    content = (embedded.FOLDER / embedded.TRUNK).read_bytes()
    told = embedded.card()["file"]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (told["bytes"], told["sha256"])
    assert told["sha256"] == "aba99099f293f8169d89875d7bf4c4075645849e7d14aa4c5cd1e81ee4823c11"
    assert len(content) <= 4_000_000
    assert {tensor.dtype for tensor in load(content).values()} == {torch.float16}


@torch.inference_mode()
def test_its_maps_of_three_painted_images_are_known(trunk):
    maps = trunk(torch.cat([plain(painted(number, 224)[None], 224) for number in KNOWN_NUMBERS]))
    torch.testing.assert_close(maps[:, CHANNELS, 7, 7], KNOWN, rtol=0, atol=1e-3)


@pytest.mark.parametrize("pixels", [64, 100, 224])
@torch.inference_mode()
def test_its_maps_have_the_channels_and_the_grid_of_resnet_18_and_are_never_negative(trunk, pixels):
    images = torch.randn(1, 3, pixels, pixels, generator=torch.Generator().manual_seed(1))
    whole = ResNet18(3).eval()
    ours, theirs = trunk.maps(images), whole.maps(images)
    assert {stage: maps.shape for stage, maps in ours.items()} == {stage: maps.shape for stage, maps in theirs.items()}
    assert all(maps.min() >= 0 for maps in ours.values()) and trunk.channels == whole.channels


@torch.inference_mode()
def test_the_trunk_cut_after_stage_2_gives_the_map_that_the_whole_one_gives_on_the_way(trunk):
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    cut = NarrowResNet18(2)
    load_backbone(cut, load_weights("embedded"), frozen=True)
    assert torch.equal(cut(images), trunk.maps(images)[2])


def test_it_takes_less_than_half_the_operations_of_resnet_18(trunk):
    images, counted = torch.zeros(1, 3, 224, 224), []
    for network in (trunk, ResNet18(3).eval()):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            network(images)
        counted.append(counter.get_total_flops())
    assert counted[0] < counted[1] / 2


def test_it_explains_the_teachers_maps_on_held_out_images_as_well_as_was_asked_for():
    errors = embedded.card()["errors"]
    assert errors["cells"]["squared"]["3"] <= 0.38 and errors["cells"]["squared"]["2"] <= 0.38
    assert all(share > 0.5 for kind in errors.values() for share in kind["explained"].values())


def test_training_brought_it_nearer_to_the_teacher_than_it_began():
    told = embedded.card()
    for kind, errors in told["errors"].items():
        assert all(value < told["start_errors"][kind]["squared"][stage] for stage, value in errors["squared"].items())


@pytest.mark.slow
def test_what_the_card_says_of_held_out_images_is_found_again(imagenet):
    measured, told = explained_here(count=100), embedded.card()["errors"]["painted"]["explained"]
    assert {str(stage): share for stage, share in measured.items()} == pytest.approx(told, abs=0.002)


@pytest.mark.parametrize("place", [100, -100])
def test_a_damaged_file_is_refused_and_named_with_the_mend(copied, monkeypatch, place):
    content = bytearray((copied / embedded.TRUNK).read_bytes())
    content[place] ^= 1
    (copied / embedded.TRUNK).write_bytes(content)
    with pytest.raises(Incomplete, match=r"trunk\.safetensors: damaged, found sha256 .* the card has .* restore it"):
        trunk_of(copied)
    monkeypatch.setattr(embedded, "FOLDER", copied)
    with pytest.raises(Misuse, match=r"trunk\.safetensors: damaged"):
        load_weights("embedded")


@pytest.mark.parametrize("name", [embedded.TRUNK, embedded.CARD])
def test_a_file_that_is_not_there_is_named_with_the_mend(copied, name):
    (copied / name).unlink()
    with pytest.raises(Incomplete, match=rf"{name}: .*restore it with git"):
        trunk_of(copied)


def test_a_card_that_is_no_json_is_named(copied):
    (copied / embedded.CARD).write_text("{")
    with pytest.raises(Incomplete, match=r"card\.json: no card of the embedded trunk"):
        embedded.card(copied)


def test_a_run_names_its_tensors_and_tables_call_it_by_its_title():
    (run,) = quick()
    assert run.weights == embedded.names()["3"] != quick(options={"stage": 2})[0].weights == embedded.names()["2"]
    assert weights_title(run.weights) == "embedded trunk" and "--weights embedded" in run.command


def test_beside_as_many_runs_from_it_a_table_shows_those_from_imagenet_unless_it_is_asked_for():
    usual = list(cell(published(), "elpv", "devnet", "quick").runs.values())
    own = [replace(scores, run=replace(scores.run, weights=embedded.names()["3"])) for scores in usual]

    def shown(**asked: str) -> set[str]:
        found = cell(Stored(own + usual), "elpv", "devnet", "quick", **asked)
        return {scores.run.weights for scores in found.runs.values()}

    assert shown() == {usual[0].run.weights} != shown(weights=embedded.names()["3"]) == {embedded.names()["3"]}


def test_stage_4_is_refused_with_the_reason():
    for method, options in (("devnet", {"stage": 4}), ("minns", {"stages": "2,3,4"})):
        with pytest.raises(Misuse, match="the embedded trunk ends at stage 3, and stage 4 is asked for"):
            quick(method, options=options)
    with pytest.raises(Misuse, match="ends at stage 3"):
        plan("toy", "devnet", "laptop", "embedded")


def test_another_architecture_is_refused_with_the_reason():
    with pytest.raises(Misuse, match="imitates ResNet-18, not VGG-16"):
        load_weights("embedded", "vgg16")


def test_without_imagenet_weights_the_frozen_lane_starts_from_it_and_the_fine_tuned_one_from_random_ones(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("DEVNET_WEIGHTS", raising=False)
    assert load_weights(None, frozen=True) is load_weights("embedded") and load_weights(None) == RANDOM
    assert plan("toy", "devnet", "quick") == quick()
    assert plan("toy", "kdad", "quick", options={"teacher": "resnet18"})[0].weights == quick()[0].weights  # its teacher
    assert [plan("toy", "devnet", profile)[0].weights for profile in ("smoke", "laptop", "released")] == ["random"] * 3
    assert plan("toy", "devnet", "quick", "random")[0].weights == "random"


def test_a_run_that_names_it_gets_it_whatever_the_machine_prefers(trunk):
    (run,) = quick()
    detector, missing = build_detector(run, Machine(weights="random"))
    assert isinstance(detector.backbone, NarrowResNet18) and missing == []
    assert torch.equal(detector.backbone.conv1.reduce.weight, trunk.conv1.reduce.weight)


def test_other_weights_leave_the_backbone_as_it_is():
    backbone = ResNet18(3)
    assert in_place_of(backbone, RANDOM) is backbone


@pytest.mark.parametrize("method", ["devnet", "minns", "nearest"])
def test_a_detector_scores_pixels_as_it_scores_its_cached_maps(method, toy):
    (run,) = quick(method)
    run, machine = (
        replace(run, training=replace(run.training, pixels=64, updates=min(2, run.training.updates))),
        Machine(),
    )
    detector, _ = build_detector(run, machine)
    bank = image_bank(toy.table, toy.root, 64, machine.cache)
    maps = lane_inputs(run, detector, toy, bank, machine)
    assert isinstance(maps, Maps)
    train(run, detector, maps, row_numbers(toy, partition_of(run, toy)))
    detector.eval().requires_grad_(False)
    pixels = Pixels(bank, torch.device("cpu"), 0.0, None)
    rows = row_numbers(toy, partition_of(run, toy))["test"][:8]
    scores = detector.score(maps.plain(rows))
    assert scores.std() > 0
    torch.testing.assert_close(detector(pixels.plain(rows)), scores, rtol=5e-3, atol=5e-3)


def test_its_maps_are_cached_under_a_name_of_their_own(toy, monkeypatch):
    from devnetlib.study import execution

    asked = []
    monkeypatch.setattr(execution, "cached_maps", lambda backbone, pixels, paths: asked.extend(paths.values()) or [])
    for run in (quick()[0], plan("toy", "devnet", "quick", "random")[0]):
        detector, _ = build_detector(run, Machine())
        frozen_inputs(
            run,
            detector,
            Pixels(image_bank(toy.table, toy.root, 32, Machine().cache), torch.device("cpu"), 0.0, None),
            toy,
            Machine(),
        )
    assert len(set(asked)) == 2 and f"embedded-scale0-stage3-{embedded.names()['3']}" in asked[0].name


def test_fine_tuning_from_it_is_allowed_and_named(toy):
    (run,) = plan("toy", "devnet", "smoke", "embedded")
    scores, _ = execute(run)
    assert scores.run.weights == embedded.names()["3"] and scores.run.training.lane == "fine-tuned"


def test_maps_of_both_are_drawn_side_by_side_where_imagenet_weights_are_at_hand(imagenet, tmp_path):
    image, *maps = maps_row(painted(KNOWN_NUMBERS[0], 224))
    assert image.shape == (224, 224, 3) and [one.shape for one in maps] == [(14, 14)] * 5
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.5
    assert "embedded trunk" in maps_figure(tmp_path / "maps.png") and (tmp_path / "maps.png").stat().st_size > 1000


def test_no_maps_are_drawn_without_imagenet_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("DEVNET_WEIGHTS", raising=False)
    assert maps_figure(tmp_path / "maps.png") is None and not (tmp_path / "maps.png").exists()


# What it must not have seen.


def test_no_id_of_a_published_partition_is_among_the_images_it_has_learned_from():
    seen, partitions = embedded.seen_images(), list((PUBLISHED / "partitions").rglob("*.json"))
    assert partitions
    for path in partitions:
        stored = json.loads(path.read_text())
        ids = {*stored["train"], *stored["labelled"], *stored["polluting"], *stored["test"]["id"]}
        assert not ids & set(seen.get(path.parent.name, [])), path.name


def test_no_split_or_draw_can_reach_them_for_none_of_them_has_a_label():
    table = pd.read_csv(MANIFESTS / "elpv.csv", dtype=str, keep_default_na=False).set_index("id")
    seen = embedded.seen_images()
    assert list(seen) == ["elpv"] and 0 < len(seen["elpv"]) == len(set(seen["elpv"])) <= (table["label"] == "").sum()
    assert set(table.loc[seen["elpv"], "label"]) == {""}


def test_no_image_of_any_data_set_has_the_bytes_of_one_of_them():
    tables = {path.stem: pd.read_csv(path, dtype=str, keep_default_na=False) for path in MANIFESTS.glob("*.csv")}
    seen = tables["elpv"]["id"].isin(embedded.seen_images()["elpv"])
    hashes = set(tables["elpv"].loc[seen, "sha256"])
    tables["elpv"] = tables["elpv"][~seen]
    assert len(tables) > 1 and len(hashes) == seen.sum()
    assert {name: len(hashes & set(table["sha256"])) for name, table in tables.items()} == dict.fromkeys(tables, 0)


def test_a_reading_with_images_that_it_has_learned_from_is_refused_with_the_reason(toy):
    (run,) = quick()
    told = replace(run, dataset="elpv", reading="all")
    first = embedded.seen_images()["elpv"][0]
    table = toy.table.assign(id=[first, *toy.table["id"][1:]])
    with pytest.raises(Misuse, match=rf"has learned from 1 images of elpv \(all\), such as {first}: use --weights"):
        check_unseen(told, replace(toy, table=table))
    check_unseen(told, toy)
    check_unseen(replace(told, weights="random"), replace(toy, table=table))
