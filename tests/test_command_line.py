"""The command line: misuse ends in one line and status 2, help imports no torch, records hold what programs need."""

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from unittest.mock import Mock

import pytest

from devnetlib.__main__ import main, numbers, parser
from devnetlib.data.manifests import datasets
from tests.trees import picture

ROOT = Path(__file__).resolve().parents[1]
RECORD = {"dataset", "method", "profile", "split", "draw", "seed", "key", "auroc", "average_precision", "weights"}
RECORD |= {"precision", "seconds"}
GREY = ["run", "--dataset", "toy", "--method", "grey", "--profile", "smoke", "--weights", "random"]


@pytest.fixture
def command(tmp_path, capsys):
    """`command(words)` -> exit status, standard output, standard error; results go to a folder of their own."""

    def run(*words: str) -> tuple[int, str, str]:
        folder = ["--results", str(tmp_path / "results")] if words[0] in ("run", "study", "table", "publish") else []
        try:
            status = main([*words, *folder])
        except SystemExit as stop:  # argparse's way
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("words", "found", "nearest", "valid"),
    [
        (["--dataset", "elvp"], "elvp", "elpv", "toy"),
        (["--method", "devnets"], "devnets", "devnet", "mahalanobis"),
        (["--profile", "quik"], "quik", "quick", "laptop"),
        (["--reading", "al"], "al", "all", "all"),
        (["--protocol", "generall"], "generall", "general", "general"),
        (["--method", "devnet", "--option", "topk=0.5"], "topk", "top_k", "margin"),
    ],
)
def test_an_unknown_word_ends_in_one_line_with_the_valid_ones_and_the_nearest(command, words, found, nearest, valid):
    status, output, errors = command(*GREY, *words)
    (line,) = errors.splitlines()
    assert status == 2 and output == ""
    assert line.startswith("error: unknown") and repr(found) in line
    assert f"did you mean {nearest!r}?" in line and valid in line.split("valid are ")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--option", "signed"], "expected NAME=VALUE"),
        (["--method", "devnet", "--option", "stage=9"], "stage"),
        (["--weights", "absent.pth"], "no weights file absent.pth"),
        (["--device", "warp"], "expected auto, cpu or cuda"),
        (["--contamination", "0.1"], "such as contamination:0.2"),
        (["--protocol", "contamination:0.2", "--contamination", "0.3"], "takes 0 to 0.2"),
        (["--protocol", "open-set:hol"], "did you mean 'hole'?"),
        (["--protocol", "open-set:hole", "--anomalies", "21"], "choose 0 to 20"),
    ],
)
def test_other_misuse_is_one_line_too(command, words, message):
    status, _, errors = command(*GREY, *words)
    assert status == 2 and message in errors and len(errors.splitlines()) == 1


def test_the_last_seed_that_numpy_takes_is_run(command):
    assert command(*GREY, "--split", str(2**32 - 1), "--draw", str(2**32 - 1), "--seed", str(2**32 - 1))[0] == 0


def test_a_data_root_that_can_only_be_read_serves_as_long_as_nothing_is_missing(monkeypatch, command, toy):
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.W_OK)
    assert command("data", "verify", "toy")[0] == 0


def test_clearing_what_is_not_cached_says_so(command, tmp_path):
    status, output, _ = command("cache", "clear", "toy", "--data-root", str(tmp_path))
    assert status == 0 and output == f"nothing of toy is cached in {tmp_path}\n"


def test_what_may_not_be_published_is_told_in_a_line_and_nothing_is_published(command, monkeypatch):
    assert command(*GREY)[0] == 0
    monkeypatch.setattr("devnetlib.study.publishing.check", Mock(side_effect=ValueError("grey: no good")))
    status, output, errors = command("publish")
    assert (status, output) == (1, "") and errors.startswith("error: grey-") and errors.endswith(": grey: no good\n")
    status, output, errors = command("publish", "--dataset", "elpv")
    assert status == 1 and output.startswith("published 0 runs") and not errors


