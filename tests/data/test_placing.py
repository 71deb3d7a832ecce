"""Nothing is lost: a place that holds anything but a prepared set stays, and so does a source that lies in one."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from devnetlib.__main__ import main
from devnetlib.data.intake import get
from devnetlib.data.layouts import toy
from devnetlib.data.placing import MADE, check_place, lies_in, remove_abandoned
from devnetlib.data.prepare import FACTS, FILES, TABLE, prepare, verify
from devnetlib.errors import Incomplete, Misuse
from devnetlib.writing import machine
from tests.trees import picture


def fill(folder: Path) -> Path:
    """A folder of one's own in the form of two folders."""
    for number in range(4):
        picture(folder / f"normal/{number}.png")
        picture(folder / f"anomaly/{number}.png")
    return folder


GONE = f"{machine()}-{2**22 + 1}-1-00000000"  # a writer whose process no system counts that far


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return fill(tmp_path / "raw")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def held(*folders: Path) -> dict[str, object]:
    """Everything below folders, with what it holds."""
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return {str(path): path.read_bytes() if path.is_file() else os.path.islink(path) for path in paths}


def refused(source: Path, root: Path, *, link: bool, told: str, kind: type = Misuse, name: str = "my/tiles") -> None:
    """A source is refused in one line, and nothing has changed."""
    before = held(root.parent)
    with pytest.raises(kind, match=told) as caught:
        get(name, source, link, root)
    assert "\n" not in str(caught.value) and held(root.parent) == before


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("way", ["itself", "inside", "around", "upwards", "a link to it", "a link above it"])
def test_a_source_and_a_place_that_contain_one_another_are_refused_and_stay(root, link, way):
    place = fill(root / "my/tiles")
    (root.parent / "link").symlink_to(place if way == "a link to it" else root)
    source = {
        "itself": place,
        "inside": fill(place / "inner"),
        "around": root / "my",
        "upwards": root / "my" / ".." / "my" / "tiles",
        "a link to it": root.parent / "link",
        "a link above it": root.parent / "link" / "my" / "tiles",
    }[way]
    refused(source, root, link=link, told="the place of the prepared set|where the prepared set would be put")


@pytest.mark.parametrize("link", [False, True])
def test_a_release_that_lies_in_the_data_root_is_refused_where_it_is_looked_for(root, link, monkeypatch):
    for number in range(4):
        picture(root / f"brainmri/no/{number}.jpg")
        picture(root / f"brainmri/yes/{number}.jpg")
    picture(root / "mvtec/carpet/train/good/0.png")
    monkeypatch.setenv("DEVNET_RAW", str(root))
    for name in ("brainmri", "mvtec/carpet"):
        refused(None, root, link=link, told="prepared set", name=name)


@pytest.mark.parametrize("link", [False, True])
def test_images_that_are_links_into_the_place_are_refused(raw, root, link):
    get("my/tiles", raw, False, root)
    for number in range(4):
        (raw / f"normal/{number}.png").unlink()
        (raw / f"normal/{number}.png").symlink_to(root / f"my/tiles/files/normal/{number}.png")
    refused(raw, root, link=link, told="the place of the prepared set", kind=Incomplete)


def test_copies_of_a_prepared_set_are_copied_but_not_linked(raw, root):
    get("my/tiles", raw, False, root)
    for name in ("my/tiles", "my/others"):
        refused(root / "my/tiles" / FILES, root, link=True, told="in, the place|in the copies of", name=name)
    get("my/others", root / "my/tiles" / FILES, False, root)
    shutil.rmtree(root / "my/tiles")
    assert verify(prepare("my/others", data_root=root)) == []


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("stranger", ["thesis.docx", ".hidden", "empty/", "files/notes.txt", "files/normal/4.png"])
def test_whatever_else_stands_in_the_place_is_named_and_stays(raw, root, link, stranger):
    for prepared in (False, True):
        if prepared:
            shutil.rmtree(root)
            get("my/tiles", raw, link, root)
        path = root / "my/tiles" / stranger
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if stranger.endswith("/") else path.write_text("a year of work")
        named = f"my/tiles/{stranger.split('/')[0]}.*: not as data prepare left it"
        refused(raw, root, link=link, told=named)


@pytest.mark.parametrize("changed", [TABLE, FACTS, "card.json", "files/normal/0.png"])
def test_a_prepared_set_that_was_changed_is_named_and_stays(raw, root, changed):
    get("my/tiles", raw, False, root)
    path = root / "my/tiles" / changed
    path.write_bytes(path.read_bytes() + b"\n")
    refused(raw, root, link=False, told="not as data prepare left it|damaged; move the folder", kind=ValueError)


