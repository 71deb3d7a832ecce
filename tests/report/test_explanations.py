"""Q3's tables and curves, from scores made up for them."""

from dataclasses import replace

import numpy as np
import pytest

from devnetlib.report import explanations, judgement
from devnetlib.report.paper import claims
from devnetlib.report.selection import Cell, Stored
from devnetlib.report.sweeps import FLAGGED, mean_sweep, sweep, sweeps
from devnetlib.study.planning import plan
from devnetlib.study.results import Scores


def scores_of(run, auroc=(0.9, 0.7), pixels=True) -> Scores:
    """Ten test images, the last four anomalous and found in their order, two of them marked."""
    counts = {"edges": [0.5], "normal": [90, 10], "components": [[1, 9], [5, 5]]}
    found = {"auroc": list(auroc), "average_precision": [0.2, 0.4], **counts}
    told = {"edge": 1, "images": [9, 6], "normals": 6, "maps": {"gradient": found}}
    told["perturbed"] = {"images": [9, 6], "maps": {"gradient": {"deletion": [0.2, None], "insertion": [0.8, None]}}}
    values = tuple(float(value) for value in range(10))
    origin = {"seconds": 1.0, "pixel_seconds": 2.0, "device": "cpu", "threads": 1, "torch": "2"}
    return Scores(run, "", values, origin, told if pixels else None, labels=np.array([0] * 6 + [1] * 4))


@pytest.fixture(scope="module")
def stored() -> Stored:
    """DevNet and FLOS on the toy, two splits and two draws; FLOS's maps are worse by a tenth."""
    axes = {"splits": range(2), "draws": range(2)}
    devnet, flos = (plan("toy", method, "quick", "random", **axes) for method in ("devnet", "flos"))
    noise = {run: 0.01 * number for number, run in enumerate(devnet)}
    ours = [scores_of(run, (0.9 + noise[run], 0.7)) for run in devnet]
    return Stored([*ours, *(scores_of(run, (0.8 + n, 0.6)) for run, n in zip(flos, noise.values(), strict=True))])


def test_the_table_has_means_over_runs_and_the_printed_mean_of_other_images(stored):
    line = explanations.explanation_table(stored, "toy").loc[("DevNet", "gradient")]
    assert line["AUROC an image"] == f"{np.mean([0.8, 0.805, 0.81, 0.815]):.3f}" and line["runs"] == 4
    assert line["printed, MVTec AD"] == "0.918" and line["AP an image"] == "0.300"
    assert line["deletion"] == "0.200"  # the image that has none is left out


def test_leads_are_paired_and_have_an_interval(stored):
    (text,) = explanations.explanation_leads(stored, "toy")["AUROC an image"]
    assert text.startswith("+0.100 [")
    gone = Stored(scores for scores in stored if scores.run.method == "devnet" or scores.run.split == 0)
    assert explanations.explanation_leads(gone, "toy")["AUROC an image"].tolist() == [explanations.MISSING]


def test_a_row_of_fewer_draws_is_compared_over_the_runs_that_both_have(stored):
    runs = plan("toy", "kdad", "quick", "random", splits=range(2), options={"teacher": "resnet18"})
    more = Stored([*stored, *(scores_of(run, (0.7, 0.5)) for run in runs)])
    leads = explanations.explanation_leads(more, "toy")["AUROC an image"]
    assert leads["KDAD, ResNet-18 teacher", "gradient"] == f"{np.mean([0.8, 0.81]) - 0.6:+.3f}"


def test_a_run_that_is_not_explained_counts_as_missing(stored):
    run = stored[0].run
    cell = Cell({(0, 0): scores_of(run), (0, 1): scores_of(run, pixels=False)}, range(1), range(2))
    assert np.isnan(explanations.map_values(cell)).tolist() == [[False, True]]
    assert explanations.pixel_aurocs({"devnet": cell}) == {}
    assert len(explanations.explained(Stored(cell.runs.values()))) == 1


def test_a_set_that_nobody_explained_has_empty_tables_and_marked_numbers(tmp_path):
    assert (
        explanations.explanation_table(Stored(), "toy").empty and explanations.explanation_leads(Stored(), "toy").empty
    )
    assert sweeps(Stored(), "toy") == {} and explanations.first_runs(Stored(), ["toy"]) == {}
    assert "—" in explanations.explanation_text("toy", "q3", "quick", tmp_path)
    assert explanations.how_explained(Stored(), ["toy"], "quick") == "no run is stored"


def test_anomalous_images_that_are_left_out_are_counted_on_the_page(stored):
    first, *others = stored
    bare = Stored([replace(first, pixels=first.pixels | {"unmarked": [7, 8]}), *others])
    assert "2 anomalous test images of which nothing is marked are left out" in explanations.how_explained(
        bare, ["toy"], "quick"
    )
    assert "left out" not in explanations.how_explained(stored, ["toy"], "quick")


def test_the_sweep_takes_in_the_highest_scores_first_and_means_over_what_it_has_found(stored):
    found = sweep(scores_of(stored[0].run))
    at = {round(share, 2): place for place, share in enumerate(FLAGGED)}
    assert found.pixel_auroc[at[0.1]] == 0.9 and found.pixel_auroc[at[0.4]] == pytest.approx(0.8)
    assert (
        found.f1[at[0.1]] == pytest.approx(2 / 5) and found.f1[at[0.4]] == 1 and found.f1[-1] == pytest.approx(8 / 14)
    )


def test_a_threshold_without_a_true_positive_has_no_localisation_and_is_left_out_of_the_mean(stored):
    good = scores_of(stored[0].run)
    bad = replace(good, score=tuple(-value for value in good.score))
    assert np.isnan(sweep(bad).pixel_auroc[0]) and sweep(bad).f1[0] == 0
    both = mean_sweep([good, bad])
    assert both.pixel_auroc[0] == 0.9 and both.f1[0] == pytest.approx(sweep(good).f1[0] / 2)


def test_best_median_and_worst_are_chosen_by_the_gradient_map(stored):
    assert explanations.best_median_worst(stored[0]) == [9, 9, 6]


def test_claims_on_pixels_are_judged_by_explained_runs_and_by_no_others(monkeypatch):
    (claim,) = (one for one in claims() if one.id == "q3-kolektorsdd-flos-frozen")
    axes = {"splits": range(5), "draws": range(4)}
    for pixels in (True, False):
        runs = [run for method in claim.methods for run in plan("kolektorsdd", method, "quick", "random", **axes)]
        auroc = {"devnet": (0.9, 0.7), "flos": (0.8, 0.6)}
        made = Stored(scores_of(run, auroc[run.method], pixels) for run in runs)
        monkeypatch.setattr(judgement, "published", lambda made=made: made)
        verdicts = [result.verdict for _, results in judgement.judged(claim) for result in results.values()]
        assert len(verdicts) == int(pixels)
