"""Unpack an archive that a stranger made: nothing leaves the folder, nothing but plain files comes out, and there is
an end to it."""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from devnetlib.errors import Incomplete

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_FILES, MOST_BYTES, MOST_GROWTH = 200_000, 40 * 2**30, 5000  # the largest release here: 16,100 files, 5 GB


def is_archive(path: Path) -> bool:
    """Whether a path is a file whose name is an archive's."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into a new folder. Raises Incomplete, before anything is written, for members that are links, devices, or
    lie outside, for too many or too large ones, and for a damaged archive."""
    try:
        with opened(archive) as members:
            sizes = [size for _, size in plain_members(archive, members)]
            if len(sizes) > MOST_FILES or sum(sizes) > bound(archive):
                raise Incomplete(f"{archive}: {len(sizes)} files of {sum(sizes):,} bytes in all; refused as a bomb")
            folder.mkdir(parents=True)
            members.extractall(folder, **({"filter": "data"} if isinstance(members, tarfile.TarFile) else {}))
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk, not the archive
            raise
        told = " ".join(str(error).split())[:120]
        raise Incomplete(f"{archive}: not a whole archive ({told}); get it again") from None


def opened(archive: Path) -> tarfile.TarFile | zipfile.ZipFile:
    """The archive, open for reading."""
    return zipfile.ZipFile(archive) if archive.name.lower().endswith(".zip") else tarfile.open(archive)


def bound(archive: Path) -> int:
    """How many bytes may come out of an archive of its size."""
    return min(MOST_BYTES, max(2**26, archive.stat().st_size * MOST_GROWTH))


def plain_members(archive: Path, whole: tarfile.TarFile | zipfile.ZipFile) -> list[tuple[str, int]]:
    """Name and size of every member; Incomplete for the first that is not a plain file or folder inside."""
    members = []
    for info in whole.infolist() if isinstance(whole, zipfile.ZipFile) else whole.getmembers():
        zipped = isinstance(info, zipfile.ZipInfo)
        name, size = (info.filename, info.file_size) if zipped else (info.name, info.size)
        path = PurePosixPath(name.replace("\\", "/"))
        linked = (info.external_attr >> 28) == 0xA if zipped else not (info.isfile() or info.isdir())
        if path.is_absolute() or ".." in path.parts or ":" in name.partition("/")[0] or linked or "\0" in name:
            raise Incomplete(f"{archive}: the member {name!r} is a link, a device or outside the folder; refused")
        members.append((name, size))
    return members
