"""Runs that are explained: the same image scores, masks in their places, maps by name, and what is stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from devnetlib.__main__ import main
from devnetlib.data.intake import get
from devnetlib.data.masks import masks_of
from devnetlib.data.prepare import prepare
from devnetlib.data.toy import toy_image
from devnetlib.errors import Misuse
from devnetlib.pixel_metrics import aupro, histograms_of
from devnetlib.report.explanations import explanation_table
from devnetlib.report.selection import yours
from devnetlib.study import results as stored
from devnetlib.study.execution import Machine, execute
from devnetlib.study.faithfulness import REPLACED, ranked
from devnetlib.study.grids import execute_all, is_stored
from devnetlib.study.localisation import MOST_NORMALS, evenly, explain
from devnetlib.study.map_kinds import EDGE, hill
from devnetlib.study.parameters import request_of
from devnetlib.study.pictures import kept_at, pictures
from devnetlib.study.planning import plan, question_grid
from devnetlib.study.verification import check_pixels, faults
from tests.trees import mask as draw_mask
from tests.trees import picture

ONE = Machine(device="cpu", threads=1)


@pytest.fixture(scope="module")
def run(toy_runs):
    (found,) = toy_runs("untrained")
    return found


@pytest.fixture(scope="module")
def explained(run):
    return explain(run, ONE)


@pytest.fixture(scope="module")
def cloth(tmp_path_factory):
    """The data root of a folder of one's own, in which nothing is marked."""
    root, source = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("source")
    for kind, defect in (("normal", ""), ("anomaly", "hole")):
        (source / kind).mkdir()
        for number in range(24):
            Image.fromarray(toy_image(number, defect)[0]).save(source / kind / f"{number:02d}.png")
    get("my/cloth", source, False, root)
    return root


def test_an_explained_run_has_the_image_scores_and_the_key_of_the_run_that_is_not(run, explained):
    scores, partition = execute(run, ONE)
    assert scores.score == explained[0].score and scores.run.key == explained[0].run.key
    assert scores.pixels is None and partition == explained[1]


def test_masks_lie_where_the_defects_were_drawn_twice_as_large(toy):
    rows = np.flatnonzero(toy.table["label"] == 1)[[0, 30, 99]]
    for row, mask in zip(rows, masks_of(toy, rows, EDGE), strict=True):
        kind, number = toy.table["id"][row].rsplit("-", 1)
        drawn = toy_image(int(number), kind)[1]
        assert np.array_equal(mask, drawn.repeat(2, axis=0).repeat(2, axis=1))


def test_a_normal_image_has_an_empty_mask_and_no_row_gives_no_mask(toy):
    normals = np.flatnonzero(toy.table["label"] == 0)[:2]
    assert not masks_of(toy, normals, EDGE).any() and masks_of(toy, normals[:0], EDGE).shape == (0, EDGE, EDGE)


def test_every_map_is_measured_on_every_marked_image_and_counted_over_all_pixels(explained):
    scores, _ = explained
    pixels = scores.pixels
    assert set(pixels["maps"]) == {"gradient", "patches", "random network", "centre"}
    assert pixels["images"] == np.flatnonzero(scores.labels == 1).tolist()
    for found in pixels["maps"].values():
        histograms = histograms_of(found)
        assert len(found["auroc"]) == len(found["average_precision"]) == 90
        assert histograms.normal.sum() + histograms.defect.sum() == (90 + pixels["normals"]) * EDGE**2
        assert np.all(np.diff(found["edges"]) >= 0) and 0 < aupro(histograms) < 1
    check_pixels(scores)


def test_random_networks_and_the_hill_stand_with_the_untrained_control_alone(toy_runs):
    (run,) = toy_runs("flos")
    assert set(explain(run, ONE)[0].pixels["maps"]) == {"gradient", "patches"}


def test_deletion_and_insertion_lie_between_0_and_1_or_are_missing_together(explained):
    for found in explained[0].pixels["perturbed"]["maps"].values():
        pairs = list(zip(found["deletion"], found["insertion"], strict=True))
        assert all(pair == (None, None) or (min(pair) >= 0 and max(pair) <= 1) for pair in pairs)


