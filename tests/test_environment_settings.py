"""An environment holds what its lock names, whatever settings of pip, uv and Python the caller has."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from test_environment import House

from devnetlib import environment


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def with_packages(venv: Path, *names: str) -> Path:
    """An environment's folder that holds the metadata of these packages, each NAME-VERSION."""
    for name in names:
        (venv / "lib" / "python3.11" / "site-packages" / f"{name}.dist-info").mkdir(parents=True)
    return venv


def test_an_environment_lacks_what_its_lock_names_at_another_version_or_for_this_platform_too(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "jupyter-book==1.0 \\\n    --hash=sha256:0\nnumpy==2.4 ; python_full_version < '3.12'\n"
        "numpy==2.5 ; python_full_version >= '3.12'\npywinpty==3 ; sys_platform == 'win32'\ntqdm==4.67\n"
    )
    assert environment.missing(with_packages(tmp_path / "a", "Jupyter_Book-1.0", "numpy-2.5", "tqdm-4.67"), lock) == []
    assert environment.missing(with_packages(tmp_path / "b", "numpy-2.3", "tqdm-4.67"), lock) == [
        "jupyter-book",
        "numpy",
    ]


def test_a_stamped_environment_that_lost_its_packages_is_not_complete(tmp_path):
    lock, venv = tmp_path / "requirements.lock", with_packages(tmp_path / ".venv", "tqdm-4.67")
    lock.write_text("tqdm==4.67\n")
    environment.python_of(venv).parent.mkdir()
    environment.python_of(venv).touch()
    (venv / environment.STAMP).write_text(environment.digest(lock))
    assert environment.is_complete(venv, lock)
    shutil.rmtree(venv / "lib")
    assert not environment.is_complete(venv, lock)


CONFIGURED = """#!/bin/sh
echo "global.find-links='/wheels'"
echo "global.target='/elsewhere'"
echo "global.timeout='30'"
echo "install.index-url='https://mirror/50%25'"
echo "install.user='true'"
"""


def test_pip_obeys_how_the_caller_reaches_packages_and_not_where_he_would_put_them(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name in ("PIP_USER", "PIP_ROOT", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_CONSTRAINT", "PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_TIMEOUT", "60")
    python = tmp_path / "python"
    python.write_text(CONFIGURED)
    python.chmod(0o755)
    found = environment.pip_settings(python)
    assert {name: value for name, value in found.items() if name.startswith(("PIP", "PYTHON"))} == {
        "PIP_FIND_LINKS": "/wheels",
        "PIP_INDEX_URL": "https://mirror/50%25",
        "PIP_TIMEOUT": "60",
        "PIP_CONFIG_FILE": os.devnull,
    }


def test_uv_is_not_told_of_the_callers_choice_of_another_environment(house):
    assert house.set_up("full", UV_PROJECT="elsewhere", PYTHONHOME="").returncode == 0
    assert "elsewhere" not in house.installs()[0]


def test_packages_that_went_elsewhere_leave_no_stamp_and_one_line(house):
    (house.root / "requirements.lock").write_text("tqdm==4.67\n")
    made = house.set_up("full")
    assert made.returncode == 1 and not (house.root / ".venv" / environment.STAMP).exists()
    assert "1 packages of requirements.lock are not in" in made.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["user = true", "target = {0}/away", "prefix = {0}/away", "root = {0}/away"])
def test_whatever_moves_the_packages_of_the_callers_pip_they_come_into_the_environment(house, tmp_path, setting):
    house.uv.unlink()
    name = tmp_path / "tinything-1.0-py3-none-any.whl"
    with zipfile.ZipFile(name, "w") as wheel:
        folder = "tinything-1.0.dist-info"
        wheel.writestr("tinything.py", "")
        wheel.writestr(f"{folder}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "tinything.py,,\n")
    (house.root / "requirements.lock").write_text(f"tinything==1.0 --hash=sha256:{environment.digest(name)}\n")
    own = tmp_path / "pip.conf"
    own.write_text(f"[global]\nno-index = true\nfind-links = {tmp_path}\n{setting.format(tmp_path)}\n")
    made = house.set_up("full", "--print-python", PIP_CONFIG_FILE=str(own))
    assert made.returncode == 0, made.stderr
    subprocess.run([made.stdout.strip(), "-I", "-c", "import tinything"], check=True)
    assert not (tmp_path / "away").exists()
