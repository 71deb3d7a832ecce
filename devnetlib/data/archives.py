"""Unpack an archive that a stranger made: nothing leaves the folder, nothing but plain files comes out, and there is
an end to it."""

import bz2
import errno
import gzip
import lzma
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from tqdm import tqdm

from devnetlib.errors import Incomplete

TARS: dict[str, Callable] = {".tar": open, ".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.xz": lzma.open}
TARS[".tar.bz2"] = bz2.open
SUFFIXES = (".zip", *TARS)
MOST_FILES, MOST_BYTES = 200_000, 40 * 2**30  # the largest release here: 16,100 files, 5 GB
MOST_GROWTH, SMALL = 100, 2**29  # bytes out for a byte in, which matter beyond 512 MiB: masks alone shrink 4,000 times
MOST_HEADER = 2**20  # a header of a tar is kept in memory
BLOCK = 2**20
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
DAMAGED += (ValueError, struct.error, OverflowError, IndexError, KeyError)  # what the libraries raise on some headers


@dataclass(frozen=True)
class Member:
    """A plain file or folder of an archive, with its size as the archive states it."""

    name: str
    is_folder: bool
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a path is a file whose name is an archive's."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into a new folder, which is gone again if anything is wrong.

    Only contents are written: no owners, no permissions, no times. Raises Incomplete for members that are links or
    devices, lie outside or share a name, for too many or too large ones, and for a damaged archive (a checksum that
    it carries is always checked); OSError for what the disk does not take.
    """
    folder.mkdir(parents=True)
    try:
        write_all(archive, members_of(archive), folder)
    except (*DAMAGED, OSError) as error:
        shutil.rmtree(folder)
        of_the_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)  # EINVAL: a place before 0
        if isinstance(error, Incomplete) or of_the_disk:
            raise
        told = " ".join(str(error).split())[:120]
        raise Incomplete(f"{archive}: not a whole archive ({told}); get it again") from None


def bound(archive: Path) -> int:
    """How many bytes may come out of an archive of its size."""
    return min(MOST_BYTES, max(SMALL, archive.stat().st_size * MOST_GROWTH))


def write_all(archive: Path, members: Iterator[Member], folder: Path) -> None:
    """Write members as they come, counting them before they are written, with a progress bar."""
    size, most = 0, bound(archive)
    told = tqdm(members, desc="unpack", unit="file", disable=None)
    for number, member in enumerate(told, start=1):
        size += member.size
        if number > MOST_FILES or size > most:
            raise Incomplete(f"{archive}: {number} files of {size:,} bytes or more; refused as a bomb")
        parts = inner_parts(archive, member)
        target = folder.joinpath(*parts)
        try:
            (target if member.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if not member.is_folder:
                write(archive, member, target)
        except (FileExistsError, NotADirectoryError):
            raise Incomplete(f"{archive}: two members have the name {member.name!r}; refused") from None


def write(archive: Path, member: Member, target: Path) -> None:
    """Write one file that is not there yet; Incomplete unless it has the size that the archive states."""
    with member.open() as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, BLOCK)
    if target.stat().st_size != member.size:
        raise Incomplete(f"{archive}: {member.name!r} is not whole; get it again")


def inner_parts(archive: Path, member: Member) -> list[str]:
    """The parts of a member's path; Incomplete for a path that leads outside, here or on another system, and for one
    that cannot be written down in a table."""
    name = member.name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    outside = name.startswith("/") or ".." in parts or "\\" in name or re.match("[A-Za-z]:", name)
    if outside or not (parts or member.is_folder):
        raise Incomplete(f"{archive}: the member {name!r} is outside the folder; refused")
    shown = all(each.isprintable() or unicodedata.category(each) == "Zs" for each in name)  # Zs: spaces of any width
    written = shown and name.encode(errors="replace").decode() == name
    if not written or len(parts) > 32 or any(len(part.encode()) > 255 for part in parts):
        raise Incomplete(f"{archive}: the member {name[:80]!r} has no usable name; refused")
    return parts


def members_of(archive: Path) -> Iterator[Member]:
    """The members of an archive, of the kind that its name says."""
    name = archive.name.lower()
    if name.endswith(".zip"):
        return zip_members(archive)
    return tar_members(archive, next(opener for suffix, opener in TARS.items() if name.endswith(suffix)))


def zip_members(archive: Path) -> Iterator[Member]:
    """Members of a zip; Incomplete for links, devices and methods that do not unpack bit by bit."""
    with zipfile.ZipFile(archive) as whole:
        for info in whole.infolist():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise not_plain(archive, info.filename)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Incomplete(f"{archive}: {info.filename!r} is neither stored nor deflated; zip it anew")
            yield Member(info.orig_filename, info.filename.endswith("/"), info.file_size, partial(whole.open, info))


def tar_members(archive: Path, opener: Callable) -> Iterator[Member]:
    """Members of a tar in their order, read as a stream, so that its size is counted while it comes.

    Incomplete for links, devices and sparse files. The stream is read to its end, where the checksums of the
    compressed kinds stand, and must hold the empty block that ends a tar: a broken header looks like an end, too.
    """
    headers = header_class(archive)
    with opener(archive, "rb") as file:
        stream = Bounded(archive, file)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=headers) as whole:
            for info in whole:
                if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or info.issparse():
                    raise not_plain(archive, info.name)
                yield Member(info.name, info.isdir(), info.size, partial(whole.extractfile, info))
        while stream.read(BLOCK):
            pass
    if headers.last.strip(b"\0") or len(headers.last) < tarfile.BLOCKSIZE:
        raise Incomplete(f"{archive}: not a whole archive (it ends before its last member); get it again")


def header_class(archive: Path) -> type[tarfile.TarInfo]:
    """A class of headers that keeps the last block read, and refuses long names and the like beyond `MOST_HEADER`."""

    class Header(tarfile.TarInfo):
        last = b""

        @classmethod
        def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
            cls.last = bytes(buf)
            info = super().frombuf(buf, encoding, errors)
            if info.type in EXTENDING and info.size > MOST_HEADER:
                raise Incomplete(f"{archive}: a header of {info.size:,} bytes; refused as a bomb")
            return info

    return Header


EXTENDING = (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


class Bounded:
    """A stream that may not give more than the bound of its archive, its headers included."""

    def __init__(self, archive: Path, stream: IO[bytes]) -> None:
        self.archive, self.stream, self.left = archive, stream, bound(archive) + 4 * tarfile.BLOCKSIZE * MOST_FILES

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; Incomplete beyond the bound."""
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Incomplete(f"{self.archive}: more than {bound(self.archive):,} bytes in it; refused as a bomb")
        return data


def not_plain(archive: Path, name: str) -> Incomplete:
    """The error for a member that is neither a file nor a folder."""
    return Incomplete(f"{archive}: the member {name!r} is a link or a device; refused")