def test_the_most_salient_pixels_are_ranked_first():
    ranks = ranked(torch.from_numpy(hill(1)), EDGE)[0]
    replaced = ranks < REPLACED[-1]
    assert replaced.float().mean() == pytest.approx(0.1, abs=1e-4) and replaced[EDGE // 2, EDGE // 2]
    assert not replaced[0, 0]


def test_at_most_so_many_normals_are_counted_from_all_over_the_list():
    assert evenly(np.arange(5), MOST_NORMALS).tolist() == [0, 1, 2, 3, 4]
    chosen = evenly(np.arange(286), MOST_NORMALS)
    assert len(set(chosen)) == MOST_NORMALS and chosen[[0, -1]].tolist() == [0, 285]


def test_a_grid_with_pixels_replaces_stored_runs_that_have_none_and_then_rests(run, tmp_path):
    execute_all([run], tmp_path, ONE)
    assert is_stored(run, tmp_path) and not is_stored(run, tmp_path, pixels=True)
    (scores,), failures = execute_all([run], tmp_path, ONE, pixels=True)
    path = stored.scores_path(tmp_path, run)
    written = path.stat().st_mtime_ns
    assert not failures and scores.pixels and is_stored(run, tmp_path, pixels=True)
    execute_all([run], tmp_path, ONE, pixels=True)
    execute_all([run], tmp_path, ONE)
    assert path.stat().st_mtime_ns == written and stored.read(path, tmp_path).pixels == scores.pixels
    assert [fault for _, fault in faults(tmp_path)] == [None]


IMPOSSIBLE = {"images": [], "maps": {"gradient": {"deletion": [2.0], "insertion": [0.5]}}}


@pytest.mark.parametrize(
    "broken",
    [
        {"images": [0]},
        {"normals": 7},
        {"maps": {"gradient": {}}},
        {"edge": 112},
        {"perturbed": {}},
        {"perturbed": IMPOSSIBLE},
        {"perturbed": IMPOSSIBLE | {"images": [-1]}},
    ],
)
def test_measures_that_do_not_fit_their_run_are_found(explained, broken):
    scores, _ = explained
    with pytest.raises(stored.DamagedScores, match="run it again"):
        check_pixels(replace(scores, pixels=scores.pixels | broken))


@pytest.fixture(scope="module")
def scratches(tmp_path_factory):
    """An explained run on a folder of one's own in the form of MVTec AD, 300 x 100 px with scratches of one pixel. Four
    of its anomalous images have no mask, and the masks of four mark nothing."""
    root, source = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("source")
    for number in range(30):
        picture(source / f"train/good/{number:02d}.png", (300, 100))
        picture(source / f"test/{'good' if number < 8 else 'scratch'}/{number:02d}.png", (300, 100))
        if number >= 12:
            marked = None if number < 16 else (7 * number, 0, 7 * number + 1, 100)
            draw_mask(source / f"ground_truth/scratch/{number:02d}_mask.png", (300, 100), marked)
    get("my/tiles", source, True, root)
    (run,) = plan("my/tiles", "devnet", "smoke", "random", data_root=root)
    return *explain(run, replace(ONE, data_root=root)), root


def test_anomalous_images_of_which_nothing_is_marked_are_left_out_and_never_count_as_normal(scratches):
    scores, partition, _ = scratches
    pixels, bare = scores.pixels, [f"test/scratch/{number:02d}.png" for number in range(8, 16)]
    left_out = [partition.test[place] for place in pixels["unmarked"]]
    assert left_out == [name for name in partition.test if name in bare] and left_out
    assert len(pixels["images"]) == 12 - len(left_out)
    histograms = histograms_of(pixels["maps"]["gradient"])
    assert histograms.normal.sum() + histograms.defect.sum() == (len(pixels["images"]) + pixels["normals"]) * EDGE**2
    check_pixels(scores)
    with pytest.raises(stored.DamagedScores, match="run it again"):
        check_pixels(replace(scores, pixels=pixels | {"unmarked": []}))


def test_a_run_none_of_whose_images_is_marked_is_refused_before_maps_are_made(run, monkeypatch):
    monkeypatch.setattr(
        "devnetlib.study.localisation.masks_of", lambda data, rows, edge: np.zeros((len(rows), 1, 1), bool)
    )
    monkeypatch.setattr("devnetlib.study.localisation.kinds_of", lambda trained: pytest.fail("maps were made"))
    with pytest.raises(Misuse, match="none of its 90 anomalous test images has pixels of both kinds"):
        explain(run, ONE)


@pytest.mark.parametrize("made", ["scratches", "explained"])
def test_pixels_measured_on_masks_that_lost_defects_count_as_not_there(request, tmp_path, made):
    scores, partition, *_ = request.getfixturevalue(made)
    path = stored.write(scores, partition, tmp_path)
    content = json.loads(path.read_text())
    assert is_stored(scores.run, tmp_path, pixels=True) and content["pixels"].pop("revision") == 2
    path.write_text(json.dumps(content))
    assert is_stored(scores.run, tmp_path) and [fault for _, fault in faults(tmp_path)] == [None]
    assert is_stored(scores.run, tmp_path, pixels=True) == (scores.run.dataset == "toy")  # whose masks never shrink


def test_images_without_masks_and_probes_are_refused_before_anything_is_trained(cloth, toy_runs):
    (run,) = plan("my/cloth", "devnet", "smoke", "random", data_root=cloth)
    with pytest.raises(Misuse, match="no image of my/cloth has a mask"):
        explain(run, replace(ONE, data_root=cloth))
    (probe,) = toy_runs("grey")
    with pytest.raises(Misuse, match="no map of pixels"):
        explain(probe, ONE)


def test_pictures_hold_the_images_at_the_places_asked_for(run, explained):
    place = explained[0].pixels["images"][3]
    drawn = pictures(run, [place], ONE)
    data = prepare("toy")
    row = data.table.index[data.table["id"] == explained[1].test[place]].to_numpy()
    assert np.array_equal(drawn.masks, masks_of(data, row, EDGE))
    assert drawn.images.shape == drawn.maps.shape == (1, EDGE, EDGE) and 0 <= drawn.maps.min() <= drawn.maps.max() <= 1


def test_the_maps_of_an_explained_run_are_kept_and_drawn_once_where_they_are_damaged(run, explained, monkeypatch):
    places, executed = explained[0].pixels["images"][2:5], []
    monkeypatch.setattr("devnetlib.study.pictures.execute", lambda *args: executed.append(args[0]) or execute(*args))
    kept = pictures(run, places, ONE)
    assert not executed
    path = kept_at(run, prepare("toy"), ONE)
    path.write_bytes(path.read_bytes()[:-9])
    anew, again = pictures(run, places, ONE), pictures(run, places, ONE)
    assert executed == [run] and np.abs(kept.maps - anew.maps).max() <= 1 / 255 + 1e-6
    assert np.array_equal(anew.maps, again.maps)
    assert np.array_equal(kept.images, anew.images) and np.array_equal(kept.masks, anew.masks)


def test_the_question_is_asked_of_every_set_whose_images_have_masks_on_the_splits_that_it_has(scratches, cloth):
    root = scratches[2]
    asked_of = {"datasets": ["my/tiles", "toy"], "draws": [0], "data_root": root}
    runs = question_grid("q3", "smoke", "random", **asked_of)
    splits = {name: {run.split for run in runs if run.dataset == name} for name in asked_of["datasets"]}
    assert splits == {"my/tiles": {0}, "toy": set(range(5))}
    for dataset, where in (("elpv", root), ("my/cloth", cloth)):
        with pytest.raises(Misuse, match=f"cannot be asked of {dataset}: no anomalous image of it has a mask"):
            question_grid("q3", "smoke", "random", datasets=[dataset], data_root=where)
    with pytest.raises(Misuse, match=r"mvtec/carpet is not prepared in .* data prepare mvtec/carpet"):
        question_grid("q3", "smoke", "random", datasets=["mvtec/carpet"], data_root=root)


def test_the_commands_and_a_notebook_ask_it_of_a_folder_of_ones_own(scratches, cloth, monkeypatch, tmp_path, capsys):
    scores, partition, root = scratches
    monkeypatch.setenv("DEVNET_DATA", str(root))
    stored.write(scores, partition, tmp_path)
    assert main(["table", "--question", "q3", "--dataset", "my/tiles", "--results", str(tmp_path)]) == 0
    assert "DevNet, untrained head" in capsys.readouterr().out
    request = request_of({"datasets": "my/tiles, elpv", "profile": "smoke"})
    assert request.asking("q3") == ("my/tiles",) and {run.dataset for run in request.grid("q3")} == {"my/tiles"}
    assert "no anomalous image of it has a mask" in request.unasked("q3")["elpv"]
    assert len(explanation_table(yours(tmp_path), "my/tiles", "smoke")) == 2
    monkeypatch.setenv("DEVNET_DATA", str(cloth))
    assert main(["table", "--question", "q3", "--dataset", "my/cloth", "--results", str(tmp_path)]) == 2
    assert "no anomalous image of it has a mask" in capsys.readouterr().err
