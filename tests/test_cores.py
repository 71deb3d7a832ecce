"""The cores that a process may use: those it may run on, and what its control groups pay for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devnetlib import cores
from devnetlib.__main__ import parser

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """`machine(membership, files)`: eight cores, and control groups that hold these files."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "MEMBERSHIP", tmp_path / "membership")

    def make(membership: str, files: dict[str, str]) -> int:
        (tmp_path / "membership").write_text(membership)
        for name, content in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return cores.usable_cores()

    return make


@pytest.mark.parametrize(
    ("membership", "files", "usable"),
    [
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "150000 100000"}, 2),  # rounded up
        ("0::/", {"cpu.max": "10000 100000"}, 1),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),  # of a group around its own
        ("0::/of/the/host", {"cpu.max": "200000 100000"}, 2),  # a container sees its own group as the root
        ("3:cpuset:/\n1:cpu,cpuacct:/a", {"cpu,cpuacct/a/cpu.cfs_quota_us": "400000"}, 8),  # no period
        (
            "1:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "350000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("0::/", {"cpu.max": "9900000 100000"}, 8),  # no more than there are
        ("0::/", {"cpu.max": "nonsense"}, 8),
    ],
)
def test_a_quota_of_processor_time_of_either_version_bounds_the_cores(machine, membership, files, usable):
    assert machine(membership, files) == usable


def test_without_affinity_or_control_groups_the_cores_of_the_machine_count(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(cores, "MEMBERSHIP", tmp_path / "absent")
    for known, usable in ((6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda known=known: known)
        assert cores.usable_cores() == usable


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="left out: needs a system with affinities")
def test_a_process_bound_to_one_core_uses_one():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from devnetlib.cores import usable_cores; print(usable_cores())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_a_grid_starts_as_many_workers_as_it_may_use_cores(monkeypatch):
    monkeypatch.setattr("devnetlib.__main__.usable_cores", lambda: 3)
    assert parser().parse_args(["study"]).workers == 3 and parser().parse_args(["run", "--dataset", "toy"]).workers == 1


def test_nothing_else_counts_the_cores_of_the_machine():
    sources = [*(ROOT / "devnetlib").rglob("*.py"), *(ROOT / "book").rglob("*.py"), *(ROOT / "notebooks").glob("*.py")]
    assert [path.name for path in sources if "cpu_count()" in path.read_text()] == ["cores.py"]
