"""Rounding: fine-tuned runs beside the same in half precision and, as a control, with one thread."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from devnetlib.metrics import auroc
from devnetlib.report import rounding
from devnetlib.report.costs_html import TABLES
from devnetlib.report.tables import CONFIDENCE
from devnetlib.study.verification import faults

DIFFERENT = {"half_precision": {"precision": "bf16"}, "one_thread": {"threads": 1}}
COSTS = {"seconds", "peak_mb"}


@pytest.mark.parametrize("way", rounding.WAYS)
def test_every_repetition_stands_beside_the_published_run_from_which_it_differs_in_one_thing(way):
    checked, pairs = dict(faults(rounding.FOLDERS / way)), rounding.pairs(way)
    assert len(pairs) == len(checked) > 9 and not any(checked.values())
    assert len({single.run.split for single, _ in pairs}) == len(pairs)  # one pair a split
    for single, other in pairs:
        before, after = ({k: v for k, v in one.origin.items() if k not in COSTS} for one in (single, other))
        assert single.run == other.run and after == before | DIFFERENT[way] != before


@pytest.mark.parametrize("way", rounding.WAYS)
def test_neither_half_precision_nor_the_order_of_sums_is_shown_to_move_the_mean(way):
    before, after = np.array([[one.measure(auroc) for one in pair] for pair in rounding.pairs(way)]).T
    interval, lead = ttest_1samp(after - before, 0).confidence_interval(CONFIDENCE), rounding.lead(way)
    assert (lead.mean, lead.low, lead.high) == pytest.approx(((after - before).mean(), *interval))
    assert lead.low < 0 < lead.high and lead.text in TABLES["pairs"]()


@pytest.mark.parametrize("way", rounding.WAYS)
def test_sentences_say_how_large_a_loss_is_left_open_how_often_a_run_is_lower_and_how_far_apart_two_are(way):
    found = rounding.texts(way)
    differences = np.array([other.measure(auroc) - single.measure(auroc) for single, other in rounding.pairs(way)])
    assert (found["pairs"], found["lower"]) == (str(len(differences)), str((differences < 0).sum()))
    assert float(found["loss"]) == pytest.approx(-rounding.lead(way).low, abs=5e-4)
    assert float(found["far"]) == pytest.approx(max(abs(differences)), abs=5e-4)
