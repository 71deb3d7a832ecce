"""Scores that are read once: the same as from their files, and forgotten as soon as one of these changes."""

import gc
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from devnetlib.report import remembered
from devnetlib.report.remembered import recall
from devnetlib.report.selection import yours
from devnetlib.study import results as results_module
from devnetlib.study.results import PUBLISHED, collect, stored_paths


@pytest.fixture
def results(tmp_path):
    """A few published runs, in a folder of their own."""
    root = tmp_path / "results"
    shutil.copytree(PUBLISHED / "partitions" / "headct", root / "partitions" / "headct")
    (root / "quick" / "headct").mkdir(parents=True)
    for path in sorted((PUBLISHED / "quick" / "headct").iterdir())[:5]:
        shutil.copy(path, root / "quick" / "headct")
    return root


def test_what_is_recalled_equals_what_is_read_and_no_file_is_parsed_again(results, tmp_path, monkeypatch):
    memory = tmp_path / "memory"
    assert recall(results, memory) == collect(results) and memory.stat().st_size > 1000
    monkeypatch.setattr(remembered, "read_all", lambda *_: pytest.fail("parsed again"))
    monkeypatch.setattr(results_module.Scores, "measure", lambda *_: pytest.fail("measured again"))
    found, metrics = recall(results, memory), set(remembered.MEASURED)
    assert all(set(scores._measures) == metrics and not scores.labels.flags.writeable for scores in found)
    assert all((one.labels == other.labels).all() for one, other in zip(found, collect(results), strict=True))
    assert len(found) == 5 and [scores.ids for scores in found] == [scores.ids for scores in collect(results)]


def test_processes_read_what_one_process_reads(results, tmp_path):
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        assert recall(results, tmp_path / "memory", pool.map) == collect(results)


def test_the_garbage_collector_works_again_after_reading_and_after_a_failure(results, tmp_path):
    memory = tmp_path / "memory"
    recall(results, memory)
    recall(results, memory)
    assert gc.isenabled()
    with pytest.raises(EOFError), remembered.uncollected():
        raise EOFError
    assert gc.isenabled()


def test_a_digit_that_changes_is_seen(results, tmp_path):
    memory, path = tmp_path / "memory", next(stored_paths(results))
    first = recall(results, memory)[0].score[0]
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"score": [-first, *stored["score"][1:]]}))
    assert recall(results, memory)[0].score[0] == -first


def test_a_run_that_goes_or_comes_is_seen(results, tmp_path):
    memory, path = tmp_path / "memory", next(stored_paths(results))
    assert len(recall(results, memory)) == 5
    content = path.read_bytes()
    path.unlink()
    assert len(recall(results, memory)) == 4
    path.write_bytes(content)
    assert len(recall(results, memory)) == 5


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_memory_is_done_without_and_mended(results, tmp_path, damage):
    memory = tmp_path / "memory"
    recall(results, memory)
    whole = memory.read_bytes()
    memory.write_bytes(whole[:-10] if damage is None else damage)
    assert recall(results, memory) == collect(results) and memory.read_bytes() == whole


def test_where_nothing_can_be_written_the_scores_are_read_all_the_same(results, tmp_path):
    (tmp_path / "file").touch()
    assert len(recall(results, tmp_path / "file" / "memory")) == 5


def test_your_scores_are_read_once_and_again_where_one_changes(results):
    first = yours(results)
    assert yours(results) is first and list(first) == collect(results)
    next(stored_paths(results)).unlink()
    assert len(yours(results)) == 4
