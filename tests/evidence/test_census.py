"""The leak census: what counts as a copy, which test images have one in training, what AUROC is without them."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from devnetlib.__main__ import main
from devnetlib.data.layouts.files import image_table, near_pairs, perceptual_hash
from devnetlib.data.manifests import MANIFESTS, load_card
from devnetlib.data.prepare import Prepared
from devnetlib.data.splits import Partition
from devnetlib.errors import Incomplete, Misuse
from devnetlib.evidence import census as reading
from devnetlib.evidence import near_images
from devnetlib.evidence.census import Census, committed_table, effect, groups_of, leaks, partnered, without_duplicates
from devnetlib.metrics import auroc
from devnetlib.report.selection import cell, published
from devnetlib.study.results import Scores
from tests.trees import scan

COMMITTED = {census.name: census for census in reading.committed()}
PARTITION = Partition(
    made_of={},
    train=("n1", "n2"),
    labelled=("a1",),
    polluting=("a2",),
    test=("a3", "a4", "a5", "n3", "n4"),
    test_label=(1, 1, 1, 0, 0),
    test_defect=("hole", "hole", "hole", "", ""),
)


def scores(*values: float) -> Scores:
    """Scores of the test images of PARTITION."""
    return Scores(run=None, partition="", score=values, origin={})


def test_pairs_of_hashes_are_those_that_differ_in_few_bits_with_how_many():
    hashes = np.random.default_rng(0).random((40, 16)) < 0.5
    differing = {(a, b): int((hashes[a] != hashes[b]).sum()) for a, b in combinations(range(40), 2)}
    expected = [(a, b, bits) for (a, b), bits in differing.items() if bits <= 4]
    assert expected and near_pairs(hashes, 4) == expected


def test_a_hash_bears_another_size_and_a_little_noise_and_tells_other_pictures_apart():
    picture, other = scan(0, side=256), scan(1, side=256)
    noise = np.random.default_rng(0).normal(0, 3, (256, 256))
    noisy = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    hashes = np.stack([perceptual_hash(image, 16) for image in (picture, picture.resize((200, 180)), noisy, other)])
    assert {pair[:2] for pair in near_pairs(hashes, 40)} == {(0, 1), (0, 2), (1, 2)}


def test_images_that_pairs_join_through_others_are_one_group_and_others_are_in_none():
    assert groups_of([("c", "b", 2), ("a", "b", 0), ("x", "y", 4)]) == {
        "a": "a",
        "b": "a",
        "c": "a",
        "x": "x",
        "y": "x",
    }
    assert groups_of([]) == {}


def test_a_test_image_has_a_partner_where_any_image_that_trains_is_in_its_group():
    groups = groups_of([("n1", "n3", 0), ("a1", "a3", 0), ("a2", "a4", 0), ("a5", "n4", 0)])
    assert partnered(PARTITION, groups).tolist() == [True, True, False, True, False]


def test_an_image_table_column_of_groups_serves_as_well():
    column = {name: name for part in (PARTITION.train, PARTITION.labelled, PARTITION.test) for name in part}
    assert not partnered(PARTITION, column).any()
    assert partnered(PARTITION, column | {"n4": "n2"}).tolist() == [False, False, False, False, True]


def test_auroc_without_duplicates_leaves_out_exactly_the_images_with_a_partner():
    values = scores(0.9, 0.1, 0.5, 0.3, 0.6)
    assert auroc(values.values, PARTITION.test_label) == 3 / 6
    assert without_duplicates(values, PARTITION, {"a4": "g", "n1": "g"}) == 3 / 4
    assert without_duplicates(values, PARTITION, {"n4": "g", "a1": "g"}) == 2 / 3
    assert without_duplicates(values, PARTITION, {}) == 3 / 6


def test_a_test_set_of_which_every_normal_has_a_partner_is_refused():
    with pytest.raises(ValueError, match="expected both 0"):
        without_duplicates(scores(1, 2, 3, 4, 5), PARTITION, {"n1": "g", "n3": "g", "n4": "g"})


def made_table() -> pd.DataFrame:
    """Twelve normals and twelve anomalies; normals 00 and 01 have the same bytes, anomaly 12 looks like normal 02."""
    rows = [
        {"id": f"{n:02d}", "file": f"{n:02d}.png", "group": f"{n:02d}", "sha256": f"{max(n, 1)}"} for n in range(24)
    ]
    return image_table(rows).assign(label=[0] * 12 + [1] * 12)


def test_the_counts_of_a_small_table_are_known():
    census = Census("toy", "all", "", "phash", 256, 14, (("00", "01", 0), ("02", "12", 6)), {})
    found = leaks(census, made_table())
    assert (found.images, found.identical_groups, found.identical_images) == (24, 1, 2)
    assert (found.near_pairs, found.near_groups, found.near_images) == (2, 2, 4)
    assert (found.mixed_pairs, found.ungrouped_pairs) == (1, 2)
    assert (found.normals, found.anomalies) == (3, 2)
    assert 0 < found.normals_partnered <= 2 and 0 <= found.anomalies_partnered <= 1


def test_crops_of_one_file_are_hashed_each_for_itself(tmp_path):
    sheet = Image.new("L", (64, 192))
    for number, seed in enumerate((0, 1, 0)):
        sheet.paste(scan(seed), (0, 64 * number))
    sheet.save(tmp_path / "sheet.png")
    box = {"file": "sheet.png", "x": "0", "width": "64", "height": "64"}
    table = image_table(box | {"id": str(number), "y": str(64 * number)} for number in range(3))
    hashes = near_images.image_hashes(Prepared(load_card("toy"), "all", table, tmp_path, {}))
    assert [pair[:2] for pair in near_pairs(hashes, 0)] == [(0, 2)]


def test_stored_censuses_come_back_and_others_in_the_file_stay(tmp_path):
    path = tmp_path / "census.json"
    near_images.write(COMMITTED.values(), path)
    whole = path.read_bytes()
    changed = replace(COMMITTED["headct"], near=())
    near_images.write([changed], path)
    assert {one.name: one for one in reading.read(path)} == COMMITTED | {"headct": changed}
    near_images.write([COMMITTED["headct"]], path)
    assert path.read_bytes() == whole == reading.CENSUS.read_bytes()


@pytest.mark.parametrize("content", ["", "{}", '{"sets": [{}]}', '{"sets": [1]}'])
def test_a_damaged_census_is_named_with_the_command_that_mends_it(tmp_path, content):
    path = tmp_path / "census.json"
    path.write_text(content)
    with pytest.raises(Incomplete, match=r"census\.json: not a whole census .* run 'python -m devnetlib census"):
        reading.read(path)


def test_a_census_of_another_image_table_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "census.json"
    near_images.write([replace(COMMITTED["headct"], image_table="0" * 16)], path)
    monkeypatch.setattr(reading, "CENSUS", path)
    with pytest.raises(Incomplete, match="headct was counted from another image table"):
        reading.committed.__wrapped__()


def test_the_command_counts_a_data_set_for_programs_and_for_people(capsys):
    assert main(["census", "--datasets", "toy", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["dataset"] == "toy" and told["identical_groups"] == 0 and set(told["probes"]) == {"order", "size", "grey"}
    )
    assert main(["census", "--datasets", "toy"]) == 0
    assert capsys.readouterr().out.startswith(
        f"toy: {told['images']} images\n  images in groups with the same bytes: none\n"
    )


def test_a_census_without_a_committed_image_table_is_not_stored(capsys, tmp_path):
    assert main(["census", "--datasets", "toy", "--output", str(tmp_path / "census.json")]) == 2
    assert "toy: no committed image table" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_census_that_cannot_be_stored_is_refused_before_anything_is_counted(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(near_images, "take_all", None)  # whoever counts, fails
    (tmp_path / "other.json").write_text("{}")
    assert main(["census", "--datasets", "headct", "--output", str(tmp_path / "other.json")]) == 1
    assert "other.json: not a whole census" in capsys.readouterr().err
    monkeypatch.setattr("os.access", lambda place, mode: False)
    assert main(["census", "--datasets", "headct", "--output", str(tmp_path / "c.json")]) == 2
    assert "not writable; name another file with --output" in capsys.readouterr().err


def test_a_data_set_too_small_for_a_census_is_told_what_one_needs_before_anything_is_counted(monkeypatch, toy):
    few = toy.table[toy.table["defect"].isin(["", "hole"])].groupby("label").head(10)
    monkeypatch.setattr(near_images, "prepare", lambda *_, **__: replace(toy, table=few))
    monkeypatch.setattr(near_images, "image_hashes", None)
    needed = "toy: a census needs 2 normal images and 11 anomalies, ten of which .* found 10 and 10"
    with pytest.raises(Misuse, match=needed):
        near_images.take("toy")
    with pytest.raises(Misuse, match=needed):
        list(reading.published_partitions(few, "toy", "all"))


@pytest.mark.parametrize("words", [["--datasets", ","], ["--datasets", "elvp"]])
def test_census_of_nothing_or_of_an_unknown_data_set_is_misuse_in_one_line(words, capsys):
    assert main(["census", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_every_data_set_and_reading_with_a_committed_image_table_has_its_census():
    names = {path.stem for path in MANIFESTS.glob("*.csv")}
    expected = {(name, one) for name in names for one in load_card(name).readings}
    assert {(census.dataset, census.reading) for census in COMMITTED.values()} == expected


@pytest.mark.parametrize("name", COMMITTED)
def test_pairs_are_of_the_table_within_the_limit_and_include_all_that_have_the_same_bytes(name):
    census = COMMITTED[name]
    table = committed_table(census.dataset, census.reading)
    assert {name for pair in census.near for name in pair[:2]} <= set(table["id"])
    assert all(a < b and 0 <= bits <= census.within for a, b, bits in census.near)
    group = table["id"].map(census.groups)
    same = table.assign(group=group)[table.duplicated(["sha256", "y"], keep=False)]
    assert same["group"].notna().all() and (same.groupby(["sha256", "y"])["group"].nunique() == 1).all()


@pytest.mark.parametrize(
    "name", [name for name, one in COMMITTED.items() if one.reading == load_card(one.dataset).reading(None)]
)
def test_the_probes_agree_with_the_published_scores(name):
    census = COMMITTED[name]
    cells = {
        probe: cell(published(), census.dataset, probe, "quick", reading=census.reading) for probe in census.probes
    }
    for probe, runs in cells.items():
        if runs.complete:
            assert census.probes[probe] == pytest.approx(runs.values().mean(), abs=1e-4)  # scores are stored rounded
    assert name == "brainmri" or cells["grey"].complete


def test_the_change_is_that_of_leaving_images_out_and_has_its_sign():
    found = effect(COMMITTED["kolektorsdd"], "mahalanobis")
    assert found.difference.mean == pytest.approx(found.without - found.everything) and found.difference.mean < 0
    assert found.everything == pytest.approx(cell(published(), "kolektorsdd", "mahalanobis", "quick").values().mean())


def test_without_any_pair_nothing_changes_and_unpublished_methods_have_no_effect():
    nothing = effect(replace(COMMITTED["headct"], near=()), "devnet")
    assert nothing.everything == nothing.without and nothing.difference.half_width == 0
    assert effect(COMMITTED["headct"], "published by nobody") is None
    assert effect(COMMITTED["kolektorsdd:table1"], "devnet") is None


@pytest.mark.slow
def test_elpv_gives_its_committed_census_again():
    census = COMMITTED["elpv"]
    assert near_images.take("elpv") == census
