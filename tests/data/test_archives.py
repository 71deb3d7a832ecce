"""Archives that a stranger made: whatever is hostile or broken is refused by name and leaves nothing behind."""

import gzip
import io
import lzma
import random
import shutil
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
    monkeypatch.setattr(archives, "SMALL", 2**20)
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


def three(*names: str) -> bytes:
    """A tar of files of 3,000 bytes."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name in names or ("0", "1", "2"):
            info = tarfile.TarInfo(name)
            info.size = 3000
            archive.addfile(info, io.BytesIO(name.encode()[:1] * 3000))
    return held.getvalue()


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_that_grows_beyond_all_bounds_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(archives, "SMALL", 2**20)
    monkeypatch.setattr(archives, "MOST_GROWTH", 1)
    bomb = tar(tmp_path / f"bomb{suffix}", *((str(n), tarfile.REGTYPE, b"\0" * 2**19) for n in range(5)))
    if suffix == ".tar":  # a plain tar does not grow, but it may be too large
        monkeypatch.setattr(archives, "MOST_BYTES", 2**20)
    assert "refused as a bomb" in refused(bomb, tmp_path / "out")


def test_what_a_tar_hides_behind_its_end_is_a_bomb_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 2**20)
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(three() + bytes(20 * 2**20)))
    assert "refused as a bomb" in refused(bomb, tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_too_large_to_keep_in_memory_is_refused(tmp_path, kind):
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 2**21
    path = tmp_path / "header.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(2**21) + three())
    assert "refused as a bomb" in refused(path, tmp_path / "out")


def test_long_names_and_comments_of_tars_are_read(tmp_path):
    name = "/".join(["a" * 120] * 3)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / f"{form}.tar", "w", format=form, pax_headers={"comment": "a commit"}) as archive:
            archive.addfile(tarfile.TarInfo(f"./{name}"))
        unpack(tmp_path / f"{form}.tar", tmp_path / f"out{form}")
        assert (tmp_path / f"out{form}" / name).is_file()


def test_a_sparse_file_of_a_tar_is_refused(tmp_path):
    header = tarfile.TarInfo("x")
    header.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "sparse.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert "a link or a device" in refused(tmp_path / "sparse.tar", tmp_path / "out")


@pytest.mark.parametrize("mode", [0o020666, 0o060666, 0o010666, 0o140666])
def test_devices_pipes_and_sockets_in_a_zip_are_refused(tmp_path, mode):
    assert "device" in refused(zipped(tmp_path / "evil.zip", ("a", b"x"), mode=mode), tmp_path / "out")


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a", "./a"), ("a/b", "a//b")])
@pytest.mark.parametrize("suffix", [".tar", ".zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_in_one_place_are_refused(tmp_path, suffix, names):
    archive = tmp_path / f"twice{suffix}"
    if suffix == ".zip":
        zipped(archive, *((name, b"x") for name in names))
    else:
        archive.write_bytes(three(*names))
    assert "two members have the name" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("name", ["a\nb.png", "a\x1b[2J.png", "a" * 256, "d/" * 40 + "a", "\u202egnp.exe"])
def test_a_name_that_cannot_be_told_or_kept_is_refused(tmp_path, name):
    told = refused(zipped(tmp_path / "evil.zip", (name, b"x")), tmp_path / "out")
    assert "no usable name" in told and told.isprintable()


@pytest.mark.parametrize("name", ["Screenshot 10.41.07\u202fPM.png", "no\u00a0break.png", "wide\u3000space.png"])
def test_a_name_with_a_space_of_another_width_is_unpacked(tmp_path, name):
    unpack(zipped(tmp_path / "shots.zip", (name, b"x")), tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == b"x"


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    told = refused(tar(tmp_path / "evil.tar", ("a\udcff.png", tarfile.REGTYPE, b"x")), tmp_path / "out")
    assert "no usable name" in told and told.isprintable()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_members_cannot_be_unpacked_bit_by_bit_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "other.zip", "w", method) as archive:
        archive.writestr("a", bytes(2**20))
    assert "neither stored nor deflated" in refused(tmp_path / "other.zip", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped(tmp_path / "a.zip", ("a", b"x")).read_bytes())
    content[6] |= 1  # the flag in the member's own header, and that in the directory at the end
    content[content.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert "encrypted" in refused(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("damage", ["header", "cut"])
def test_a_tar_that_ends_between_its_members_is_refused(tmp_path, damage):
    content = bytearray(three())
    content[512 + 3072] ^= 1  # the second member's name
    path = tmp_path / "short.tar"
    path.write_bytes(content if damage == "header" else content[: 512 + 3072])
    assert "ends before its last member" in refused(path, tmp_path / "out")


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
def test_a_wrong_checksum_at_the_end_is_found(tmp_path, suffix):
    content = bytearray((gzip if suffix == ".tar.gz" else lzma).compress(three()))
    content[-6 if suffix == ".tar.gz" else -20] ^= 1
    (tmp_path / f"a{suffix}").write_bytes(content)
    refused(tmp_path / f"a{suffix}", tmp_path / "out")


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip"])
def test_a_damaged_archive_is_refused_or_whole_and_never_ends_in_another_error(tmp_path, suffix):
    rng, path, out = random.Random(0), tmp_path / f"damaged{suffix}", tmp_path / "out"
    if suffix == ".zip":
        zipped(path, *((name, rng.randbytes(300)) for name in "abc"))
    else:
        tar(path, *((name, tarfile.REGTYPE, rng.randbytes(300)) for name in "abc"))
    whole = path.read_bytes()
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(rng.choice((1, 4))):
            changed[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            unpack(path, out)
        except Incomplete:
            assert not out.exists()
        else:
            shutil.rmtree(out)


def test_a_disk_that_takes_no_more_is_not_called_a_damaged_archive(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", ("a", b"x"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left on device"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_neither_permissions_nor_times_come_out_of_an_archive(tmp_path):
    info = tarfile.TarInfo("a")
    info.mode, info.mtime = 0o6777, 0
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(info)
    unpack(tmp_path / "a.tar", tmp_path / "out")
    found = (tmp_path / "out" / "a").stat()
    assert not found.st_mode & 0o6111 and found.st_mtime > 10**9
