"""From a request in words and numbers to a list of runs: names checked, options typed, weights and schedules
resolved."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from numbers import Integral
from pathlib import Path
from typing import Any

from devnetlib import embedded
from devnetlib.data.manifests import Card, in_reading, load_card
from devnetlib.data.splits import read_protocol
from devnetlib.errors import Misuse, unknown
from devnetlib.methods import CONTROLS, METHODS
from devnetlib.methods.controls import Probe
from devnetlib.study.asking import settings_here, unasked
from devnetlib.study.execution import built_options, detector_class, initialised
from devnetlib.study.questions import SHORT, Question, Row, asked, short_questions
from devnetlib.study.runs import PROFILES, Run, Training
from devnetlib.study.weights import check_choice, in_place_of, load_weights

LARGEST = 2**31  # no option's number is as large
PROBE_SCHEDULE = {"updates": 0, "decay_at": ()}


def plan(
    dataset: str,
    method: str,
    profile: str,
    weights: str | None = None,
    *,
    reading: str | None = None,
    protocol: str = "general",
    anomalies: int = 10,
    contamination: float = 0.0,
    splits: Iterable[int] = (0,),
    draws: Iterable[int] = (0,),
    seeds: Iterable[int] = (0,),
    options: Mapping[str, Any] | None = None,
    data_root: Path | None = None,
    batch: int | None = None,
) -> list[Run]:
    """Runs of one method on one data set, splits x draws x seeds; `weights` as `load_weights` takes them, `data_root`
    is where folders of your own are prepared, `batch` takes the place of the prescribed one.

    Raises Misuse for every name and value that does not fit, with the valid ones.
    """
    for kind, name, valid in (("method", method, METHODS | CONTROLS), ("profile", profile, PROFILES)):
        if name not in valid:
            raise unknown(kind, name, valid)
    read_protocol(protocol, contamination)
    splits, draws, seeds = (seeding(*axis) for axis in (("split", splits), ("draw", draws), ("seed", seeds)))
    card = load_card(dataset, data_root)
    reading = card.reading(reading)
    check_splits(card, reading, splits)
    check_choice(weights)
    departing = departing_options(method, profile, options or {})
    common = {
        "dataset": dataset,
        "reading": reading,
        "method": method,
        "profile": profile,
        "training": with_batch(resolved_training(method, profile), batch),
        "weights": weights_name(method, profile, departing, weights),
        "options": departing,
        "protocol": protocol,
        "anomalies": anomalies,
        "contamination": float(contamination),
    }
    return [Run(**common, split=split, draw=draw, seed=seed) for split, draw, seed in product(splits, draws, seeds)]


def question_grid(
    question: str,
    profile: str,
    weights: str | None = None,
    *,
    datasets: Iterable[str] = ("elpv",),
    methods: Iterable[str] = (),
    splits: Iterable[int] | None = None,
    draws: Iterable[int] | None = None,
    data_root: Path | None = None,
) -> list[Run]:
    """All runs of a question: every row and control that is published, on every data set, under every setting, splits x
    draws, one seed; `methods` keeps only those named. Without `splits` and `draws` those that are published.

    Raises Misuse where the question can be asked of none of the data sets.
    """
    of, datasets = asked(question), list(datasets)
    rows, wanted = of.all_rows, list(methods)
    if len(refused := unasked(of, datasets, data_root)) == len(set(datasets)):
        raise Misuse("; ".join(refused.values()))
    for name in wanted:
        if name not in {row.method for row in rows}:
            raise unknown(f"method of {question}", name, {row.method for row in rows})
    chosen = [row for row in rows if (row.method in wanted if wanted else not row.missing)]
    runs = row_runs(of, chosen, profile, weights, datasets, splits, draws, data_root)
    settings = [setting for name in datasets for setting in of.settings_of(name)]
    check_idle([row for row in chosen if wanted and any(row in of.rows_at(setting) for setting in settings)], runs)
    return runs


def check_idle(rows: Iterable[Row], runs: Iterable[Run]) -> None:
    """Misuse for the first row that was named and has no run, for it is published on other splits or draws."""
    busy = {run.method for run in runs}
    for row in rows:
        if row.method not in busy:
            axes = {"splits": row.splits, "draws": row.draws}
            places = " and ".join(f"{axis} {', '.join(map(str, found))}" for axis, found in axes.items() if found)
            raise Misuse(f"{row.method} is run on {places} alone: ask for some of them, or leave it out")


def short_grid(
    profile: str,
    weights: str | None = None,
    *,
    datasets: Iterable[str] = ("elpv",),
    splits: Iterable[int] | None = None,
    draws: Iterable[int] | None = None,
    data_root: Path | None = None,
) -> dict[bool, list[Run]]:
    """The shares of `SHORT`, each run once, by whether it is explained, too; `splits` and `draws` take the place of a
    share's."""
    found, asking = {True: [], False: []}, short_questions(datasets)
    for share in SHORT:
        of = asked(share.question)
        rows = [next(row for row in of.all_rows if row.method == method) for method in share.methods]
        axes = (share.splits if splits is None else splits, share.draws if draws is None else draws)
        found[of.pixels] += row_runs(of, rows, profile, weights, asking[share.question], *axes, data_root)
    return {pixels: list(dict.fromkeys(runs)) for pixels, runs in found.items()}


