"""python -m devnetlib ...: parses, calls one function, prints. Exit 0 fine, 1 a check or a run failed, 2 misuse."""

import argparse
import json
import os
import sys
from concurrent.futures import BrokenExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devnetlib import embedded
from devnetlib.data.splits import FORMS
from devnetlib.errors import Incomplete, Misuse, Unwritable, unknown
from devnetlib.study.questions import QUESTIONS
from devnetlib.study.results import PUBLISHED, YOURS, DamagedScores
from devnetlib.study.runs import DRAWS, PROFILES, SPLITS


def numbers(text: str) -> list[int]:
    """'3', '0-4' or '0,2,5-7' as a list of numbers >= 0."""
    try:
        ranges = [part.split("-") if "-" in part else (part, part) for part in text.split(",")]
        listed = [number for first, last in ranges for number in range(int(first), int(last) + 1)]
    except ValueError:
        listed = []
    if not listed or listed[-1] >= 2**32:  # what NumPy takes as a seed
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number or a range such as 0-4")
    return listed


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)


def names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def span(values: range) -> str:
    return f"{values[0]}-{values[-1]}"


def parser() -> argparse.ArgumentParser:
    """The command line; options that several commands share stand once."""
    top = argparse.ArgumentParser(prog="python -m devnetlib", description="The reference reproduction of DevNet.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument(
        "--weights",
        help="imagenet, embedded, random or a file; default: ImageNet's where at hand, else "
        "embedded in the frozen lane and random in the others",
    )
    machine.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    machine.add_argument(
        "--threads",
        type=positive,
        help="torch threads of a run (default: 1 frozen, 2 fine-tuned); they move results",
    )
    machine.add_argument(
        "--data-root",
        type=Path,
        help="folder of prepared data and caches (default: DEVNET_DATA, else the platform's cache folder)",
    )
    machine.add_argument(
        "--precision",
        default="fp32",
        help="fp32, bf16, or auto: the faster, by a timed probe; the latter two for fine-tuning (default: fp32)",
    )
    machine.add_argument(
        "--compile",
        metavar="COMPILER",
        help="inductor or, on a GPU, cudagraphs: compile the backbone for fine-tuning (default: neither)",
    )
    machine.add_argument("--results", type=Path, default=YOURS, help="folder of your scores (default: results)")
    machine.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler whose workers execute the runs, such as tcp://host:8786, or local for --workers of them",
    )
    add = commands.add_parser

    run = add("run", parents=[machine], help="execute runs of one method: splits x draws x seeds")
    run.add_argument("--dataset", required=True, help="a card of data_manifests, such as elpv or toy")
    run.add_argument("--reading", help="a reading of its card (default: the card's first)")
    run.add_argument("--method", default="devnet", help="a method or a control (default: devnet)")
    run.add_argument("--profile", default="quick", help=f"{', '.join(PROFILES)} (default: quick)")
    run.add_argument("--protocol", default="general", help=f"{', '.join(FORMS)} (default: general)")
    run.add_argument("--anomalies", type=int, default=10, help="labelled anomalies (default: 10)")
    run.add_argument(
        "--contamination",
        type=float,
        default=0.0,
        help="share of anomalies among the images trained as normal, up to the protocol's (default: 0)",
    )
    for axis, what in (
        ("split", "which normals train"),
        ("draw", "which anomalies are labelled"),
        ("seed", "initialisation and batches"),
    ):
        run.add_argument(
            f"--{axis}", type=numbers, default=[0], help=f"{what}: a number or a range such as 0-4 (default: 0)"
        )
    run.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the method, such as signed=true; may be repeated",
    )
    run.add_argument("--batch", type=positive, help="images an update (default: the profile's); moves results")
    run.add_argument("--json", action="store_true", help="one JSON line a run")
    run.add_argument("--workers", type=positive, default=1, help="runs side by side (default: 1)")
    run.set_defaults(function=command_run)

    study = add("study", parents=[machine], help="execute the whole grid of a question")
    study.add_argument("question", nargs="?", default="q1", choices=[*QUESTIONS, "all"], help="(default: q1)")
    study.add_argument("--short", action="store_true", help="all questions on few runs, as make study asks them")
    study.add_argument("--profile", default="quick", help=f"{', '.join(PROFILES)} (default: quick)")
    study.add_argument(
        "--datasets", type=names, default=["elpv"], help="NAME or NAME:READING, by commas (default: elpv)"
    )
    study.add_argument("--methods", type=names, default=[], help="only these rows, separated by commas (default: all)")
    study.add_argument("--splits", type=numbers, help=f"(default: those published, {span(SPLITS)} of most data sets)")
    study.add_argument("--draws", type=numbers, help=f"(default: {span(DRAWS)})")
    study.add_argument(
        "--workers", type=positive, default=os.cpu_count() or 1, help="runs side by side (default: all cores)"
    )
    study.set_defaults(function=command_study)

    data = add("data", help="list, prepare or verify data sets")
    data.add_argument("action", choices=["list", "prepare", "verify"])
    data.add_argument("dataset", nargs="?")
    data.add_argument(
        "--from", dest="source", type=Path, help="folder or archive of the release (default: DEVNET_RAW/NAME)"
    )
    data.add_argument("--link", action="store_true", help="read the files where they lie instead of copying them")
    data.add_argument("--reading", help="a reading of the card (default: the card's first)")
    data.add_argument("--data-root", type=Path, help="folder of prepared data and caches")
    data.add_argument("--json", action="store_true", help="machine-readable")
    data.set_defaults(function=command_data)

    cached = add("cache", help="list or clear what can be made again: banks, maps, saliency maps")
    cached.add_argument("action", choices=["list", "clear"])
    cached.add_argument("dataset", nargs="?", help="only this data set's")
    cached.add_argument("--data-root", type=Path, help="folder of prepared data and caches")
    cached.add_argument("--json", action="store_true", help="machine-readable")
    cached.set_defaults(function=command_cache)

    table = add("table", help="printed, published and yours side by side")
    table.add_argument("--dataset", default="elpv")
    table.add_argument("--question", default="q1", choices=list(QUESTIONS))
    table.add_argument("--profile", default="quick", help="(default: quick)")
    table.add_argument("--results", type=Path, default=YOURS, help="folder of your scores (default: results)")
    table.add_argument("--json", action="store_true", help="machine-readable")
    table.set_defaults(function=command_table)

    publish = add("publish", help="copy your scores to the published ones, checked")
    publish.add_argument("--results", type=Path, default=YOURS, help="folder of your scores (default: results)")
    publish.add_argument("--dataset", help="only this data set")
    publish.add_argument("--profile", help="only this profile")
    publish.set_defaults(function=command_publish)

    check = add("verify-results", help="recompute every published number from its raw scores")
    check.add_argument("--results", type=Path, default=PUBLISHED, help="folder to check (default: book/results)")
    check.add_argument("--json", action="store_true", help="machine-readable")
    check.set_defaults(function=command_verify)

    census = add("census", help="count copies within data sets and across their splits, and what file facts give away")
    census.add_argument("--datasets", type=names, help="separated by commas (default: all at hand that are published)")
    census.add_argument("--output", type=Path, help="file to store it in; book/evidence/census.json is the book's")
    census.add_argument("--data-root", type=Path, help="folder of prepared data and caches")
    census.add_argument("--json", action="store_true", help="machine-readable")
    census.set_defaults(function=command_census)

    bench = add("bench", help="time our training and evaluation beside the loop that everyone writes")
    bench.add_argument("--quick", action="store_true", help="224 px alone: two or three minutes instead of twelve")
    bench.add_argument("--record", action="store_true", help="write the record to book/bench, for the book")
    bench.add_argument("--accuracy", action="store_true", help="also AUROC of the same weights in half precision")
    bench.add_argument("--dataset", default="elpv", help="whose images (default: elpv)")
    bench.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    bench.add_argument(
        "--precision", default="auto", help="of our loop: fp32, bf16 or auto, the faster of them here (default: auto)"
    )
    bench.add_argument("--data-root", type=Path, help="folder of prepared data and caches")
    bench.add_argument("--json", action="store_true", help="machine-readable")
    bench.set_defaults(function=command_bench)

    weights = add("weights", help="look for ImageNet weights, and download them where there are none")
    weights.add_argument("network", nargs="?", default="resnet18", help="resnet18, resnet50, alexnet or vgg16")
    weights.set_defaults(function=command_weights)

    made = add(
        "distil", help="make the embedded trunk again from ImageNet weights: up to an hour on two cores, resumable"
    )
    made.add_argument("--weights", help="imagenet or a file (default: ImageNet's where at hand)")
    made.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    made.add_argument("--data-root", type=Path, help="folder of caches, and of the state from which it goes on")
    made.add_argument(
        "--output", type=Path, default=embedded.FOLDER, help="folder of trunk and card (default: the package's)"
    )
    made.add_argument("--json", action="store_true", help="the whole card")
    made.set_defaults(function=command_distil)
    return top


