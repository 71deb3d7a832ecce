"""Prepare, list and verify: a release goes in whole or not at all, and every flipped bit is found."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devnetlib.__main__ import main
from devnetlib.data import intake, placing
from devnetlib.data import prepare as prepare_module
from devnetlib.data.intake import get
from devnetlib.data.manifests import OWN_CARD, datasets
from devnetlib.data.prepare import FACTS, TABLE, counts, overview, prepare, verify
from devnetlib.errors import Incomplete, Misuse
from devnetlib.writing import machine
from tests.trees import mask, picture

NORMAL, TUMOUR = 8, 5


def no_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put the committed tables aside, so that a small tree can stand for a release."""
    for module in (intake, prepare_module):
        monkeypatch.setattr(module, "MANIFESTS", tmp_path / "no tables")


@pytest.fixture
def release(tmp_path, monkeypatch) -> Path:
    """A small BrainMRI in the raw layout; its committed table is put aside."""
    no_tables(monkeypatch, tmp_path)
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
    with pytest.raises(Misuse, match="no files named with --from, and DEVNET_RAW is not set"):
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
    with pytest.raises(Misuse, match=r"headct is not prepared in .*Kaggle.*data prepare headct --from FOLDER"):
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
    no_tables(monkeypatch, tmp_path)
    for part in range(4):
        picture(tmp_path / f"raw/kos01/Part{part}.jpg", (30, 90))
        mask(tmp_path / f"raw/kos01/Part{part}_label.bmp", (30, 90), (1, 1, 5, 5) if part else None)
    get("kolektorsdd", tmp_path / "raw", False, root)
    prepared = prepare("kolektorsdd", data_root=root)
    path = prepared.root / "kos01/Part2_label.bmp"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert [line.split(":")[0] for line in verify(prepared)] == ["kos01/Part2_label.bmp"]


@pytest.mark.parametrize("link", [False, True])
def test_a_flipped_bit_in_any_file_of_a_prepared_set_is_found_every_time(carpet, root, link, capsys):
    get("my/tiles", carpet, link, root)
    held = everything(root) + (everything(carpet) if link else [])
    files, rng = [path for path in held if path.is_file()], random.Random(0)
    assert len(files) == 5 + 3
    for path in rng.choices(files, k=100):
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        assert main(["data", "verify", "my/tiles", "--data-root", str(root)]) == 1
        told = capsys.readouterr()
        assert path.name in told.out + told.err
        path.write_bytes(whole)
    assert main(["data", "verify", "my/tiles", "--data-root", str(root)]) == 0