def test_a_place_that_is_a_file_or_a_link_stays(raw, root):
    for make in (lambda place: place.write_text("a year of work"), lambda place: place.symlink_to("nowhere")):
        (root / "my").mkdir(parents=True, exist_ok=True)
        make(root / "my/tiles")
        refused(raw, root, link=False, told="tiles: (a link, which|not as data prepare left it)")
        (root / "my/tiles").unlink()


def test_a_set_is_prepared_anew_over_its_own_and_where_an_empty_folder_stands(raw, root):
    (root / "my/tiles").mkdir(parents=True)
    get("my/tiles", raw, False, root)
    picture(raw / "normal/more.png")
    (root / "my/tiles/files/anomaly/0.png").unlink()  # what is missing cannot be lost
    for link in (False, True, True, False):
        get("my/tiles", raw, link, root)
        assert len(prepare("my/tiles", data_root=root).table) == 9 and verify(prepare("my/tiles", data_root=root)) == []


def test_what_appears_in_the_place_while_a_set_is_prepared_stays(raw, root, monkeypatch):
    from devnetlib.data import intake

    def filled(place: Path, *rest: object) -> None:
        (root / "my/tiles").mkdir()
        (root / "my/tiles/thesis.docx").write_text("a year of work")

    monkeypatch.setattr(intake, "fill", filled)
    with pytest.raises(Misuse, match=r"thesis\.docx: not as data prepare left it"):
        get("my/tiles", raw, False, root)
    assert [path.name for path in root.rglob("*")] == ["my", "tiles", "thesis.docx"]


@pytest.mark.parametrize("inside", ["thesis.docx", "new/thesis.docx", "old/0.png"])
def test_a_folder_that_is_named_as_unfinished_work_and_is_somebodys_stays(raw, root, inside):
    work = root / "my" / f".tiles.{GONE}.tmp"
    path = work / inside
    path.parent.mkdir(parents=True)
    path.write_text("a year of work")
    assert remove_abandoned(root / "my/tiles") == [] and path.is_file()
    (work / MADE).touch()
    removed = remove_abandoned(root / "my/tiles")
    assert path.exists() == (removed == []) == (inside == "thesis.docx")


def test_a_source_in_unfinished_work_is_refused_before_that_is_cleared_away(root):
    work = root / "my/.tiles.abcdefgh.tmp"
    source = fill(work / "unpacked")
    (work / MADE).touch()
    refused(source, root, link=False, told="left by a prepare that was killed")


def test_a_mounted_folder_is_known_by_what_it_is(tmp_path, monkeypatch):
    for name in ("data/my/tiles/raw", "mount"):
        (tmp_path / name).mkdir(parents=True)
    same, place = Path.samefile, tmp_path / "data/my/tiles"
    assert not lies_in(tmp_path / "mount", place)
    monkeypatch.setattr(Path, "samefile", lambda one, other: one.name == "mount" or same(one, other))
    assert lies_in(tmp_path / "mount/raw", place)


def test_a_data_root_that_is_no_folder_is_misuse_for_every_command(raw, root, monkeypatch, capsys):
    root.write_text("no folder")
    monkeypatch.setenv("DEVNET_DATA", str(root))
    for words in (["list"], ["prepare", "my/tiles", "--from", str(raw)], ["prepare", "toy"], ["verify", "elpv"]):
        assert main(["data", *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"data root {root}: {root} is no folder" in line
        with pytest.raises(SystemExit, match="2"):
            main(["data", *words, "--data-root", str(root)])
        (line,) = capsys.readouterr().err.splitlines()
        assert f"found '{root}', expected a folder" in line
    assert root.read_text() == "no folder"


def test_a_toy_that_cannot_be_drawn_is_told_in_a_line_and_others_are_listed(root, monkeypatch, capsys):
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(toy, "write", full)
    assert main(["data", "list", "--data-root", str(root)]) == 0
    assert main(["data", "prepare", "toy", "--data-root", str(root)]) == 1
    assert "not written (No space left on device); name another folder with --data-root" in capsys.readouterr().err


def test_a_set_that_a_killed_or_interrupted_prepare_had_put_aside_comes_back(raw, root, monkeypatch):
    get("my/tiles", raw, False, root)
    before, work = held(root), root / "my" / f".tiles.{GONE}.tmp"
    work.mkdir()
    (work / MADE).touch()
    (root / "my/tiles").rename(work / "old")
    remove_abandoned(root / "my/tiles")
    assert held(root) == before

    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get("my/tiles", raw, False, root)
    assert held(root) == before


def test_a_set_that_another_process_replaces_while_it_is_looked_at_is_no_strangers(raw, root, monkeypatch):
    get("my/tiles", raw, False, root)
    place, walk = root / "my/tiles", os.walk

    def moved_meanwhile(folder: Path) -> object:
        listed = list(walk(folder))
        place.rename(root / "aside")
        return listed

    monkeypatch.setattr(os, "walk", moved_meanwhile)
    check_place(place)
