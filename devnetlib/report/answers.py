"""The answer at the head of each chapter: whose numbers it shows, and those of the published scores, each formatted
once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pandas as pd

from devnetlib.data.manifests import in_reading
from devnetlib.report.curves import FREE, changes, curves, labels_that_pay, leads_along, top_k_curve
from devnetlib.report.explanations import mean_over_runs
from devnetlib.report.judgement import judged, verdict_records
from devnetlib.report.pairs import row_differences
from devnetlib.report.paper import DATASETS, claim, printed
from devnetlib.report.selection import Cell, published, shown, weights_title
from devnetlib.report.tables import MISSING, auroc_text, printed_of, published_datasets, row_cell, summary, unmixed
from devnetlib.study.asking import settings_here
from devnetlib.study.questions import SHARES, Question, asked
from devnetlib.study.results import PUBLISHED, scores_digest

NO_NUMBER = "the paper has no number for it"


def headline(question: str, request: Any, answer: str, about: Iterable[str] = ("elpv",)) -> str:
    """The answer of a chapter in Markdown: the published one, `answer`, where it is about a data set that is asked for,
    a line for every other set, and whose runs the chapter shows; `request` is a `study.parameters.Request`."""
    mine, answered = shown(request) is not published(), set(about) & set(request.datasets)
    lines = ["As published, under `quick`: " * mine + answer] if answered else []
    lines += [standing(question, request, name) for name in request.datasets if mine or name not in answered]
    whose = f"yours, under `{request.profile}`" if mine else "published"
    note = " *What to notice*, captions and exercises are about the published runs, on ELPV unless they say so."
    begun = " The means above are of the runs that were stored when this page began; it may execute others below."
    where = ", ".join(f"`{name}`" for name in request.datasets)
    last = f"The runs shown are {whose}, on {where}." + note * (mine or not answered) + begun * mine
    return "\n\n".join([*lines, last])


def standing(question: str, request: Any, dataset: str) -> str:
    """One line: what the stored runs of DevNet come to on a data set, under the question's first setting and its last,
    and what the paper prints for it."""
    if dataset not in request.asking(question):
        return f"`{dataset}`: this question cannot be asked of it."
    of, texts = asked(question), []
    settings = settings_here(of, dataset)
    for setting in dict.fromkeys((settings[0], settings[-1])):
        runs, mixture = unmixed(shown(request), dataset, of, of.rows[0], request.profile, setting)
        paper = printed_of(of, dataset, of.rows[0], setting)
        count = f"{len(runs.runs)} run{'s' * (len(runs.runs) > 1)}"
        none = f"no mean of DevNet ({mixture})" if mixture else "no run of DevNet is stored yet"
        ours = f"DevNet {mean_of(runs, of)} ({count})" if runs.runs else none
        theirs = f"the paper {paper[0]:.3f}" if paper else NO_NUMBER
        texts.append(f"with {setting.title} {ours}, {theirs}")
    return f"`{dataset}`: {'; '.join(texts)}."


def mean_of(runs: Cell, question: Question) -> str:
    """Mean AUROC of runs as their table has it, or of their gradient maps where the question is about these."""
    return f"{mean_over_runs(runs, 'gradient'):.3f}" if question.pixels else auroc_text(asdict(summary(runs)))


def paper_table(number: int, datasets: Iterable[str]) -> pd.DataFrame:
    """Mean ± sd of every method that a table of the paper prints for these data sets, one row per set or class; a set
    of which it prints nothing is named in a line."""
    rows, lines = printed(number), {}
    places = rows[["dataset", "subset"]].apply(lambda column: column.str.casefold())
    for dataset in datasets:
        family, _, subset = in_reading(dataset)[0].partition("/")
        wanted = (subset or DATASETS.get(family, "")).casefold() if family in DATASETS else None
        found = rows[(places == wanted).any(axis=1)]
        if found.empty:
            print(f"{dataset}, Table {'I' * number}: {NO_NUMBER}")
        for row in found.itertuples():
            spread = "" if pd.isna(row.sd) else f" ± {row.sd:.3f}"
            title = row.dataset if row.subset == "all" else f"{row.dataset}, {row.subset}"
            lines.setdefault(title, {})[row.method] = f"{row.mean:.3f}{spread}"
    return pd.DataFrame.from_dict(lines, orient="index")


def not_published(datasets: Iterable[str]) -> str:
    """A sentence on those of the data sets of which no run is published; empty where there is none."""
    known = {(scores.run.dataset, scores.run.reading) for scores in published()}
    strange = ", ".join(f"`{name}`" for name in datasets if in_reading(name) not in known)
    return (
        f" Of {strange} nothing is published: the tables show yours, the verdicts are of other sets." if strange else ""
    )


def told(found: Any, name: str = "mean") -> str:
    """A number of what is published, with three decimals; a mark where nothing is, as where a fork publishes other
    cells than those that sentences quote."""
    return MISSING if found is None else f"{getattr(found, name):.3f}"


def mean_text(question: Question, dataset: str, title: str, number: int = 0) -> str:
    """Mean AUROC of a published row under one setting; a mark where nothing is published."""
    row = next(row for row in question.all_rows if row.title == title)
    found = summary(row_cell(published(), dataset, question, row, "quick", question.settings_of(dataset)[number]))
    return told(found, "auroc")


def open_set(dataset: str = "elpv") -> dict[str, str]:
    """Q2: DevNet, printed and published, and the closed form without labels, by the class that is labelled."""
    of, texts = asked("q2"), {}
    for number, setting in enumerate(of.settings_of(dataset)):
        kind, devnet = setting.protocol.partition(":")[2], of.rows[0]
        texts[f"{kind}_printed"] = f"{printed_of(of, dataset, devnet, setting)[0]:.3f}"
        texts[f"{kind}_devnet"] = mean_text(of, dataset, devnet.title, number)
        texts[f"{kind}_mahalanobis"] = mean_text(of, dataset, FREE, number)
    return texts


def ablation() -> dict[str, str]:
    """Q4: the means on ELPV, those of DevNet by the share of the patches in percent, and on how many of the published
    data sets DevNet is shown to be better than DS."""
    of = asked("q4")
    titles = {"devnet": "DevNet", "ds": "DS", "patch_ds": "Patch-DS", "rep": "Rep"}
    verdicts: dict[str, bool] = {}  # the readings of a data set count as one, and hold where all of them do
    for name in published_datasets():
        if lead := row_differences(name, "q4", "DevNet", ["DS"]):
            plain = in_reading(name)[0]
            verdicts[plain] = verdicts.get(plain, True) and lead["DS"].above
    means = {f"elpv_{name}": mean_text(of, "elpv", title) for name, title in titles.items()}
    along = {point.x: point for point in top_k_curve("elpv")}
    means |= {f"elpv_k_{share:.0%}".rstrip("%"): told(along.get(share)) for share in sorted({*SHARES, 0.1})}
    return means | {"ds_holds": str(sum(verdicts.values())), "ds_sets": str(len(verdicts))}


def budget() -> dict[str, str]:
    """Q5: DevNet on ELPV at 5 and at 40 labels, the closed form, and on which sets from how many labels on it leads."""
    found = curves("elpv", "q5")
    points, free = {point.x: point for point in found.get("DevNet", ())}, next(iter(found.get(FREE, ())), None)
    paid = {
        name: labels_that_pay(leads) for name in published_datasets() if (leads := leads_along(name, "q5", "DevNet"))
    }
    numbers = sorted(set(paid.values()), key=lambda n: (n is None, n))  # None: for no number
    words = {n: f"from {n} label{'s' * (n > 1)}" if n else "for no number of labels" for n in numbers}
    places = {n: ", ".join(name for name, number in paid.items() if number == n) for n in numbers}
    shown = "; ".join(f"{words[n]} on {places[n]}" for n in numbers)
    texts = {"elpv_5": told(points.get(5)), "elpv_40": told(points.get(40)), "elpv_free": told(free)}
    return texts | {"pays": shown or "not measured"}


def contamination() -> dict[str, str]:
    """Q6: DevNet on ELPV without and with a fifth of pollution, what is lost, and the verdicts of the claim."""
    points = {point.x: point for point in curves("elpv", "q6").get("DevNet", ())}
    lost = {title: f"{-values.mean():.3f}" for title, values in changes("elpv", "q6").items()}
    verdicts = {str(data): next(iter(results.values())).verdict for data, results in judged(claim("q6-robust-frozen"))}
    return {
        "elpv_0": told(points.get(0.0)),
        "elpv_20": told(points.get(0.2)),
        "elpv_loss": lost.get("DevNet", MISSING),
        "elpv_free_loss": lost.get(FREE, MISSING),
        "verdicts": ", ".join(f"{verdict} on {name}" for name, verdict in verdicts.items()) or "not measured",
    }


def how_made(question: str, request: Any) -> str:
    """One line on the scores behind a chapter: how many, profile, weights, device, precision, threads, versions."""
    of, profile, names = asked(question), request.profile, {in_reading(name) for name in request.datasets}
    kinds = {(row.method, tuple(sorted(row.options.items()))) for row in of.all_rows}
    settings = {(s.protocol, s.anomalies) for s in [*of.settings, *sum(of.own_settings.values(), ())]}
    runs = [
        s
        for s in shown(request)
        if s.run.profile == profile
        and (s.run.dataset, s.run.reading) in names
        and (s.run.method, tuple(sorted(s.run.options.items()))) in kinds
        and (s.run.protocol, s.run.anomalies) in settings
    ]
    if not runs:
        return f"no run of profile {profile} is stored of {', '.join(request.datasets)}"
    weights = sorted({weights_title(s.run.weights) for s in runs} - {"none"}) or ["none"]
    origins = {f"{s.origin['device']}, {s.origin['precision']}, torch {s.origin['torch']}" for s in runs}
    where = "; ".join(sorted(origins))
    seconds = sum(s.origin["seconds"] for s in runs)
    return (
        f"{len(runs)} runs, profile {profile}, weights {', '.join(weights)}; {where}; {seconds / 60:.0f} minutes in all"
    )


def verdict_counts() -> dict[str, str]:
    """How many runs are published, the digest of their scores, how many claims are judged, and how the verdicts, one
    a data set and rival, fall out."""
    records = verdict_records()
    counts = Counter(verdict["verdict"] for record in records for verdict in record["verdicts"])
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    judged_ones = sum(record["measured"] for record in records)
    return {
        "runs": f"{len(published()):,}",
        "claims": str(len(records)),
        "measured": str(judged_ones),
        "judgements": str(counts.total()),
        "verdicts": told,
        "digest": scores_digest(PUBLISHED),
    }