@pytest.mark.slow
def test_two_processes_at_once_end_with_one_whole_set(tiles, root):
    words = [sys.executable, "-m", "devnetlib", "data", "prepare", "my/tiles", "--from", str(tiles)]
    both = [subprocess.Popen([*words, "--data-root", str(root)], cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert verify(prepare("my/tiles", data_root=root)) == []
    assert [path.name for path in (root / "my").iterdir()] == ["tiles"]


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
    monkeypatch.setattr(intake.shutil, "copyfile", full)
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


@pytest.fixture
def carpet(tmp_path) -> Path:
    """A small subset of MVTec AD in the raw layout, in its family's folder."""
    subset = tmp_path / "raw" / "mvtec" / "carpet"
    for file in ("train/good/000", "train/good/001", "test/good/000", "test/hole/000"):
        picture(subset / f"{file}.png", (12, 12))
    mask(subset / "ground_truth/hole/000_mask.png", (12, 12))
    return subset


@pytest.fixture
def tiles(tmp_path) -> Path:
    """A folder of your own in the form of two folders."""
    for number in range(8):
        picture(tmp_path / f"raw/tiles/normal/{number}.png", (12, 12))
        picture(tmp_path / f"raw/tiles/anomaly/crack/{number}.png", (12, 12))
    return tmp_path / "raw" / "tiles"


@pytest.mark.parametrize("source", ["carpet", "family", "environment", "archive"])
def test_a_subset_is_prepared_from_its_folder_that_of_its_family_or_an_archive(carpet, root, source, monkeypatch):
    monkeypatch.setenv("DEVNET_RAW", str(carpet.parents[1]))
    archive = shutil.make_archive(str(carpet.parents[1] / "mvtec"), "xztar", carpet.parents[1], "mvtec")
    named = {"carpet": carpet, "family": carpet.parent, "environment": None, "archive": Path(archive)}[source]
    said = get("mvtec/carpet", named, False, root)
    prepared = prepare("mvtec/carpet", data_root=root)
    assert counts(prepared.table) == {"train_normal": 2, "test_normal": 1, "test_anomaly": 1}
    assert len(prepared.hashes) == 5 and verify(prepared) == []
    assert [line for line in said if "sha256" in line] == [line for line in said if line.startswith("mvtec.tar.xz")]
    assert "mvtec/carpet" in {row["name"] for row in overview(root) if row["present"]}


def test_a_family_cannot_be_prepared_whole_and_its_subsets_stay(carpet, root):
    get("mvtec/carpet", carpet, False, root)
    before = everything(root)
    for ask in (lambda: get("mvtec", carpet, False, root), lambda: prepare("mvtec", data_root=root)):
        with pytest.raises(Misuse, match="mvtec is a family of data sets: name one, mvtec/ and one of bottle, cable"):
            ask()
    assert everything(root) == before


def test_an_unknown_subset_is_misuse_before_anything_is_read(carpet, root):
    with pytest.raises(Misuse, match=r"did you mean 'carpet'"):
        get("mvtec/carpets", carpet, False, root)
    assert not root.exists()


def test_the_hash_of_an_archive_is_told_where_the_card_has_none_or_another(carpet, release, root):
    archive = shutil.make_archive(str(carpet.parents[1] / "mvtec_anomaly_detection"), "xztar", carpet.parent, "carpet")
    assert any(", the card has cf4313b1" in line for line in get("mvtec/carpet", Path(archive), False, root))
    archive = shutil.make_archive(str(release.parent / "brain"), "zip", release.parent, "brainmri")
    assert any("the card knows none" in line for line in get("brainmri", Path(archive), False, root))


@pytest.mark.parametrize("file", ["train/good/001.png", "test/hole/000.png", "ground_truth/hole/000_mask.png"])
@pytest.mark.parametrize("kept", [0, 30, 45])
def test_an_image_or_mask_that_cannot_be_read_is_named_and_nothing_is_prepared(carpet, root, file, kept):
    (carpet / file).write_bytes((carpet / file).read_bytes()[:kept])
    with pytest.raises(Incomplete, match=f"{Path(file).name}: not a readable image"):
        get("mvtec/carpet", carpet, False, root)
    assert not root.exists()


def test_an_image_of_more_than_8_bits_is_named_and_nothing_is_prepared(tiles, root):
    Image.fromarray(np.full((12, 12), 40_000, np.uint16)).save(tiles / "normal" / "0.png")
    with pytest.raises(Incomplete, match=r"normal/0\.png: mode I;16 does not fit into 8 bits"):
        get("my/tiles", tiles, False, root)


def test_an_image_with_a_mask_is_refused_where_a_tag_turns_it(tiles, root):
    tags = Image.Exif()
    tags[274] = 3
    Image.new("L", (12, 12), 9).save(tiles / "anomaly/turned.jpg", exif=tags)
    get("my/tiles", tiles, False, root)  # without a mask it does not matter
    mask(tiles / "ground_truth/turned.png", (12, 12))
    with pytest.raises(Incomplete, match=r"turned\.jpg: an orientation tag turns it, so how ground_truth/turned\.png"):
        get("my/tiles", tiles, False, root)


@pytest.mark.parametrize("name", [b"carriage\rreturn.png", b"caf\xe9.png", b"caf\xe9/0.png"])
def test_a_name_that_no_table_holds_is_refused_in_a_line_and_nothing_is_prepared(tiles, root, name):
    path = os.path.join(os.fsencode(tiles / "anomaly"), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(picture(tiles / "new.png")).rename(os.fsdecode(path))
    with pytest.raises(Incomplete, match=r"(a carriage return|bytes that are no text) in its name") as caught:
        get("my/tiles", tiles, False, root)
    assert str(caught.value).isprintable() and not root.exists()


@pytest.mark.parametrize(
    "name", ["line\nbreak", "tab\t", "NA", " ", "a,b", "it's", 'q"', "|", "\u2028", "é", "e\u0301", "A", "a"]
)
def test_every_other_name_is_read_back_and_verified_as_it_is(tiles, root, name):
    picture(tiles / f"anomaly/{name}/{name}.png")
    get("my/tiles", tiles, False, root)
    prepared = prepare("my/tiles", data_root=root)
    assert f"anomaly/{name}/{name}.png" in set(prepared.table["id"]) and name in set(prepared.table["defect"])
    assert verify(prepared) == []


def test_two_names_that_are_one_to_the_file_system_do_not_overwrite_each_other(tiles, root):
    with pytest.raises(FileExistsError):
        intake.copy(["normal/0.png", "normal/0.png"], tiles, root)


def test_a_file_that_is_not_read_is_named_in_a_line_whatever_its_name(tiles, root, capsys):
    for name in (b"caf\xe9.txt", b"line\nbreak.csv"):
        Path(os.fsdecode(os.path.join(os.fsencode(tiles), name))).write_text("no image")
    assert main(["data", "prepare", "my/tiles", "--from", str(tiles), "--data-root", str(root)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [f"{name}: no image by its name, not read" for name in (r"caf\udce9.txt", r"line\nbreak.csv")]


def test_a_table_that_would_not_be_read_back_is_never_left(tiles, root, monkeypatch):
    whole = intake.write_table
    monkeypatch.setattr(intake, "write_table", lambda table, path: whole(table.assign(defect="other"), path))
    with pytest.raises(Incomplete, match=r"anomaly/crack/0\.png.*not read back from an image table as it is"):
        get("my/tiles", tiles, False, root)
    assert not root.exists()


def test_files_of_a_published_release_that_its_reader_passes_over_are_counted(carpet, root):
    for name in ("train/good/002.jpg", "readme.txt", "validation/000.png"):
        picture(carpet / "a.png").rename(carpet / "b.png")
        (carpet / name).parent.mkdir(exist_ok=True)
        (carpet / "b.png").rename(carpet / name)
    said = get("mvtec/carpet", carpet, False, root)
    assert [line.partition(":")[0] for line in said] == ["readme.txt", "train/good/002.jpg", "validation/000.png"]


def test_a_fault_inside_an_archive_is_told_by_the_archive_and_the_name_within(carpet, root):
    (carpet / "train/good/001.png").write_bytes(b"")
    archive = Path(shutil.make_archive(str(carpet.parents[1] / "mvtec"), "zip", carpet.parents[1], "mvtec"))
    with pytest.raises(Incomplete, match=rf"{archive}/mvtec/carpet/train/good/001\.png: not a readable image"):
        get("mvtec/carpet", archive, False, root)
    assert not root.exists()


@pytest.mark.parametrize("name", ["rar", "nothing", "evil"])
def test_a_source_that_cannot_be_opened_is_refused_by_name(tmp_path, root, name):
    source = tmp_path / f"images.{name}"
    if name == "rar":
        source.write_bytes(b"Rar!")
    if name == "evil":
        source = tmp_path / "evil.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("../evil", "x")
    with pytest.raises(Incomplete, match=source.name):
        get("brainmri", source, False, root)
    assert not root.exists() and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", [TABLE, FACTS, OWN_CARD])
def test_every_flipped_bit_beside_the_images_is_found_too(tiles, root, name):
    get("my/tiles", tiles, False, root)
    path, rng = root / "my" / "tiles" / name, random.Random(0)
    whole = path.read_bytes()
    for _ in range(100):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(Incomplete, match="damaged"):
            prepare("my/tiles", data_root=root)
    path.write_bytes(whole)
    assert verify(prepare("my/tiles", data_root=root)) == []


def test_a_folder_of_your_own_has_a_card_of_what_was_found_and_is_listed(tiles, root):
    assert get("my/tiles", tiles, False, root) == []
    prepared = prepare("my/tiles", data_root=root)
    found = {"train_normal": 6, "test_normal": 2, "test_anomaly": 8}
    assert counts(prepared.table) == found == prepared.card.facts["counts"]["all"]
    assert prepared.reading == "all" and prepared.card.facts["division"] == "3:1"
    (row,) = [row for row in overview(root) if row["name"] == "my/tiles"]
    assert row["present"] and row["counts"] == found


@pytest.mark.parametrize(
    "name", ["my", "my/", "my/../evil", "my//evil", "my/a/b", "my/a.b", "my/a,b", "my/a:b", "my/-"]
)
def test_a_name_of_your_own_that_is_no_word_is_misuse(tiles, root, name):
    for ask in (lambda: get(name, tiles, False, root), lambda: prepare(name, data_root=root)):
        with pytest.raises(Misuse, match="expected my/ and letters, digits"):
            ask()
    assert not root.exists()


def test_a_folder_of_your_own_that_is_not_prepared_says_the_command(root, monkeypatch):
    monkeypatch.setenv("DEVNET_RAW", "/nowhere")
    with pytest.raises(Misuse, match="python -m devnetlib data prepare my/tiles --from FOLDER"):
        prepare("my/tiles", data_root=root)
    with pytest.raises(Misuse, match="python -m devnetlib data prepare my/tiles --from FOLDER"):
        get("my/tiles", None, False, root)


def test_what_is_at_hand_stays_where_no_source_is_named(release, root, monkeypatch):
    monkeypatch.delenv("DEVNET_RAW", raising=False)
    get("brainmri", release, False, root)
    assert get("brainmri", None, False, root) == []
    assert verify(prepare("brainmri", data_root=root)) == []


def test_a_file_that_changes_while_it_is_read_is_found(carpet, root, monkeypatch):
    whole = shutil.copyfile

    def changing(source: Path, target: Path) -> None:
        whole(source, target)
        if source.name == "001.png":
            target.write_bytes(target.read_bytes() + b"\0")

    monkeypatch.setattr(intake.shutil, "copyfile", changing)
    with pytest.raises(Incomplete, match=r"train/good/001\.png: changed while it was read"):
        get("mvtec/carpet", carpet, False, root)
    assert not root.exists()


def test_a_root_that_cannot_be_written_is_told_in_a_line(release, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Incomplete, match=r"file.*nothing was changed \(--data-root names another place\)"):
        get("brainmri", release, False, tmp_path / "file" / "root")

    def forbidden(_: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system", "root")

    monkeypatch.setattr(placing, "work_folder", forbidden)
    with pytest.raises(Incomplete, match="root: Read-only file system; nothing was changed"):
        get("brainmri", release, False, tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_two_at_once_end_with_one_whole(release, root):
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(get, "brainmri", release, False, root) for _ in range(12)]
        for result in results:
            result.result()
    assert verify(prepare("brainmri", data_root=root)) == []
    assert [path.name for path in root.iterdir()] == ["brainmri"]


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from devnetlib.data import intake, prepare
for module in (intake, prepare):
    module.MANIFESTS = Path("no tables")
copied, whole = [], shutil.copyfile
def copyfile(source, target):
    whole(source, target)
    copied.append(source)
    if len(copied) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
shutil.copyfile = copyfile
intake.get("brainmri", Path(sys.argv[1]), False, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_prepare_leaves_nothing_that_looks_finished(release, root):
    words = [sys.executable, "-c", KILLED, str(release), str(root)]
    assert subprocess.run(words, cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
    assert not (root / "brainmri").exists() and everything(root)
    with pytest.raises(Misuse, match="brainmri is not prepared"):
        prepare("brainmri", data_root=root)
    assert not any(row["present"] for row in overview(root) if row["name"] == "brainmri")
    assert {row["name"] for row in overview(root)} == set(datasets())
    (left,) = root.glob(".brainmri.*")
    said = get("brainmri", release, False, root)
    assert said[0] == f"{left.name}: left by a prepare that was killed; removed"
    assert not list(root.glob(".*")) and verify(prepare("brainmri", data_root=root)) == []


def test_the_work_folder_of_a_living_process_is_never_taken_for_an_abandoned_one(root):
    with placing.made_whole(root, "my/tiles") as (new, unpacked):
        unpacked.mkdir()
        assert placing.remove_abandoned(root / "my/tiles") == [] and new.is_dir() and unpacked.is_dir()
        gone = f"{machine()}-{2**22 + 1}-1-00000000.tmp"  # as after a kill: no system counts its processes that far
        abandoned = shutil.copytree(new.parent, new.parent.with_name(f".tiles.{gone}"))
        other = shutil.copytree(new.parent, new.parent.with_name(f".tilesets.{gone}"))  # of another data set
        (said,) = placing.remove_abandoned(root / "my/tiles")
        assert said == f".tiles.{gone}: left by a prepare that was killed; removed"
        assert not abandoned.exists() and other.is_dir() and new.is_dir()


def test_the_command_line_prepares_verifies_and_lists_a_folder_of_your_own(tiles, root, capsys):
    at = ["--data-root", str(root), "--json"]
    assert main(["data", "prepare", "my/tiles", "--from", str(tiles), *at]) == 0
    assert main(["data", "verify", "my/tiles", *at]) == 0
    assert main(["data", "list", *at]) == 0
    prepared, verified, listed = map(json.loads, capsys.readouterr().out.splitlines())
    assert prepared["counts"] == verified["counts"] and verified["faults"] == []
    assert "my/tiles" in {row["name"] for row in listed}
    (root / "my/tiles/files/normal/0.png").write_bytes(b"")
    assert main(["data", "verify", "my/tiles", *at]) == 1


def test_the_command_line_exits_with_1_for_other_counts_and_files_and_with_2_for_unknown_names(carpet, root, capsys):
    at = ["--data-root", str(root)]
    assert main(["data", "prepare", "mvtec/carpet", "--from", str(carpet), *at]) == 1
    assert "train_normal 2, the card has 280" in capsys.readouterr().out
    assert main(["data", "verify", "mvtec/carpet", *at]) == 1  # as when it was prepared
    assert "train_normal 2, the card has 280" in capsys.readouterr().out
    (root / "mvtec/carpet" / TABLE).write_text("")
    assert main(["data", "verify", "mvtec/carpet", *at]) == 1
    assert main(["data", "prepare", "mvtec/carpet", "--from", str(carpet / "train"), *at]) == 1
    assert main(["data", "prepare", "mvtex/carpet", "--from", str(carpet), *at]) == 2
    assert main(["data", "prepare", "mvtec", "--from", str(carpet), *at]) == 2


@pytest.mark.parametrize("name", [FACTS, OWN_CARD])
def test_brackets_without_end_are_damage_and_no_fault_of_the_program(tiles, root, name):
    get("my/tiles", tiles, False, root)
    (root / "my/tiles" / name).write_text("[" * 100_000)
    with pytest.raises(Incomplete, match="damaged"):
        prepare("my/tiles", data_root=root)
    assert any(row["name"] == "toy" for row in overview(root))
