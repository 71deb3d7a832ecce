"""The runs of one row: one variant, one kind of weights, one way of making them, or a line that says what is mixed."""

from dataclasses import replace

import numpy as np
import pytest

from devnetlib import embedded
from devnetlib.report.answers import headline
from devnetlib.report.curves import curves, top_k_curve
from devnetlib.report.explanations import explained_rows, explanation_leads, first_runs
from devnetlib.report.judgement import claim_cells
from devnetlib.report.numbers import yours_note
from devnetlib.report.paper import claims, rules
from devnetlib.report.selection import IMAGENET, Mixture, Stored, cell, published, weights_of
from devnetlib.report.tables import lead_differences, table, table_records, weights_line
from devnetlib.study.parameters import Request
from devnetlib.study.results import PUBLISHED, Scores, read_partition, write

TRUNK = embedded.names()["3"]


@pytest.fixture(scope="module")
def devnet() -> list[Scores]:
    """The published runs of DevNet on ELPV."""
    return list(cell(published(), "elpv", "devnet", "quick").runs.values())


def from_weights(found: list[Scores], weights: str) -> list[Scores]:
    return [replace(scores, run=replace(scores.run, weights=weights)) for scores in found]


def made_otherwise(scores: Scores, **origin) -> Scores:
    return replace(scores, origin=scores.origin | origin)


def mixed(devnet: list[Scores], **origin) -> Stored:
    """The runs, one of them made otherwise."""
    return Stored([made_otherwise(devnet[0], **origin), *devnet[1:]])


def test_a_variant_that_nobody_names_is_the_cards_first_and_never_two_at_once():
    every = cell(published(), "brainmri", "devnet", "quick").runs
    assert {scores.run.reading for scores in every.values()} == {"all"}
    named = {
        name: cell(published(), "brainmri", "devnet", "quick", reading=name) for name in ("all", "official_loader")
    }
    assert every == named["all"].runs and not np.allclose(*(runs.values() for runs in named.values()))


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"threads": 2}, "1 with threads 2; 19 with threads 1"),
        ({"device": "cuda"}, "device cuda"),
        ({"precision": "bf16"}, "precision bf16"),
        ({"compiler": "inductor"}, "1 with compiler inductor; 19 without"),
        ({"image_table": "0123456789abcdef"}, "image_table 0123456789abcdef"),
    ],
)
def test_runs_made_otherwise_are_never_averaged_with_the_rest(devnet, origin, told):
    with pytest.raises(Mixture, match=r"elpv .certain., devnet, profile quick: runs of several kinds") as refused:
        cell(mixed(devnet, **origin), "elpv", "devnet", "quick")
    assert told in str(refused.value) and "--results" in str(refused.value)
    alike = Stored(made_otherwise(scores, **origin) for scores in devnet)
    assert cell(alike, "elpv", "devnet", "quick").complete


def test_runs_of_another_batch_are_never_averaged_with_the_rest(devnet):
    first = devnet[0].run
    other = replace(devnet[0], run=replace(first, training=replace(first.training, batch=12)))
    with pytest.raises(Mixture, match="1 with batch 12; 19 with batch 48"):
        cell(Stored([other, *devnet[1:]]), "elpv", "devnet", "quick")


def test_two_runs_in_one_place_are_refused(devnet):
    with pytest.raises(Mixture, match="21 runs in 20 places"):
        cell(Stored([*devnet, devnet[0]]), "elpv", "devnet", "quick")


def test_weights_are_one_kind_for_all_rows_of_a_data_set_even_where_a_row_has_runs_of_others_alone(devnet):
    flos = list(cell(published(), "elpv", "flos", "quick").runs.values())
    heap = Stored([*devnet, *from_weights(flos, TRUNK)])
    assert weights_of(heap, "elpv", "certain", "quick") == IMAGENET
    assert not cell(heap, "elpv", "flos", "quick").runs
    assert cell(heap, "elpv", "flos", "quick", weights=TRUNK).complete
    assert not cell(heap, "elpv", "devnet", "quick", weights=TRUNK).runs  # named ones are never replaced by others
    few = Stored([*devnet[:1], *from_weights(devnet, TRUNK)])
    assert len(cell(few, "elpv", "devnet", "quick").runs) == 1


