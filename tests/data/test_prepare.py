"""Prepare, list and verify: a release goes in whole or not at all, and every flipped bit is found."""

import errno
import json
import random
import shutil
from pathlib import Path

import pytest

from devnetlib.data import prepare as prepare_module
from devnetlib.data.prepare import FACTS, counts, get, overview, prepare, verify
from devnetlib.errors import Incomplete, Misuse
from tests.trees import picture

NORMAL, TUMOUR = 8, 5


@pytest.fixture
def release(tmp_path, monkeypatch) -> Path:
    """A small BrainMRI in the raw layout; its committed table is put aside."""
    monkeypatch.setattr(prepare_module, "MANIFESTS", tmp_path / "no tables")
    for number in range(NORMAL):
        picture(tmp_path / f"raw/brainmri/no/{number} no.jpg", (40, 40))
    for number in range(TUMOUR):
        picture(tmp_path / f"raw/brainmri/yes/Y{number}.JPG", (40, 40))
    return tmp_path / "raw" / "brainmri"


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "root"


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*")) if folder.exists() else []


def test_a_release_is_copied_and_read_back_with_its_counts(release, root):
    get("brainmri", release, False, root)
    prepared = prepare("brainmri", data_root=root)
    assert counts(prepared.table) == {"train_normal": 6, "test_normal": 2, "test_anomaly": TUMOUR}
    assert prepared.root == root / "brainmri" / "files" and verify(prepared) == []
    assert counts(prepare("brainmri", "official_loader", root).table)["test_anomaly"] == 0  # .JPG is not loaded


def test_a_linked_release_is_read_where_it_lies(release, root):
    get("brainmri", release.parent, True, root)
    prepared = prepare("brainmri", data_root=root)
    assert prepared.root == release and verify(prepared) == []
    assert not (root / "brainmri" / "files").exists()


def test_without_a_source_the_folder_named_by_the_environment_is_taken(release, root, monkeypatch):
    monkeypatch.delenv("DEVNET_RAW", raising=False)
    with pytest.raises(Misuse, match="--from FOLDER-OR-ARCHIVE, or set DEVNET_RAW"):
        get("brainmri", None, False, root)
    monkeypatch.setenv("DEVNET_RAW", str(release.parent))
    get("brainmri", None, False, root)
    assert len(prepare("brainmri", data_root=root).table) == NORMAL + TUMOUR


def test_an_archive_is_unpacked_and_nothing_else_stays(release, root):
    archive = shutil.make_archive(str(release.parent / "brain"), "zip", release.parent, "brainmri")
    get("brainmri", Path(archive), False, root)
    assert verify(prepare("brainmri", data_root=root)) == []
    assert sorted(path.name for path in (root / "brainmri").iterdir()) == ["files", "image_table.csv", FACTS]
    assert [path.name for path in root.iterdir()] == ["brainmri"]
    with pytest.raises(Misuse, match="an archive cannot be linked"):
        get("brainmri", Path(archive), True, root)


def test_what_is_not_prepared_says_where_to_get_it_and_the_command(root):
    with pytest.raises(Misuse, match=r"headct is not prepared: .*Kaggle.*data prepare headct --from FOLDER"):
        prepare("headct", data_root=root)


def test_every_flipped_bit_is_found(release, root):
    get("brainmri", release, False, root)
    prepared, rng = prepare("brainmri", data_root=root), random.Random(0)
    for _ in range(200):
        path = prepared.root / rng.choice(list(prepared.hashes))
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        assert [path.name in line for line in verify(prepared)] == [True]
        path.write_bytes(whole)
    assert verify(prepared) == []


def test_a_flipped_bit_in_a_mask_is_found_too(root, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "MANIFESTS", tmp_path / "no tables")
    from tests.trees import mask

    for part in range(4):
        picture(tmp_path / f"raw/kos01/Part{part}.jpg", (30, 90))
        mask(tmp_path / f"raw/kos01/Part{part}_label.bmp", (30, 90), (1, 1, 5, 5) if part else None)
    get("kolektorsdd", tmp_path / "raw", False, root)
    prepared = prepare("kolektorsdd", data_root=root)
    path = prepared.root / "kos01/Part2_label.bmp"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert [line.split(":")[0] for line in verify(prepared)] == ["kos01/Part2_label.bmp"]


@pytest.mark.parametrize("damage", ["wrong folder", "no folder", "empty", "truncated", "zero bytes", "text"])
def test_a_release_that_is_not_whole_is_refused_and_the_root_is_as_it_was(release, root, damage):
    get("brainmri", release, False, root)
    before, victim = everything(root), release / "no" / "3 no.jpg"
    if damage == "wrong folder":
        release = release / "no"
    elif damage == "no folder":
        release = release / "nowhere"
    elif damage == "empty":
        for folder in ("no", "yes"):
            shutil.rmtree(release / folder)
            (release / folder).mkdir()
    else:
        victim.write_bytes({"truncated": victim.read_bytes()[:60], "zero bytes": b"", "text": b"no image"}[damage])
    with pytest.raises(Incomplete) as caught:
        get("brainmri", release, False, root)
    assert "\n" not in str(caught.value) and everything(root) == before
    assert verify(prepare("brainmri", data_root=root)) == []


def test_a_release_with_other_files_than_the_committed_table_is_refused_by_name(tmp_path, root):
    for number in range(3):
        picture(tmp_path / f"raw/no/{number} no.jpg")
        picture(tmp_path / f"raw/yes/Y{number}.jpg")
    with pytest.raises(Incomplete, match=r"brainmri: not the release of its image table: samples 2\d\d missing \("):
        get("brainmri", tmp_path / "raw", False, root)
    assert everything(root) == []


def test_a_full_disk_is_told_in_a_line_and_the_root_is_as_it_was(release, root, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "some/file")

    get("brainmri", release, False, root)
    before = everything(root)
    monkeypatch.setattr(prepare_module.shutil, "copyfile", full)
    with pytest.raises(Incomplete, match="some/file: No space left on device; nothing was changed"):
        get("brainmri", release, False, root)
    assert everything(root) == before


def test_preparing_again_replaces_what_was_there(release, root):
    get("brainmri", release, False, root)
    (root / "brainmri/files/no/3 no.jpg").unlink()
    assert verify(prepare("brainmri", data_root=root)) == ["no/3 no.jpg: missing"]
    get("brainmri", release, False, root)
    assert verify(prepare("brainmri", data_root=root)) == []


def test_the_overview_counts_what_is_here_and_says_what_is_expected(release, root):
    get("brainmri", release, False, root)
    rows = {row["name"]: row for row in overview(root)}
    assert rows["brainmri"]["present"] and rows["brainmri"]["counts"]["test_anomaly"] == TUMOUR
    assert rows["brainmri"]["expected"]["test_anomaly"] == 155
    assert not rows["headct"]["present"] and not rows["mvtec"]["present"]
    assert json.dumps(list(rows.values()))
