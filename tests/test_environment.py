"""The declared dependencies, the two locks and conda's file agree; the set-up says what is missing and works once."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devnetlib import environment

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
CUDA = re.compile(r"^(torch|torchvision|triton|nvidia-.*|cuda-.*)$")


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock: more than one where the interpreter or the platform decides."""
    versions: dict[str, set[str]] = {}
    for pin in PINNED.finditer((ROOT / name).read_text()):
        versions.setdefault(canonicalize_name(pin["name"]), set()).add(pin["version"])
    return versions


def unsatisfied(requirements: list[str], lock: dict[str, set[str]]) -> list[str]:
    """The requirements that some version in the lock does not meet, or that it lacks altogether."""
    needs = [Requirement(line) for line in requirements]
    return [
        str(need)
        for need in needs
        if not (found := lock.get(canonicalize_name(need.name))) or not all(need.specifier.contains(v) for v in found)
    ]


@pytest.fixture(scope="module")
def project() -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_full_lock_satisfies_every_direct_dependency(project):
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    assert unsatisfied(project["dependencies"] + extras, locked("requirements.lock")) == []


def test_the_read_lock_satisfies_what_reading_needs(project):
    assert unsatisfied(project["dependencies"], locked("requirements-read.lock")) == []


def test_a_lock_that_is_too_old_or_lacks_a_package_is_noticed():
    assert unsatisfied(["numpy>=2.4", "torch"], {"numpy": {"2.4.6", "2.3.0"}}) == ["numpy>=2.4", "torch"]


def test_the_read_lock_holds_packages_of_the_full_lock_at_the_same_versions():
    read, full = locked("requirements-read.lock"), locked("requirements.lock")
    assert {name: versions for name, versions in read.items() if full.get(name) != versions} == {}
    assert len(read) < len(full)


def test_the_read_lock_is_free_of_torch_and_cuda():
    assert [name for name in locked("requirements-read.lock") if CUDA.match(name)] == []
    assert [name for name in locked("requirements.lock") if CUDA.match(name)], "the pattern no longer finds torch"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-read.lock"])
def test_every_line_of_a_lock_is_a_pin_with_hashes_and_names_no_index(name):
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text().split("\n\n")[-1].strip())
    assert [entry[:60] for entry in entries if not PINNED.match(entry) or "--hash=sha256:" not in entry] == []
    assert re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|\w+://\S+", (ROOT / name).read_text()) == []


def test_conda_and_binder_install_the_lock_and_nothing_beside_it():
    declared = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert declared == ["python=3.12", "pip", {"pip": ["-r requirements.lock"]}]


def test_the_oldest_python_is_the_one_that_the_project_declares(project):
    assert project["requires-python"] == ">=" + ".".join(map(str, environment.OLDEST_PYTHON))


def test_an_interpreter_that_is_too_old_can_read_the_script_and_is_told_so():
    ast.parse(Path(environment.__file__).read_text(), feature_version=(3, 7))
    environment.check_python((3, 11, 0), "python3")
    with pytest.raises(environment.SetupError, match=r"python3 is Python 3\.9, 3\.11 or newer is needed"):
        environment.check_python((3, 9, 2), "python3")


def test_the_script_needs_nothing_that_is_not_in_the_standard_library():
    tree = ast.parse(Path(environment.__file__).read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in modules} - sys.stdlib_module_names == set()


def test_a_missing_venv_module_is_named_with_the_package_that_brings_it():
    environment.check_modules(["venv", "ensurepip"])
    with pytest.raises(environment.SetupError, match=r"lacks no_such_module, .*sudo apt install python3-venv"):
        environment.check_modules(["venv", "no_such_module"])


def test_a_disk_too_small_is_refused_with_the_space_found_and_needed(tmp_path):
    environment.check_disk(tmp_path / ".venv", 0)
    with pytest.raises(environment.SetupError, match=r"GB are free in .*, 1e\+06 GB are needed"):
        environment.check_disk(tmp_path / ".venv", 1_000_000)


def test_what_a_disk_already_holds_of_the_environment_counts_as_room(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: usage)
    (tmp_path / ".venv").mkdir()
    with (tmp_path / ".venv" / "package").open("wb") as package:
        package.truncate(1_500_000_000)
    environment.check_disk(tmp_path / ".venv", 1)
    with pytest.raises(environment.SetupError, match=r"1\.5 GB are free"):
        environment.check_disk(tmp_path / ".venv", 2)


def test_pip_needs_room_for_its_downloads_where_they_share_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "not made yet"))
    assert environment.wheel_copies(tmp_path) == 1
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))
    assert environment.wheel_copies(tmp_path) == 2


# The set-up itself, in a small repository whose uv only writes down how it was called.

