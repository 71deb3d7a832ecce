"""No score of other images: what is stored counts only where its images, and masks, are those at hand."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devnetlib.__main__ import main
from devnetlib.data.intake import get
from devnetlib.data.prepare import FACTS, digest_of, facts_text, prepare, read_facts
from devnetlib.errors import Incomplete
from devnetlib.report.selection import yours
from devnetlib.study.execution import Machine
from devnetlib.study.grids import execute_all, is_stored, warm_caches
from devnetlib.study.planning import plan
from devnetlib.study.results import Scores, read, read_partition, scores_path, write
from devnetlib.study.runs import Run
from devnetlib.study.verification import faults

NAME = "my/parts"


def picture(path: Path, number: int, bright: bool = False) -> None:
    """A grey picture that differs from all others of another number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 60, (12, 12), dtype=np.uint8)
    Image.fromarray(pixels + (100 if bright else 0)).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two folders, normal and anomaly; the anomalous ones are brighter."""
    for number in range(8):
        picture(tmp_path / f"set/normal/{number}.png", number)
    for number in range(5):
        picture(tmp_path / f"set/anomaly/{number}.png", 100 + number, bright=True)
    return tmp_path / "set"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DEVNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def asked(tmp_path, root) -> Callable[..., tuple[list[Scores], list]]:
    """Execute the run of a probe on the set as it is now prepared, unless it is stored."""

    def execute(method: str = "grey", data_root: Path = root) -> tuple[list[Scores], list]:
        return execute_all(runs(method, data_root), tmp_path / "results", Machine(data_root=data_root))

    return execute


def runs(method: str = "grey", data_root: Path | None = None) -> list[Run]:
    return plan(NAME, method, "smoke", "random", anomalies=2, data_root=data_root)


def darken(folder: Path) -> None:
    """Make an anomalous image another one in place."""
    picture(folder / "anomaly/3.png", 999)


def test_a_set_prepared_again_from_other_images_is_executed_again_which_is_said_once(
    folder, root, asked, tmp_path, capsys
):
    get(NAME, folder, False, root)
    (first,), _ = asked()
    darken(folder)
    get(NAME, folder, False, root)
    path = scores_path(tmp_path / "results", first.run)
    assert not is_stored(first.run, tmp_path / "results")
    assert list(yours(tmp_path / "results")) == [] and "another image table" in dict(faults(tmp_path / "results"))[path]
    assert main(["publish", "--results", str(tmp_path / "results")]) == 1
    capsys.readouterr()
    (second,), failures = asked()
    assert not failures and second.score != first.score
    assert capsys.readouterr().err.count("stored runs of other images than those at hand: 1, executed again") == 1
    assert (
        [one.score for one in yours(tmp_path / "results")] == [read(path, tmp_path / "results").score] == [second.score]
    )
    assert dict(faults(tmp_path / "results"))[path] is None
    stamp = path.stat().st_mtime_ns
    assert asked()[0] == [second] and path.stat().st_mtime_ns == stamp


def test_tables_leave_runs_of_other_images_out_and_say_so_in_one_line(folder, root, asked, tmp_path, capsys):
    get(NAME, folder, False, root)
    asked()
    asked("size")
    darken(folder)
    get(NAME, folder, False, root)
    capsys.readouterr()
    yours(tmp_path / "results"), yours(tmp_path / "results")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "my/parts (all): runs of other images than those of its table: 2, left out; execute them again"
    )


def test_caches_are_made_for_runs_that_are_stored_of_other_images(folder, root, tmp_path):
    get(NAME, folder, False, root)
    (run,) = plan(NAME, "devnet", "smoke", "random", anomalies=2, data_root=root)
    (grey,), _ = execute_all(runs(data_root=root), tmp_path / "results", Machine(data_root=root))
    write(
        Scores(run, grey.partition, grey.score, grey.origin),
        read_partition(tmp_path / "results", NAME, grey.partition),
        tmp_path / "results",
    )
    banks = root / "cache/banks"
    before = set(banks.iterdir())
    warm_caches([run], tmp_path / "results", Machine(data_root=root))
    assert set(banks.iterdir()) == before
    darken(folder)
    get(NAME, folder, False, root)
    warm_caches([run], tmp_path / "results", Machine(data_root=root))
    assert len(set(banks.iterdir()) - before) == 1


def test_two_data_roots_with_one_results_folder_do_not_lend_each_other_scores(folder, root, asked, tmp_path):
    get(NAME, folder, False, root)
    (first,), _ = asked()
    darken(folder)
    get(NAME, folder, False, tmp_path / "other")
    (second,), _ = asked(data_root=tmp_path / "other")
    assert second.score != first.score
    assert asked()[0][0].score == first.score


# Linked folders.


@pytest.mark.parametrize("method", ["grey", "size"])
@pytest.mark.parametrize("cached", [True, False], ids=["with its cache", "without"])
@pytest.mark.parametrize("stamped", [False, True], ids=["", "its time put back"])
def test_a_linked_folder_that_changes_in_place_is_refused_by_file_and_command(
    folder, root, asked, capsys, method, cached, stamped
):
    get(NAME, folder, True, root)
    if cached:
        asked("order")
    before = (folder / "anomaly/3.png").stat()
    darken(folder)
    if stamped:
        os.utime(folder / "anomaly/3.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    scores, (failure,) = asked(method)
    assert scores == [] and isinstance(failure.error, Incomplete)
    assert f"{folder / 'anomaly/3.png'}: changed since it was prepared" in str(failure)
    assert str(failure).endswith(f"python -m devnetlib data prepare my/parts --from {folder} --link")
    assert "Incomplete" not in str(failure)
    (folder / "anomaly/3.png").unlink()
    assert "3.png: gone since it was prepared" in str(asked(method)[1][0])


def test_what_is_stored_does_not_count_while_a_linked_folder_is_another_one(folder, root, asked):
    get(NAME, folder, True, root)
    ((first,), _), whole = asked(), (folder / "anomaly/3.png").read_bytes()
    darken(folder)
    assert asked()[0] == []
    (folder / "anomaly/3.png").write_bytes(whole)
    assert asked()[0] == [first]


def test_files_that_are_touched_and_not_changed_still_run_and_are_read_once(folder, root, asked, monkeypatch):
    get(NAME, folder, True, root)
    for path in folder.rglob("*.png"):
        path.touch()
    assert asked()[1] == []
    monkeypatch.setattr("devnetlib.data.prepare.sha256", lambda path: pytest.fail(f"{path} read again"))
    monkeypatch.setattr("devnetlib.data.prepare.read_facts", lambda place: json.loads((place / FACTS).read_text()))
    prepare(NAME, data_root=root, checked=True)


def test_a_copy_that_changes_in_the_data_root_is_noticed_as_well(folder, root, asked):
    get(NAME, folder, False, root)
    asked("order")
    darken(root / NAME / "files")
    assert "changed since it was prepared" in str(asked()[1][0])


@pytest.mark.parametrize("link", [True, False])
def test_a_set_that_an_earlier_version_prepared_is_read_and_a_linked_one_checked(folder, root, asked, link):
    get(NAME, folder, link, root)
    facts = read_facts(root / NAME)
    del facts["states"]
    (root / NAME / FACTS).write_text(facts_text(facts | {"digest": digest_of(facts)}))
    assert asked("order")[1] == []
    if link:
        darken(folder)
        assert "changed since it was prepared" in str(asked()[1][0])


def test_a_linked_folder_that_was_moved_is_named_and_listed_as_missing(folder, root, asked, capsys):
    get(NAME, folder, True, root)
    folder.rename(folder.with_name("moved"))
    told = f"my/parts was linked from {folder}, which is gone: python -m devnetlib data prepare my/parts --from FOLDER"
    assert told in str(asked()[1][0])
    assert main(["data", "verify", NAME]) == 1 and told in capsys.readouterr().err
    main(["data", "list", "--json"])
    assert not any(row["present"] for row in json.loads(capsys.readouterr().out) if row["name"] == NAME)


# Masks, which no image table holds.


def test_measures_of_pixels_count_only_with_the_masks_at_hand(toy, toy_runs, tmp_path, monkeypatch):
    (run,), machine = toy_runs("grey"), Machine()
    (scores,), _ = execute_all([run], tmp_path, machine)
    pixels = {"edge": 1, "images": [], "normals": 0, "maps": {}, "perturbed": {"images": [], "maps": {}}}
    path, timed = scores_path(tmp_path, run), scores.origin | {"pixel_seconds": 1.0}
    for masks, counts in ((toy.mask_digest, True), ("0" * 16, False)):
        content = json.loads(path.read_text()) | {"pixels": pixels, "origin": timed | {"masks": masks}}
        path.write_text(json.dumps(content))
        assert is_stored(run, tmp_path) and is_stored(run, tmp_path, pixels=True) == counts
        assert ([one.pixels for one in yours(tmp_path)] == [pixels]) == counts
        assert (dict(faults(tmp_path))[path] is None) == counts
