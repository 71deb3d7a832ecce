"""Stored scores: whole or not there, under their own name, and every damage named and mended."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devnetlib.data.splits import Partition
from devnetlib.report.remembered import state_of
from devnetlib.report.selection import yours
from devnetlib.study import results
from devnetlib.study.digest import as_published
from devnetlib.study.execution import partition_of
from devnetlib.study.publishing import publish
from devnetlib.study.results import (
    DamagedScores,
    Scores,
    collect,
    partition_path,
    read,
    rounded,
    scores_digest,
    scores_path,
    strangers,
    write,
)
from devnetlib.study.verification import faults

ORIGIN = {"torch": "2", "device": "cpu", "precision": "fp32", "threads": 1, "seconds": 0.1, "peak_mb": 9}
ORIGIN |= {"image_table": "0"}


@pytest.fixture(scope="module")
def made(toy, toy_runs) -> tuple[Scores, Partition]:
    """Scores of a run as `execute` returns them; the numbers are random."""
    (run,) = toy_runs()
    partition = partition_of(run, toy)
    values = rounded(np.random.default_rng(0).normal(size=len(partition.test)))
    origin = ORIGIN | {"image_table": toy.digest}
    return Scores(run, partition.digest, values, origin, labels=np.asarray(partition.test_label)), partition


def test_scores_come_back_as_they_were_stored_with_the_labels_of_their_partition(made, tmp_path):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    again = read(path, tmp_path)
    assert again == scores and np.array_equal(again.labels, scores.labels)
    assert path == scores_path(tmp_path, scores.run) and path.stem == scores.run.key
    assert collect(tmp_path) == [scores]


def test_scores_on_the_partition_of_another_contamination_are_refused(toy, toy_runs, tmp_path):
    (run,) = toy_runs(protocol="contamination:0.2", contamination=0.1)
    partition = partition_of(run, toy)
    values = rounded(np.random.default_rng(0).normal(size=len(partition.test)))
    path = write(Scores(run, partition.digest, values, ORIGIN), partition, tmp_path)
    assert read(path, tmp_path).run == run
    other = replace(run, contamination=0.2)
    path = write(Scores(other, partition.digest, values, ORIGIN), partition, tmp_path)
    with pytest.raises(DamagedScores, match=r"its partition .* is another run's"):
        read(path, tmp_path)


def test_scores_are_stored_to_seven_digits():
    assert rounded(np.array([1 / 3, 123456.789, 1e-9 / 3])).tolist() == [0.3333333, 123456.8, 3.333333e-10]


def test_a_partition_stands_once_for_all_runs_that_share_it(made, tmp_path):
    scores, partition = made
    write(scores, partition, tmp_path)
    write(replace(scores, run=replace(scores.run, method="bce")), partition, tmp_path)
    assert len(list((tmp_path / "partitions").rglob("*.json"))) == 1 and len(collect(tmp_path)) == 2


def test_a_file_cut_at_any_place_is_named_and_never_read(made, tmp_path):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(DamagedScores, match=f"{path.name}: not a whole scores file"):
            read(path, tmp_path)
    (fault,) = faults(tmp_path)
    assert fault[0] == path and fault[1]


def test_a_file_under_another_runs_name_is_foreign(made, tmp_path):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    other = scores_path(tmp_path, replace(scores.run, draw=7))
    path.rename(other)
    with pytest.raises(DamagedScores, match=f"{other.name}.*belongs to {scores.run.key}"):
        read(other, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["run"].update(seed=9),
        lambda content: content["run"]["training"].update(updates=5000),
        lambda content: content["run"].update(options={"signed": True}),
        lambda content: content["run"].update(weights="0123456789abcdef"),
    ],
    ids=["seed", "updates", "options", "weights"],
)
def test_a_key_that_does_not_match_its_content_is_detected(made, tmp_path, change):
    path = write(*made, tmp_path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedScores, match=path.name):
        read(path, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(score=content["score"][:-1]),
        lambda content: content.update(score=[float("nan"), *content["score"][1:]]),
        lambda content: content.update(score=[None, *content["score"][1:]]),
        lambda content: content.update(score=["high", *content["score"][1:]]),
        lambda content: content.update(score={}),
        lambda content: content.pop("origin"),
        lambda content: content.pop("run"),
        lambda content: content.update(run=[]),
        lambda content: content["run"].update(options=[]),
        lambda content: content["run"].update(profile=3),
        lambda content: content["run"].update(colour="red"),
        lambda content: content["run"].pop("training"),
    ],
    ids=[
        "a score less",
        "nan",
        "null",
        "a word",
        "an object",
        "no origin",
        "no run",
        "a list as run",
        "a list as options",
        "a number as profile",
        "an unknown field",
        "no training",
    ],
)
def test_content_of_another_form_is_named_and_never_read(made, tmp_path, change):
    path = write(*made, tmp_path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedScores, match=path.name):
        read(path, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "3", "null", '"text"', "\x00\x01"])
def test_a_file_that_holds_something_else_is_named(made, tmp_path, content):
    path = write(*made, tmp_path)
    path.write_text(content)
    with pytest.raises(DamagedScores, match=path.name):
        read(path, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "moved label", "missing"])
def test_a_damaged_partition_is_named(made, tmp_path, damage):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    shared = partition_path(tmp_path, "toy", scores.partition)
    content = shared.read_text()
    if damage == "missing":
        shared.unlink()
    else:
        shared.write_text(content[:200] if damage == "cut" else content.replace('"label":[0', '"label":[1'))
    with pytest.raises(DamagedScores, match=shared.name):
        read(path, tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[1"])
def test_writing_scores_again_mends_a_damaged_partition(made, tmp_path, content):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    partition_path(tmp_path, "toy", scores.partition).write_text(content)
    write(scores, partition, tmp_path)
    assert read(path, tmp_path) == scores


def test_a_disk_that_fills_up_leaves_the_old_file_whole_and_nothing_half_written(made, tmp_path, monkeypatch):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    before = path.read_bytes()

    def full(self, text, *args, **kwargs):
        self.write_bytes(text.encode()[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "write_text", full)
        with pytest.raises(OSError, match="No space"):
            write(replace(scores, origin=ORIGIN | {"seconds": 9}), partition, tmp_path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_a_killed_process_left_half_written_is_never_read(made, tmp_path):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    path.with_name(f".{path.name}.4711.tmp").write_text('{"run":')
    path.with_name(f".{path.name}").write_text('{"run":')
    assert collect(tmp_path) == [scores]


def test_nothing_is_published_where_one_file_is_damaged(made, tmp_path):
    scores, partition = made
    source, target = tmp_path / "yours", tmp_path / "published"
    write(scores, partition, source)
    other = write(replace(scores, run=replace(scores.run, draw=1)), partition, source)
    other.write_bytes(other.read_bytes()[:-20])
    with pytest.raises(DamagedScores, match=other.name):
        publish(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("fact", "mend"),
    [({"precision": "bf16"}, "execute it in fp32"), ({"compiler": "inductor"}, "execute it without --compile")],
)
def test_scores_of_a_processor_in_half_precision_and_compiled_ones_are_not_published(made, tmp_path, fact, mend):
    scores, partition = made
    write(replace(scores, origin=scores.origin | fact), partition, tmp_path / "yours")
    with pytest.raises(DamagedScores, match=mend):
        publish(tmp_path / "yours", tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_publishing_copies_scores_and_their_partition_whole(made, tmp_path):
    scores, partition = made
    source, target = tmp_path / "yours", tmp_path / "published"
    write(scores, partition, source)
    (path,) = publish(source, target)
    assert read(path, target) == scores
    assert [fault for _, fault in faults(target)] == [None]
    assert publish(source, target, keep=lambda one: one.run.dataset == "elpv") == []
    assert as_published(target, scores_digest(target))


@pytest.mark.parametrize("fact", [{"threads": 2}, {"device": "cuda"}])
def test_runs_that_were_made_otherwise_than_the_published_ones_of_their_row_do_not_join_them(made, toy, tmp_path, fact):
    scores, partition = made
    target, source = tmp_path / "published", tmp_path / "yours"
    write(scores, partition, target)
    other = replace(scores, run=replace(scores.run, draw=1), origin=scores.origin | fact)
    drawn = partition_of(other.run, toy)
    write(replace(other, partition=drawn.digest), drawn, source)
    with pytest.raises(DamagedScores, match="of several kinds are not averaged"):
        publish(source, target)
    assert collect(target) == [scores]
    write(replace(scores, origin=other.origin), partition, source)  # the whole row once more takes its place
    assert len(publish(source, target)) == 2


@pytest.mark.parametrize("name", ["torch", "threads", "seconds", "peak_mb"])
def test_an_origin_without_what_tables_read_is_damaged(made, tmp_path, name):
    scores, partition = made
    origin = {key: value for key, value in scores.origin.items() if key != name}
    path = write(replace(scores, origin=origin), partition, tmp_path)
    with pytest.raises(DamagedScores, match=name):
        read(path, tmp_path)


def test_the_digest_and_the_memory_of_scores_take_names_that_are_no_text(made, tmp_path):
    path = write(*made, tmp_path)
    strange = os.fsencode(path.parent.parent) + b"/\xff"
    os.mkdir(strange)
    os.link(path, os.path.join(strange, os.fsencode(path.name)))
    assert scores_digest(tmp_path) and state_of(tmp_path)
    (tmp_path / "DIGEST").write_bytes(b"\xff")
    assert as_published(tmp_path, scores_digest(tmp_path)) is False


def test_files_that_bear_no_keys_name_are_neither_scores_nor_an_obstacle_and_are_named(made, tmp_path):
    scores, partition = made
    path = write(scores, partition, tmp_path)
    digest, content = scores_digest(tmp_path), path.read_bytes()
    mentioned = [f"{path.stem} (conflicted copy).json", f"{path.stem} 2.json", f"{path.stem}.sync-conflict-1.JSON"]
    mentioned += ["notes.json", "../notes.json", "../../settings.json"]
    hidden = [f".ipynb_checkpoints/{path.stem}-checkpoint.json", f".~lock/{path.name}", f".{path.name}"]
    others = [f"{path.name}~", f"#{path.name}#", "desktop.ini", ".DS_Store", "Thumbs.db"]
    for name in (*mentioned, *hidden, *others):
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).write_bytes(content)
    (path.parent / f".#{path.name}").symlink_to("nobody@nowhere.4711")  # as editors lock a file
    assert strangers(tmp_path) == sorted((path.parent / name).resolve() for name in mentioned)
    assert list(yours(tmp_path)) == collect(tmp_path) == [scores]
    assert scores_digest(tmp_path) == digest and list(faults(tmp_path)) == [(path, None)]
    assert len(publish(tmp_path, tmp_path.with_name("published"))) == 1


def test_a_copy_of_scores_in_a_folder_that_is_no_profiles_is_a_fault_and_passed_over_by_tables(made, tmp_path):
    path = write(*made, tmp_path)
    copy = Path(shutil.copytree(tmp_path / "smoke", tmp_path / "smoke (copy)"), *path.relative_to(tmp_path).parts[1:])
    (found,) = [fault for fault in faults(tmp_path) if fault[1]]
    assert collect(tmp_path) == [made[0]] and found[0] == copy and str(copy) in found[1]


def test_scores_in_the_folder_of_another_data_set_name_their_place(made, tmp_path):
    path = write(*made, tmp_path)
    other = tmp_path / "smoke/elpv" / path.name
    other.parent.mkdir()
    path.rename(other)
    with pytest.raises(DamagedScores, match=f"{other}: its place is {path}; move it there"):
        collect(tmp_path)


def test_an_absent_results_folder_holds_no_scores(tmp_path):
    assert collect(tmp_path / "nowhere") == [] and results.YOURS != results.PUBLISHED