UV = """#!/bin/sh
case "$1" in
  --version) exit 0 ;;
  cache) echo "$HOME" ;;
  *) sleep "${UV_SECONDS:-0}"; echo "$@" $UV_PROJECT downloads=$UV_PYTHON_DOWNLOADS >> "$UV_CALLS"
     exit "${UV_STATUS:-0}" ;;
esac
"""


class House:
    """A repository with two locks and a set-up script, on a machine whose only programs are the given ones."""

    def __init__(self, folder: Path):
        self.root, self.calls = folder / "repository", folder / "calls"
        (self.root / "devnetlib").mkdir(parents=True)
        # These locks fit anywhere, so that a machine with a nearly full disk passes as well.
        script = re.sub(r'(\.lock"), [0-9., ]+', r"\1, 0, 0", Path(environment.__file__).read_text())
        (self.root / "devnetlib" / "environment.py").write_text(script)
        (self.root / "devnetlib" / "__init__.py").touch()
        for each in environment.ENVIRONMENTS.values():
            (self.root / each.lock).write_text(f"# {each.lock}\n")
        self.uv = folder / "bin" / "uv"
        self.uv.parent.mkdir()
        self.uv.write_text(UV)
        self.uv.chmod(0o755)

    def set_up(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        """Run the script; its outcome and what it said."""
        search = f"{self.uv.parent}:/bin"
        settings = {"PATH": search, "HOME": str(self.root.parent), "UV_CALLS": str(self.calls), **variables}
        command = [sys.executable, str(self.root / "devnetlib" / "environment.py"), *arguments]
        return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)

    def installs(self) -> list[str]:
        """How uv was asked to install, a line each time."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def house(tmp_path) -> House:
    return House(tmp_path)


def test_a_set_up_installs_the_hashed_lock_once_and_then_says_nothing(house):
    first, second = house.set_up("full"), house.set_up("full")
    assert first.returncode == 0, first.stderr
    (call,) = house.installs()
    assert "--require-hashes" in call and call.endswith("requirements.lock downloads=never")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_the_package_is_importable_from_any_folder_after_the_set_up(house, tmp_path):
    python = house.set_up("full", "--print-python").stdout.strip()
    command = [python, "-c", "import devnetlib; print(devnetlib.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    assert found == str(house.root / "devnetlib" / "__init__.py")


def test_an_environment_that_was_left_half_made_is_installed_again(house):
    failed = house.set_up("full", UV_STATUS="3")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("environment: 'uv pip sync …' failed with exit status 3")
    assert house.set_up("full").returncode == 0
    assert len(house.installs()) == 2


def test_a_lock_that_has_changed_is_installed_again(house):
    house.set_up("full")
    (house.root / "requirements.lock").write_text("# another\n")
    assert house.set_up("full").returncode == 0
    assert len(house.installs()) == 2


def test_two_set_ups_at_once_install_once(house):
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: house.set_up("full", UV_SECONDS="1"), range(2)))
    assert [made.returncode for made in both] == [0, 0]
    assert len(house.installs()) == 1


def test_an_environment_whose_interpreter_has_gone_is_made_again(house):
    house.set_up("full")
    (house.root / ".venv" / "bin" / "python").unlink()
    python = house.set_up("full", "--print-python").stdout.strip()
    assert subprocess.run([python, "-c", ""], check=False).returncode == 0


def test_reading_gets_an_environment_of_its_own_only_where_the_full_one_is_not_complete(house):
    assert house.set_up("read", "--print-python").stdout.strip() == str(house.root / ".venv-read" / "bin" / "python")
    house.set_up("full")
    assert house.set_up("read", "--print-python").stdout.strip() == str(house.root / ".venv" / "bin" / "python")
    assert [call.split("/")[-1].split()[0] for call in house.installs()] == [
        "requirements-read.lock",
        "requirements.lock",
    ]


@pytest.mark.slow
def test_without_uv_pip_installs_into_an_environment_emptied_before(house):
    house.uv.unlink()
    (house.root / ".venv" / "lib").mkdir(parents=True)
    (house.root / ".venv" / "lib" / "left-over").touch()
    made = house.set_up("full")
    assert made.returncode == 0 and "with pip" in made.stderr
    assert not (house.root / ".venv" / "lib" / "left-over").exists()
    assert (house.root / ".venv" / "bin" / "pip").exists()


def test_a_uv_that_does_not_answer_is_left_aside(house, monkeypatch):
    monkeypatch.setenv("PATH", str(house.uv.parent), prepend=os.pathsep)
    assert environment.find_uv() == str(house.uv)
    house.uv.write_text("#!/bin/sh\nexit 127\n")
    assert environment.find_uv() is None


def test_make_names_the_command_that_installs_a_missing_python():
    made = subprocess.run(
        ["make", "PYTHON=no-such-python", "venv"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 2
    assert "no-such-python is not installed: sudo apt install python3 python3-venv" in made.stderr


def test_a_kind_that_does_not_exist_is_a_misuse(house):
    assert house.set_up("half").returncode == 2