def test_several_weights_of_which_none_is_known_are_refused(devnet):
    heap = Stored([*from_weights(devnet, "0" * 16), *from_weights(devnet[:3], "random")])
    with pytest.raises(Mixture, match=r"20 from weights 0{16}, 3 from random"):
        cell(heap, "elpv", "devnet", "quick")
    assert cell(heap, "elpv", "devnet", "quick", weights="random").runs
    assert weights_of(Stored(), "elpv", "certain", "quick") == "none"


def test_a_claim_compares_runs_from_one_kind_of_weights(monkeypatch, devnet):
    (claim,) = (one for one in claims() if one.id == "q1-order-flos-frozen")
    flos = list(cell(published(), "elpv", "flos", "quick").runs.values())
    heap = Stored([*devnet, *from_weights(flos, TRUNK)])
    monkeypatch.setattr("devnetlib.report.judgement.published", lambda: heap)
    cells = claim_cells(claim, rules()[claim.rule], next(data for data in claim.datasets if data.name == "elpv"))
    assert cells["devnet"].complete and not cells["flos"].runs


def test_a_mixture_among_yours_is_told_below_the_table_and_the_other_rows_stand(devnet, tmp_path, monkeypatch):
    flos = list(cell(published(), "elpv", "flos", "quick").runs.values())
    for scores in [*mixed(devnet[:2], threads=2), *flos[:2]]:
        write(scores, read_partition(PUBLISHED, "elpv", scores.partition), tmp_path)
    records = {record["title"]: record for record in table_records("elpv", results=tmp_path)}
    assert records["DevNet"]["yours"] is None and "threads 2" in records["DevNet"]["mixture"]
    assert records["FLOS"]["yours"]["runs"] == 2 and not records["FLOS"]["mixture"]
    assert "runs of several kinds" in weights_line(list(records.values()))
    assert table("elpv", results=tmp_path).loc["DevNet", ("published", "AUROC")] != "—"
    assert lead_differences("elpv", results=tmp_path) == {}  # and no traceback
    monkeypatch.setattr("devnetlib.report.numbers.YOURS", tmp_path)
    assert "are a mixture (elpv (certain), devnet, profile quick: runs of several kinds" in yours_note()


def test_chapters_tell_a_mixture_among_yours_in_a_line_and_show_nothing_of_it(devnet, monkeypatch, capsys):
    explained = [scores for scores in published() if scores.pixels and scores.run.dataset == "toy"]
    many = Stored(made_otherwise(scores, threads=2 + scores.run.draw) for scores in [*devnet, *explained])
    monkeypatch.setattr("devnetlib.report.answers.shown", lambda request: many)
    answer = headline("q1", Request(), "").split("\n\n")[-2]
    assert "no mean of DevNet (elpv (certain), devnet, profile quick: runs of several kinds" in answer
    assert curves("elpv", "q5", stored=many) == {} and top_k_curve("elpv", stored=many) == []
    assert not any(row.method == "devnet" for row, *_ in explained_rows(many, "toy").values())
    told = capsys.readouterr().out
    assert "elpv (certain), devnet" in told and "toy (all), devnet" in told


def test_q3_takes_no_other_row_for_devnet():
    others = Stored(scores for scores in published() if scores.pixels and scores.run.method != "devnet")
    assert explanation_leads(others, "toy").empty and first_runs(others, ["toy"]) == {}
    everything = Stored(scores for scores in published() if scores.pixels)
    assert next(iter(first_runs(everything, ["toy"]))) == "DevNet"
