"""Damaged scores: named, or the numbers read are still the right ones."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from devnetlib.report.tables import run_record
from devnetlib.study.publishing import publish
from devnetlib.study.results import Scores, collect, read, stored_paths
from devnetlib.study.verification import faults
from tests.stress.published_run import Stored, published, stored
from tests.stress.score_damages import DAMAGES, Rng
from tests.stress.trials import REFUSED, RIGHT, Wrong, held, numbered


def same(found: Scores, whole: Scores) -> bool:
    """Whether all numbers are those that were published. Without its pixels a file holds fewer, and none that is
    wrong."""
    pixels = found.pixels is None or found.pixels == whole.pixels
    numbers = np.array_equal(found.values, whole.values) and np.array_equal(found.labels, whole.labels)
    return found.run == whole.run and numbers and found.ids == whole.ids and pixels


def trial(rng: Rng, folder: Path) -> str:
    """One published run, damaged, and verified, read and published again."""
    one = stored(folder / "results", published()[rng.integers(len(published()))])
    name = str(rng.choice(list(DAMAGES)))
    DAMAGES[name](one, rng)
    told = f"{name}, {one.path.relative_to(one.root)}"
    found = list(faults(one.root))
    if any(fault is not None and len(fault.splitlines()) != 1 for _, fault in found):
        raise Wrong(f"{told}: not told in one line: {found}")
    fine = [path for path, fault in found if fault is None]
    if name in ("nothing", "strangers") and found != [(one.path, None)]:
        raise Wrong(f"{told}: a whole file, but {found}")
    for path in fine:
        scores = read(path, one.root)
        if not same(scores, one.whole):
            raise Wrong(f"{told}: not named, and other numbers are read from {path.name}")
        json.dumps(run_record(scores))
    target = folder / "published"
    if rng.random() < 0.2:
        with suppress(ValueError):
            publish(one.root, target)
        if any(not same(scores, one.whole) for scores in collect(target)):
            raise Wrong(f"{told}: other numbers were published")
    if len(fine) == len(found):
        read_whole(one, told)
        return RIGHT
    return REFUSED


def read_whole(one: Stored, told: str) -> None:
    """Raise Wrong unless the folder, in which verification finds no fault, holds that run once and no other number."""
    scores = collect(one.root)
    if len(scores) > 1 or not all(same(each, one.whole) for each in scores):
        raise Wrong(
            f"{told}: no fault found, and {len(scores)} runs are read in {len(list(stored_paths(one.root)))} files"
        )


@numbered(40, 4000)
def test_damaged_scores_are_named_or_their_numbers_are_right(tmp_path, record_property, numbers):
    held("stored", trial, numbers, tmp_path, record_property)
