"""Archives that a stranger made: whatever is hostile or broken is refused by name and leaves nothing behind."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from devnetlib.data import archives
from devnetlib.data.archives import is_archive, unpack
from devnetlib.errors import Incomplete

OUTSIDE = [
    "../evil",
    "a/../../evil",
    "/evil",
    "//evil",
    "a/../..",
    "..",
    "../",
    "a/b/../../../evil",
    "/",
    "....//../evil",
]
TARS = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.xz": "w:xz", ".tar.bz2": "w:bz2"}
KINDS = {
    "symbolic link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "named pipe": tarfile.FIFOTYPE,
}


def tar(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    """An archive of (name, type, content), the last for plain files."""
    with tarfile.open(path, TARS["".join(path.suffixes[-2:]) if ".tar" in path.suffixes else path.suffix]) as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content), "../evil"
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str, bytes], mode: int = 0) -> Path:
    """An archive of (name, content); `mode` is what Unix says of the file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path


def refused(archive: Path, folder: Path) -> str:
    """The one line with which an archive is refused; nothing may have been written anywhere."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(Incomplete) as caught:
        unpack(archive, folder)
    assert sorted(folder.parent.rglob("*")) == before and not folder.exists()
    assert archive.name in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", TARS)
def test_a_plain_tar_comes_out_as_it_went_in(tmp_path, suffix):
    archive = tar(tmp_path / f"good{suffix}", ("a/b.png", tarfile.REGTYPE, b"picture"), ("a/c", tarfile.REGTYPE, b""))
    assert is_archive(archive)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/a/b.png").read_bytes() == b"picture" and (tmp_path / "out/a/c").exists()


def test_a_plain_zip_comes_out_as_it_went_in(tmp_path):
    archive = zipped(tmp_path / "GOOD.ZIP", ("a/b.png", b"picture"), ("a/", b""))
    assert is_archive(archive)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out/a/b.png").read_bytes() == b"picture"


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("suffix", [".tar", ".tar.xz", ".zip"])
def test_a_member_that_lies_outside_is_refused(tmp_path, suffix, name):
    archive = tmp_path / f"evil{suffix}"
    if suffix == ".zip":
        zipped(archive, ("fine.png", b"x"), (name, b"x"))
    else:
        tar(archive, ("fine.png", tarfile.REGTYPE, b"x"), (name, tarfile.REGTYPE, b"x"))
    assert "outside" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_links_devices_and_pipes_are_refused(tmp_path, suffix, kind):
    assert "link" in refused(tar(tmp_path / f"evil{suffix}", ("a", KINDS[kind], b"")), tmp_path / "out")


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    assert "link" in refused(zipped(tmp_path / "evil.zip", ("a", b"../evil"), mode=0o120777), tmp_path / "out")


@pytest.mark.parametrize("name", ["C:/evil", "..\\evil", "a\\..\\..\\evil", "\\evil"])
def test_a_name_that_would_leave_the_folder_on_another_system_is_refused(tmp_path, name):
    assert "outside" in refused(zipped(tmp_path / "evil.zip", (name, b"x")), tmp_path / "out")


def test_an_archive_that_grows_beyond_all_bounds_is_refused(tmp_path, monkeypatch):
    bomb = zipped(tmp_path / "bomb.zip", ("zeros", b"\0" * 70 * 2**20))
    assert bomb.stat().st_size < 10**5
    monkeypatch.setattr(archives, "MOST_GROWTH", 100)
    assert "refused as a bomb" in refused(bomb, tmp_path / "out")


def test_an_archive_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    assert "4 files" in refused(zipped(tmp_path / "many.zip", *((str(n), b"") for n in range(4))), tmp_path / "out")


@pytest.mark.parametrize("suffix", [*TARS, ".zip"])
@pytest.mark.parametrize("content", [b"", b"not an archive at all", b"PK\x03\x04" + b"\0" * 40])
def test_a_file_that_is_no_archive_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    refused(path, tmp_path / "out")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz", ".tar.bz2", ".zip"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path, suffix, share):
    content = bytes(range(256)) * 400
    whole = (
        zipped(tmp_path / "a.zip", ("x", content))
        if suffix == ".zip"
        else tar(tmp_path / f"a{suffix}", ("x", tarfile.REGTYPE, content))
    )
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    refused(cut, tmp_path / "out")