def test_more_anomalies_than_there_are_is_misuse_with_the_numbers(command):
    status, output, errors = command(*GREY, "--anomalies", "100")
    assert status == 2 and output == "" and "100 labelled anomalies" in errors and "choose 0 to 99" in errors


def test_a_run_of_every_protocol_is_stored_checked_and_read_back(command, tmp_path):
    for protocol in ("general-grouped", "open-set:hole", "budget:20", "contamination:0.2"):
        share = ["--contamination", "0.1"] if protocol.startswith("contamination") else []
        status, output, _ = command(*GREY, "--protocol", protocol, *share, "--json")
        assert status == 0 and json.loads(output)["key"].startswith(f"grey-{protocol.replace(':', '_')}-n10-")
    status, output, _ = command("verify-results", "--results", str(tmp_path / "results"))
    assert status == 0 and output.startswith("4 of 4")


def test_a_grid_in_which_only_some_cells_fail_prints_the_others_and_exits_with_1(command, monkeypatch):
    from devnetlib.study import grids

    whole = grids.execute

    def failing(run, machine):
        if run.draw == 1:
            raise MemoryError("out of memory")
        return whole(run, machine)

    monkeypatch.setattr(grids, "execute", failing)
    status, output, errors = command(*GREY, "--draw", "0-2", "--json")
    assert status == 1 and len(output.splitlines()) == 2 and "MemoryError: out of memory" in errors


def test_a_run_prints_one_json_line_for_each_with_what_a_program_needs(command):
    status, output, _ = command(*GREY, "--draw", "0-1", "--seed", "3", "--json")
    records = [json.loads(line) for line in output.splitlines()]
    assert status == 0 and [record["draw"] for record in records] == [0, 1]
    assert all(set(record) >= RECORD and record["seed"] == 3 for record in records)
    assert command(*GREY, "--draw", "0-1", "--seed", "3", "--json")[1] == output  # read back, not executed again


def test_a_run_without_json_prints_a_line_for_people(command):
    status, output, _ = command(*GREY)
    assert status == 0 and output.startswith("grey-general-n10-split0-draw0-seed0-") and "AUROC" in output


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("3", [3]),
        ("0-4", [0, 1, 2, 3, 4]),
        ("0,2,5-7", [0, 2, 5, 6, 7]),
        ("2-2", [2]),
        ("0-4,2", [0, 1, 2, 3, 4]),
        (" 1 ", [1]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_numbers_and_ranges_are_understood(text, listed):
    assert numbers(text) == listed


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "0,",
        "4-0",
        "4-0,3",
        "3,4-0",
        "-1",
        "-",
        "a",
        "1-2-3",
        "1--3",
        "0-",
        "1.5",
        "+1",
        "1e3",
        "1_000",
        "١",
        "１",
        "²",
        "0-٣",
        "4294967296",
        "4294967296,0",
    ],
)
def test_what_is_no_number_or_range_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number or a range such as 0-4"):
        numbers(text)


@pytest.mark.parametrize("words", [[], ["run"], ["run", "--dataset", "toy", "--split", "x"], ["study", "q9"], ["fly"]])
def test_a_command_that_cannot_be_parsed_exits_with_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and "error:" in capsys.readouterr().err


def test_help_imports_neither_torch_nor_pandas_and_lists_every_command():
    code = "import sys; from devnetlib.__main__ import parser; print(parser().format_help()); "
    code += "print(sorted({'torch', 'torchvision', 'sklearn', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for name in ("run", "study", "data", "table", "publish", "verify-results", "weights"):
        assert name in done.stdout
        with pytest.raises(SystemExit) as stop:
            parser().parse_args([name, "--help"])
        assert stop.value.code == 0


