"""Files take their place whole or not at all, under names that tell the living from the dead without a lock."""

import errno
import os
import subprocess
import sys
import time

import pytest

from devnetlib import writing
from devnetlib.data import caches
from devnetlib.writing import ABANDONED, UNFINISHED, atomic_write, machine, started, writer, writer_lives


def test_a_file_takes_its_place_whole_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "deep" / "some.json"
    atomic_write(path, lambda file: file.write_text("first"))

    def fail(file):
        file.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        atomic_write(path, fail)
    assert path.read_text() == "first" and list(path.parent.iterdir()) == [path]


def test_no_two_writers_bear_one_name_even_of_one_process_number_on_two_machines(monkeypatch):
    names = {writer() for _ in range(100)}
    monkeypatch.setattr(writing.platform, "node", lambda: "another")
    machine.cache_clear()
    assert len(names) == 100 and machine() not in {name.split("-")[0] for name in names}
    machine.cache_clear()


def left_by(folder, name: str, age: float = 0):
    """An unfinished file of that writer, so old."""
    path = folder / f".some.npy.{name}{UNFINISHED}"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_writer_of_a_file_lives_until_its_process_ends(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = f"{machine()}-{child.pid}-{started(child.pid)}-0123abcd"
    path = left_by(tmp_path, name, age=10 * ABANDONED)
    assert writer_lives(path) and caches.being_made(path)
    assert not writer_lives(left_by(tmp_path, f"{machine()}-{child.pid}-1-0123abcd")), "the number was given anew"
    child.communicate(b"\n")
    assert not writer_lives(path) and not caches.being_made(path)


def test_what_another_machine_writes_is_left_alone_for_a_day(tmp_path):
    assert writer_lives(left_by(tmp_path, "00000000-1-1-0123abcd", age=ABANDONED - 60))
    assert not writer_lives(left_by(tmp_path, "00000000-1-1-0123abcd", age=ABANDONED + 60))


@pytest.mark.parametrize("name", ["aaaa", "0123456789abcdef0123456789abcdef", "a-b-c-d", "4711", ""])
def test_a_name_that_tells_no_writer_says_so(tmp_path, name):
    assert writer_lives(left_by(tmp_path, name)) is None


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EBADF, errno.EOPNOTSUPP, errno.EINVAL])
def test_where_locks_are_refused_caches_are_written_and_what_the_dead_left_is_cleared(tmp_path, monkeypatch, code):
    def refused(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refused)
    banks = caches.cache_folder(tmp_path) / "banks"
    caches.write_whole(banks / "0123456789abcdef-64px.npy", caches.np.arange(9))
    dead = [left_by(banks, "aaaa"), left_by(banks, f"{machine()}-{os.getpid()}-1-0123abcd")]
    living = [left_by(banks, writer()), left_by(banks, "00000000-1-1-0123abcd")]
    assert caches.clear(data_root=tmp_path)["files"] == 1 + len(dead)
    assert sorted(banks.iterdir()) == sorted(living)


def test_a_cached_file_that_cannot_be_removed_is_said_in_a_line(tmp_path, monkeypatch):
    path = caches.cache_folder(tmp_path) / "banks" / "0123456789abcdef-64px.npy"
    caches.write_whole(path, caches.np.arange(9))

    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    with pytest.raises(caches.Unwritable, match=r"64px\.npy: not removed \(Permission denied\)"):
        caches.clear(data_root=tmp_path)