def options_of(pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE pairs as a dictionary."""
    for pair in pairs:
        if "=" not in pair:
            raise Misuse(f"--option {pair}: expected NAME=VALUE, such as signed=true")
    return dict(pair.split("=", 1) for pair in pairs)


def machine_of(args: argparse.Namespace) -> Any:
    from devnetlib.study.compiling import check_compiler
    from devnetlib.study.execution import Machine
    from devnetlib.study.precision import check_precision

    check_precision(args.precision, args.profile)
    check_compiler(args.compile, args.profile)
    return Machine(args.weights, args.device, args.threads, args.data_root, args.precision, args.compile)


def grid(
    args: argparse.Namespace, runs: list[Any], on_done: Any = lambda scores: None, pixels: bool = False
) -> tuple[list[Any], int]:
    """Execute runs as the options say, with `pixels` explained, too; the scores, and the exit status after the failures
    have been told."""
    from devnetlib.study.grids import execute_all
    from devnetlib.study.workers import engine

    machine = machine_of(args)
    with engine(args.scheduler, args.workers, runs, args.results, machine, pixels) as executor:
        scores, failures = execute_all(runs, args.results, machine, executor, on_done, pixels)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    misuse = failures and all(isinstance(failure.error, Misuse) for failure in failures)
    return scores, 2 if misuse and not scores else int(bool(failures))


def command_run(args: argparse.Namespace) -> int:
    from devnetlib.report.tables import run_record
    from devnetlib.study.planning import plan

    axes = {"reading": args.reading, "protocol": args.protocol, "anomalies": args.anomalies}
    axes |= {"contamination": args.contamination, "data_root": args.data_root, "batch": args.batch}
    axes |= {"splits": args.split, "draws": args.draw, "seeds": args.seed, "options": options_of(args.option)}
    runs = plan(args.dataset, args.method, args.profile, args.weights, **axes)

    def tell(scores: Any) -> None:
        record = run_record(scores)
        print(
            json.dumps(record)
            if args.json
            else "{key}: AUROC {auroc:.3f}, average precision {average_precision:.3f}".format(**record),
            flush=True,
        )

    return grid(args, runs, tell)[1]


def command_study(args: argparse.Namespace) -> int:
    from devnetlib.report.explanations import explanation_text
    from devnetlib.report.tables import text_table, weights_title
    from devnetlib.study.planning import question_grid, short_grid
    from devnetlib.study.questions import short_questions
    from devnetlib.study.weights import find_imagenet

    if not args.datasets:
        raise Misuse("--datasets is empty: name at least one, such as elpv")
    if args.weights is None and find_imagenet() is None:
        frozen = args.profile in PROFILES and PROFILES[args.profile].training.trains == "head"
        instead = "the embedded trunk stands in" if frozen else "starting from random ones"
        print(f"no ImageNet weights at hand: {instead} ('make weights' looks for them again)", file=sys.stderr)
    chosen = {"datasets": args.datasets, "methods": args.methods, "splits": args.splits, "draws": args.draws}
    chosen |= {"data_root": args.data_root}
    if args.short:
        if chosen.pop("methods"):
            raise Misuse("--short chooses the methods itself; leave out --methods, or --short")
        runs, questions = short_grid(args.profile, args.weights, **chosen), short_questions(args.datasets)
    else:
        questions = {name: args.datasets for name in (QUESTIONS if args.question == "all" else [args.question])}
        if len(questions) > 1:
            questions = {name: of for name, of in questions.items() if any(map(QUESTIONS[name].settings_of, of))}
        runs = {True: [], False: []}  # whether they are explained, too; what is, need not be executed again
        for name in questions:
            runs[QUESTIONS[name].pixels] += question_grid(name, args.profile, args.weights, **chosen)
    every = [run for part in runs.values() for run in part]
    print(f"{len(every)} runs, profile {args.profile}, weights {weights_title(every[0].weights)}", file=sys.stderr)
    status = max(grid(args, part, pixels=pixels)[1] for pixels, part in runs.items() if part)
    for question, datasets in questions.items():
        tell = explanation_text if QUESTIONS[question].pixels else text_table
        for dataset in filter(QUESTIONS[question].settings_of, datasets):
            print(tell(dataset, question, args.profile, args.results))
    return status


def command_data(args: argparse.Namespace) -> int:
    from devnetlib.data import intake, prepare

    if args.action == "list":
        rows = prepare.overview(args.data_root)
        print(json.dumps(rows) if args.json else "\n".join(map(overview_line, rows)))
        return 0
    if args.dataset is None:
        raise Misuse(f"data {args.action}: name a data set, such as elpv ('data list' shows them)")
    root = args.data_root or prepare.default_data_root()
    remarks = intake.get(args.dataset, args.source, args.link, root) if args.action == "prepare" else []
    prepared = prepare.prepare(args.dataset, args.reading, root)
    expected, found = prepared.card.facts["counts"][prepared.reading], prepare.counts(prepared.table)
    faults = prepare.verify(prepared) if args.action == "verify" else []
    differ = [f"{name} {found[name]}, the card has {expected[name]}" for name in found if found[name] != expected[name]]
    (faults if args.action == "prepare" else remarks).extend(differ)
    report = {"name": args.dataset, "reading": prepared.reading, "counts": found, "remarks": remarks, "faults": faults}
    report["root"] = str(prepared.root)
    head = f"{args.dataset} ({prepared.reading}): {found} in {prepared.root}"
    print(json.dumps(report) if args.json else "\n".join([head, *remarks, *faults]))
    return int(bool(faults))


def overview_line(row: dict[str, Any]) -> str:
    """One line of `data list`."""
    present = "present" if row["present"] else "missing"
    return f"{row['name']:12} {present}  {row['counts']}, expected {row['expected']}  {row['licence']}"


def command_cache(args: argparse.Namespace) -> int:
    from devnetlib.data import caches

    if args.action == "list":
        found = [entry for entry in caches.entries(args.data_root) if args.dataset in (None, entry.dataset)]
        print(json.dumps([entry.as_json() for entry in found]) if args.json else "\n".join(caches.lines(found)))
        return 0
    report = caches.clear(args.dataset, args.data_root)
    print(json.dumps(report) if args.json else f"removed {report['files']} files, {report['bytes'] / 1e6:.1f} MB")
    return 0


def command_table(args: argparse.Namespace) -> int:
    from devnetlib.report.tables import table_records, text_table

    chosen = (args.dataset, args.question, args.profile, args.results)
    print(json.dumps(table_records(*chosen)) if args.json else text_table(*chosen))
    return 0


def command_publish(args: argparse.Namespace) -> int:
    from devnetlib.study.publishing import publish

    def keep(scores: Any) -> bool:
        return args.dataset in (None, scores.run.dataset) and args.profile in (None, scores.run.profile)

    written = publish(args.results, keep=keep)
    print(f"published {len(written)} runs to {PUBLISHED}")
    return int(not written)


def command_verify(args: argparse.Namespace) -> int:
    from devnetlib.study.digest import as_published, verdict
    from devnetlib.study.results import scores_digest
    from devnetlib.study.verification import faults

    if not args.results.is_dir():
        raise Misuse(
            f"no results folder {args.results}: name one with --results, or run 'python -m devnetlib study' first"
        )
    checked = list(faults(args.results))
    wrong = {str(path): fault for path, fault in checked if fault}
    sound = len(checked) - len(wrong)
    summary = f"{sound} of {len(checked)} scores files are whole, rightly named, and on the partition of their run"
    digest = scores_digest(args.results)
    told = "\n".join([*wrong.values(), summary, verdict(args.results, digest)])
    same = as_published(args.results, digest)
    document = {"checked": len(checked), "faults": wrong, "digest": digest, "as_published": same}
    print(json.dumps(document) if args.json else told)
    return int(bool(wrong) or not checked or same is False)


def command_census(args: argparse.Namespace) -> int:
    from devnetlib.evidence.census_page import text_lines
    from devnetlib.evidence.near_images import countable, take_all, write

    datasets = countable(args.data_root) if args.datasets is None else args.datasets
    if not datasets:
        raise Misuse("--datasets is empty: name at least one, such as elpv")
    found = []
    for census, leaks in take_all(datasets, args.data_root):
        found.append(census)
        told = {"dataset": census.dataset, "reading": census.reading} | asdict(leaks) | {"probes": census.probes}
        print(json.dumps(told) if args.json else "\n".join(text_lines(census, leaks)), flush=True)
    if args.output:
        write(found, args.output)
    return 0


def command_bench(args: argparse.Namespace) -> int:
    from devnetlib.study import bench, bench_records

    record = bench.bench(bench.case_of(args), bench.effort_of(args))
    print(json.dumps(bench_records.rounded(record)) if args.json else bench_records.told(record))
    if args.record:
        print(f"recorded in {bench_records.keep(record)}", file=sys.stderr)
    return 0


def command_weights(args: argparse.Namespace) -> int:
    from devnetlib.study.imagenet import ARCHITECTURES, fetch_imagenet

    if args.network not in ARCHITECTURES:
        raise unknown("network", args.network, ARCHITECTURES)
    print(fetch_imagenet(args.network))
    return 0


def command_distil(args: argparse.Namespace) -> int:
    from devnetlib.data.manifests import default_data_root
    from devnetlib.study.embedding import make_trunk, summary
    from devnetlib.study.execution import Machine

    device = Machine(device=args.device).torch_device()
    told = make_trunk(args.weights, args.data_root or default_data_root(), args.output, device)
    print(json.dumps(told) if args.json else summary(told))
    return 0


def main(words: list[str] | None = None) -> int:
    """Run one command; errors of the caller become one line."""
    args = parser().parse_args(words)
    try:
        return args.function(args)
    except (Misuse, DamagedScores, Incomplete, Unwritable, BrokenExecutor) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, Misuse) else 1
    except KeyboardInterrupt:
        print("interrupted: finished runs are stored, the same command goes on with the rest", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