def test_data_sets_are_listed_and_verified(command):
    status, output, _ = command("data", "list", "--json")
    assert status == 0 and {row["name"] for row in json.loads(output)} == set(datasets())
    status, output, _ = command("data", "verify", "toy", "--json")
    assert status == 0 and json.loads(output)["faults"] == []


def test_a_toy_with_a_file_lost_fails_its_verification(command, tmp_path):
    assert command("data", "prepare", "toy", "--data-root", str(tmp_path / "own"))[0] == 0
    (lost,) = (tmp_path / "own").glob("toy-*/good/007.pgm")
    lost.unlink()
    status, _, errors = command("data", "verify", "toy", "--data-root", str(tmp_path / "own"))
    assert status == 1 and "good/007.pgm" in errors


def test_a_folder_of_your_own_below_a_data_root_is_run_studied_and_shown(command, tmp_path):
    at = ["--data-root", str(tmp_path / "own")]
    for number in range(12):
        picture(tmp_path / f"tiles/normal/{number}.png")
        picture(tmp_path / f"tiles/anomaly/{number}.png")
    assert command("data", "prepare", "my/tiles", "--from", str(tmp_path / "tiles"), *at)[0] == 0
    asked = ["--profile", "smoke", "--weights", "random", *at]
    status, output, _ = command("run", "--dataset", "my/tiles", "--method", "size", *asked)
    assert status == 0 and "AUROC 0.500" in output
    grid = ["--methods", "grey", "--splits", "0", "--draws", "0", "--workers", "1"]
    status, studied, _ = command("study", "q1", "--datasets", "my/tiles", *grid, *asked)
    assert status == 0 and "my/tiles, ten labelled anomalies, profile smoke" in studied
    status, shown, _ = command("table", "--dataset", "my/tiles", "--profile", "smoke")  # needs no data
    assert status == 0 and shown == studied


def test_a_study_below_a_data_root_shows_its_runs_beside_another_set_of_that_name(command, tmp_path, monkeypatch):
    monkeypatch.setenv("DEVNET_DATA", str(tmp_path / "data"))
    at = ["--data-root", str(tmp_path / "own")]
    for kind, number in product(("normal", "anomaly"), range(12)):
        picture(tmp_path / f"tiles/{kind}/{number}.png")
        picture(tmp_path / f"others/{kind}/{number + 1}.png")
    assert command("data", "prepare", "my/twice", "--from", str(tmp_path / "others"))[0] == 0
    assert command("data", "prepare", "my/twice", "--from", str(tmp_path / "tiles"), *at)[0] == 0
    grid = ["--methods", "grey", "--splits", "0", "--draws", "0", "--workers", "1", "--profile", "smoke"]
    status, studied, errors = command("study", "q1", "--datasets", "my/twice", *grid, "--weights", "random", *at)
    (line,) = (line for line in studied.splitlines() if line.startswith("Mean grey level"))
    assert status == 0 and "to" in line and "left out" not in errors


def test_data_without_a_name_is_misuse(command):
    status, _, errors = command("data", "verify")
    assert status == 2 and "name a data set, such as elpv" in errors


def test_stored_results_are_checked_and_a_damaged_one_is_named(command, tmp_path):
    command(*GREY, "--draw", "0-1")
    folder = tmp_path / "results"
    status, output, _ = command("verify-results", "--results", str(folder))
    assert status == 0 and output.startswith("2 of 2")
    (folder / "DIGEST").write_text("another\n")
    status, output, _ = command("verify-results", "--results", str(folder))
    assert status == 1 and "it differs from DIGEST" in output
    (folder / "DIGEST").unlink()
    damaged = sorted((folder / "smoke" / "toy").glob("*.json"))[0]
    damaged.write_bytes(damaged.read_bytes()[:50])
    status, output, _ = command("verify-results", "--results", str(folder), "--json")
    assert status == 1 and json.loads(output)["checked"] == 2 and list(json.loads(output)["faults"]) == [str(damaged)]
    assert command("verify-results", "--results", str(tmp_path / "nowhere"))[0] == 2