def row_runs(
    of: Question,
    rows: Iterable[Row],
    profile: str,
    weights: str | None,
    datasets: Iterable[str],
    splits: Iterable[int] | None,
    draws: Iterable[int] | None,
    data_root: Path | None,
) -> list[Run]:
    """The runs of rows of a question on those data sets of which it can be asked, under every setting that it has
    there."""
    datasets = list(datasets)
    refused = unasked(of, datasets, data_root)
    settings = {name: settings_here(of, name, data_root) for name in datasets if name not in refused}
    return [
        run
        for name, row in product(settings, rows)
        for dataset, reading in [in_reading(name)]
        for setting in settings[name]
        if row in of.rows_at(setting)
        for run in plan(
            dataset,
            row.method,
            profile,
            weights,
            reading=reading,
            options=row.options,
            protocol=setting.protocol,
            anomalies=setting.anomalies,
            contamination=setting.contamination,
            splits=own(splits, usual_splits(of, load_card(dataset, data_root), reading), row.splits),
            draws=own(draws, of.draws, row.draws),
            data_root=data_root,
        )
    ]


def seeding(axis: str, values: Iterable[int]) -> list[int]:
    """The numbers of an axis, which seed generators; Misuse for what NumPy takes as no seed."""
    listed = list(values)
    for value in listed:
        if not isinstance(value, Integral) or not 0 <= value < 2**32:
            raise Misuse(f"{axis} {value}: expected a whole number from 0 to {2**32 - 1}")
    return [int(value) for value in listed]


DIVIDED = {"release": "the release divides {name} itself", "fixed": "the reading {reading} divides {name} itself"}


def usual_splits(question: Question, card: Card, reading: str) -> range:
    """The splits of a published cell: split 0 alone where the data set comes divided."""
    return range(1) if card.division(reading) in DIVIDED else question.splits_of(card.name, reading)


def check_splits(card: Card, reading: str, splits: list[int]) -> None:
    """Misuse for another split than 0 of a data set that comes divided."""
    division = card.division(reading)
    if division in DIVIDED and set(splits) - {0}:
        told = DIVIDED[division].format(name=card.name, reading=reading)
        raise Misuse(f"split {max(splits)}: {told}; choose split 0, the only one")


def own(asked: Iterable[int] | None, usual: Iterable[int], of_row: tuple[int, ...]) -> list[int]:
    """The numbers asked for, or the usual ones; where a row publishes fewer, only those of the usual ones that it
    publishes."""
    chosen = usual if asked is None else asked
    return [number for number in chosen if number in (of_row or usual) or number not in usual]


def resolved_training(method: str, profile: str) -> Training:
    """The profile's training with what the method's authors, or the control's meaning, prescribe."""
    control = CONTROLS.get(method)
    if isinstance(control, Probe) or getattr(control, "untrained", False):
        return replace(PROFILES[profile].training, **PROBE_SCHEDULE)
    schedule = detector_class(method).schedule
    return replace(PROFILES[profile].training, **schedule.get("", {}) | schedule.get(profile, {}))


def with_batch(training: Training, batch: int | None) -> Training:
    """The training with another number of images an update; Misuse for fewer than one of either half."""
    if batch is not None and batch < 2:
        raise Misuse(f"--batch {batch}: expected at least 2, a normal image and a labelled one")
    return replace(training, batch=batch or training.batch)


def departing_options(method: str, profile: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from what the profile gives, each of its default's type; Misuse for the others."""
    defaults = {} if isinstance(CONTROLS.get(method), Probe) else detector_class(method).options()
    for name in options:
        if name not in defaults:
            raise (
                unknown(f"option of {method}", name, defaults)
                if defaults
                else Misuse(f"{method} has no options; found {name!r}")
            )
    implied = defaults | {k: v for k, v in PROFILES[profile].options.items() if k in defaults}
    typed = {name: typed_option(name, value, defaults[name]) for name, value in options.items()}
    return {name: value for name, value in sorted(typed.items()) if value != implied[name]}


def typed_option(name: str, value: Any, default: Any) -> Any:
    """An option's value, also when it comes as text, in the type of its default."""
    kind = type(default)
    words = {"true": True, "false": False} if kind is bool else {}
    try:
        if isinstance(value, str):
            check_plain(value, kind)
        return words[value.lower()] if words and isinstance(value, str) else kind(value)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise Misuse(f"option {name}={value}: expected {kind.__name__}, as in {name}={default}") from None


def check_plain(text: str, kind: type) -> None:
    """ValueError for digits of other scripts, and for a number that Python reads and no option takes."""
    number = kind in (int, float)
    if not text.isascii() or (number and ("_" in text or not abs(float(text)) < LARGEST)):
        raise ValueError(text)


def with_weights_at_hand(run: Run) -> Run:
    """The run, or where its weights can neither be loaded nor made here the same with those that its lane starts from
    here: another run, with other scores."""
    if run.weights in {"none", "random", *embedded.names().values()}:
        return run
    return replace(run, weights=weights_name(run.method, run.profile, run.options, None))


def weights_name(method: str, profile: str, options: Mapping[str, Any], weights: str | None) -> str:
    """What a run says of its weights: the name of the tensors it uses, `none` without a pretrained network.

    Raises Misuse where the method cannot be built with these options: each knows its own ranges.
    """
    if isinstance(CONTROLS.get(method), Probe):
        return "none"
    try:
        built = detector_class(method), tuple(built_options(method, profile, options).items())
        backbone = initialised(*built, 0).backbone
    except (ValueError, TypeError, MemoryError, RuntimeError) as error:  # of torch's, too
        raise Misuse(f"{method}: {str(error).splitlines()[0]}") from None
    if backbone is None:
        return "none"
    frozen = resolved_training(method, profile).trains != "all"
    chosen = load_weights(weights, backbone.architecture, frozen)
    return chosen.name(in_place_of(backbone, chosen))
