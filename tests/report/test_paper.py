"""The paper's printed numbers under the command line's names."""

import pytest

from devnetlib.report import paper
from devnetlib.report.paper import claim, claims, printed, printed_value


@pytest.mark.parametrize(("table", "rows"), [(1, 24), (2, 144), (3, 180), (4, 64), (5, 138)])
def test_every_printed_row_is_there(table, rows):
    assert len(printed(table)) == rows


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"dataset": "elpv", "method": "devnet"}, (0.846, 0.022)),
        ({"dataset": "elpv", "method": "flos"}, (0.818, 0.032)),
        ({"dataset": "kolektorsdd", "method": "deepsvdd"}, (0.682, 0.001)),
        ({"dataset": "mvtec", "method": "devnet"}, (0.945, 0.004)),
        ({"dataset": "mvtec/carpet", "method": "kdad"}, (0.774, 0.005)),
        ({"dataset": "elpv", "method": "kdad", "table": 3, "known": "mono"}, (0.796, 0.002)),
        ({"dataset": "elpv", "method": "devnet", "table": 3}, (0.702, None)),
        ({"dataset": "mvtec/metal_nut", "method": "minns", "table": 3}, (0.958, None)),
        ({"dataset": "mvtec", "method": "devnet", "table": 4}, (0.918, None)),
        ({"dataset": "mvtec/carpet", "method": "flos", "table": 4}, (0.979, None)),
        ({"dataset": "headct", "method": "ds", "table": 5}, (0.967, 0.015)),
        ({"dataset": "headct", "method": "ds", "table": 5, "backbone": "AlexNet"}, (0.934, 0.019)),
        ({"dataset": "headct", "method": "devnet", "table": 5}, (0.982, 0.009)),
    ],
)
def test_a_printed_value_is_found_under_our_names(arguments, expected):
    assert printed_value(**arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"dataset": "elpv", "method": "bce"},
        {"dataset": "my/tiles", "method": "devnet"},
        {"dataset": "elpv", "method": "devnet", "table": 4},
        {"dataset": "mastcam", "method": "ds", "table": 5},
        {"dataset": "elpv", "method": "deepsvdd", "table": 3, "known": "mono"},
    ],
)
def test_what_the_paper_does_not_print_is_none(arguments):
    assert printed_value(**arguments) is None


def test_devnet_has_one_number_in_tables_two_and_five():
    for dataset in paper.DATASETS:
        if dataset != "mastcam":
            assert printed_value(dataset, "devnet", 2) == printed_value(dataset, "devnet", 5)


def test_all_our_names_stand_for_names_of_the_tables():
    names = set(printed(2)["method"]) | set(printed(5)["method"])
    assert set(paper.METHODS.values()) | {paper.DEVNET_IN_TABLE_5} == names
    assert set(paper.DATASETS.values()) == set(printed(2)["dataset"])


def test_a_returned_table_can_be_changed_without_harm():
    table = printed(2)
    table["mean"] = 0.0
    assert printed_value("elpv", "devnet") == (0.846, 0.022)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: printed(6), "its tables are 1, 2, 3, 4, 5"),
        (lambda: printed_value("elpv", "devnet", table=1), "Tables 2, 3, 4, 5"),
        (lambda: printed_value("elpv", "devnet", table=3, known="amorphous"), "Mono, Poly"),
        (lambda: printed_value("elpv", "ds", table=5, backbone="VGG"), "AlexNet, ResNet-18, ResNet-50"),
        (lambda: claims("Q7"), "Q1, Q2, Q3, Q4, Q5, Q6"),
        (lambda: claim("q1-elvp-devnet"), "q1-elpv-devnet"),
    ],
)
def test_an_unknown_name_is_refused_with_the_valid_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_lookup_that_finds_no_row_is_an_error():
    with pytest.raises(ValueError, match="no row"):
        paper.Lookup(2, "ELPV", "all", "DevNett").value()


def test_outside_a_clone_the_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(paper, "PAPER", tmp_path)
    paper._csv.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"table2\.csv is missing: .*clone"):
        printed(2)


def test_two_printed_means_of_table_two_do_not_follow_from_their_rows():
    rows = printed(2).query("dataset == 'MVTec AD'")
    recomputed = rows[rows["subset"] != "all"].groupby("method")["mean"].mean()
    stated = rows[rows["subset"] == "all"].set_index("method")["mean"]
    wrong = (recomputed - stated).abs() > 0.0005
    assert set(wrong[wrong].index) == {"DSVDD", "DeepSAD"}
    assert recomputed["DSVDD"].round(3) == 0.754
