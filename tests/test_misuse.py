"""Whatever is wrong with a command, its files or the machine is told in one line, with status 2 for what needs another
command and 1 for a failure; no traceback but for a fault of the program."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from devnetlib.__main__ import main
from devnetlib.study.results import DamagedScores

ROOT = Path(__file__).resolve().parents[1]

HOSTILE = [  # command, and what its line must say
    ("run --dataset toy --split 4-0,3", "found '4-0,3', expected a number or a range such as 0-4"),
    ("run --dataset toy --seed 4294967296", "of 0 to 4294967295"),
    ("run --dataset toy --draw 0-4294967295", "4294967296 numbers, expected at most 10000"),
    ("run --dataset toy --threads ²", "found '²', expected a whole number from 1 to 4096"),
    ("run --dataset toy --batch ٣", "found '٣', expected a whole number from 1"),
    ("run --dataset toy --workers 99999999999", "expected a whole number from 1 to 4096"),
    ("run --dataset toy --anomalies=-1", "found '-1', expected a whole number from 0"),
    ("run --dataset toy --contamination nan", "expected a share from 0 to 1"),
    ("run --dataset toy --contamination ١", "expected a share from 0 to 1"),
    ("run --dataset toy --method devnet --option stage=٢", "option stage=٢: expected int, as in stage="),
    ("run --dataset toy --method devnet --option heads=99999999999999999999", "expected int, as in heads="),
    ("run --dataset toy --method devnet --option margin=inf", "expected float, as in margin="),
    ("run --dataset toy --method minns --option stages=٢,٣", "expected str, as in stages="),
    ("run --dataset toy --device mps", "device 'mps': expected auto, cpu or cuda"),
    ("run --dataset toy --device meta", "device 'meta': expected auto, cpu or cuda"),
    ("run --dataset toy --device cuda:٣", "expected auto, cpu or cuda"),
    ("run --dataset toy --weights=", "argument --weights: found nothing"),
    ("run --dataset toy --scheduler=", "argument --scheduler: found nothing"),
    ("run --dataset toy --results FILE", "FILE', expected a folder"),
    ("run --dataset toy --results FILE/below", "FILE is no folder"),
    ("run --dataset toy --results=", "argument --results: found nothing"),
    ("run --dataset toy --data-root FILE", "FILE', expected a folder"),
    ("study q1 --methods , --workers 1", "--methods is empty"),
    ("study q1 --datasets= --workers 1", "--datasets is empty"),
    ("study q1 --methods kdad --splits 3 --weights random", "kdad is run on splits 0, 1, 2 and draws 0 alone"),
    ("study q1 --device mps", "device 'mps'"),
    ("study q5 --datasets kolektorsdd --methods grey --weights random", "q5 asks nothing of grey on kolektorsdd"),
    ("data list --data-root FILE", "FILE', expected a folder"),
    ("data prepare my/tiles --from=", "argument --from: found nothing"),
    ("data prepare my/tiles --from FILE --data-root FILE/below", "FILE is no folder"),
    ("cache clear elvp", "unknown data set 'elvp' (did you mean 'elpv'?)"),
    ("cache list elvp", "unknown data set 'elvp' (did you mean 'elpv'?)"),
    ("cache list --data-root FILE", "FILE', expected a folder"),
    ("table --results FILE", "FILE', expected a folder"),
    ("table --results ABSENT", "no results folder ABSENT: name one with --results"),
    ("table --profile quik", "unknown profile 'quik' (did you mean 'quick'?)"),
    ("publish --results ABSENT", "no results folder ABSENT"),
    ("publish --dataset elvp", "unknown data set 'elvp'"),
    ("publish --profile quik", "unknown profile 'quik'"),
    ("verify-results --results FILE", "FILE', expected a folder"),
    ("census --datasets toy --output FILE/c.json", "FILE is no folder"),
    ("census --datasets headct --output .", "found '.', expected a file"),
    ("census --datasets ,", "no data set to count: name one with --datasets"),
    ("distil --weights=", "argument --weights: found nothing"),
    ("distil --output FILE", "FILE', expected a folder"),
    ("weights resnet19", "unknown network 'resnet19' (did you mean 'resnet18'?)"),
    ("fly", "invalid choice: 'fly'"),
]


@pytest.mark.parametrize(("words", "said"), HOSTILE, ids=[words[:60] for words, _ in HOSTILE])
def test_whatever_is_wrong_with_a_command_is_one_line_that_says_what_and_status_2(words, said, tmp_path, capsys):
    (tmp_path / "file").touch()
    places = {"FILE": str(tmp_path / "file"), "ABSENT": str(tmp_path / "absent")}
    for name, place in places.items():
        words, said = words.replace(name, place), said.replace(name, place)
    try:
        status = main(words.split())
    except SystemExit as stop:  # argparse's way
        status = stop.code
    output, errors = capsys.readouterr()
    (line,) = errors.splitlines()
    assert status == 2 and output == "" and line.startswith("error: ") and said in line


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            PermissionError(13, "Permission denied", "some/place"),
            2,
            "some/place: Permission denied; data and caches go",
        ),
        (OSError(30, "Read-only file system", "some/place"), 2, "some/place: Read-only file system"),
        (OSError(28, "No space left on device", "some/place"), 1, "some/place: No space left on device"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
        (MemoryError(), 1, "the memory does not suffice: use fewer --workers"),
        (UnicodeEncodeError("ascii", "±", 0, 1, "ordinal not in range"), 1, "set PYTHONIOENCODING=utf-8"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 1, "can't decode byte 0xff"),
        (DamagedScores("some.json: not whole\nat all"), 1, "some.json: not whole at all"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "lacks torch: run 'make venv' once"),
        (ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core"), 2, "lacks pandas: run 'make venv'"),
    ],
)
def test_what_a_user_can_mend_ends_a_command_in_one_line(error, status, said, monkeypatch, capsys):
    monkeypatch.setattr("devnetlib.data.prepare.overview", Mock(side_effect=error))
    assert main(["data", "list"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line


@pytest.mark.parametrize(
    "error", [KeyError("id"), ImportError("libfoo.so"), ModuleNotFoundError(name="devnetlib.gone")]
)
def test_a_fault_of_the_program_is_called_one_and_shown(error, monkeypatch, capsys):
    monkeypatch.setattr("devnetlib.data.prepare.overview", Mock(side_effect=error))
    with pytest.raises(type(error)):
        main(["data", "list"])
    assert capsys.readouterr().err == "error: this is a fault of the program; please report it with the lines below\n"


def test_an_interrupted_command_exits_with_130(monkeypatch, capsys):
    monkeypatch.setattr("devnetlib.data.prepare.overview", Mock(side_effect=KeyboardInterrupt))
    assert main(["data", "list"]) == 130 and capsys.readouterr().err.startswith("interrupted: ")


@pytest.mark.parametrize("words", ["--help", "cache list --data-root FOLDER"])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(words, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "devnetlib", *words.replace("FOLDER", str(tmp_path)).split()]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode in (0, 141) and done.stderr == ""  # argparse keeps quiet about its own


@pytest.mark.parametrize(("words", "library"), [("data list", "pandas"), ("--help", "numpy"), ("weights", "torch")])
def test_a_python_without_the_libraries_is_told_how_to_get_them_in_one_line(words, library):
    code = f"import runpy, sys; sys.modules[{library!r}] = None; sys.argv[1:] = {words.split()}; "
    code += "runpy.run_module('devnetlib', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("error: ")
    assert line.endswith(f" lacks {library}: run 'make venv' once, then .venv/bin/python in the place of this Python")


def test_a_data_root_that_can_be_neither_used_nor_made_is_told_with_the_ways_to_name_another(
    monkeypatch, tmp_path, capsys
):
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # as on a file system that can only be read
    for root, found in (("file/cache", "file is no folder"), ("cache/devnetlib", f"{tmp_path} is not writable")):
        monkeypatch.setenv("DEVNET_DATA", str(tmp_path / root))
        assert main(["data", "list"]) == 2
        line = capsys.readouterr().err
        assert found in line and line.endswith("with --data-root or DEVNET_DATA\n") and line.count("\n") == 1


def test_a_home_that_the_system_does_not_know_makes_no_folder_of_that_name(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVNET_DATA", "~/.cache/devnetlib")
    assert main(["data", "list"]) == 2 and "--data-root or DEVNET_DATA" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
