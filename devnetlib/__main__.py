"""python -m devnetlib ...: parses, calls one function, prints. Exit 0 fine, 1 a check or a run failed, 2 misuse."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devnetlib.arguments import Parser, file, folder, given, names, numbers, place, positive, share, standing, whole
from devnetlib.cores import usable_cores
from devnetlib.errors import GO_ON, Misuse, in_a_line, missing_library, status_of, told_to_user, unknown

try:
    from devnetlib import embedded
    from devnetlib.data.splits import FORMS
    from devnetlib.study.questions import QUESTIONS
    from devnetlib.study.results import PUBLISHED, YOURS, DamagedScores
    from devnetlib.study.runs import DRAWS, PROFILES, SPLITS
except ModuleNotFoundError as error:
    if __name__ != "__main__" or (lacking := missing_library(error)) is None:
        raise
    print(f"error: {lacking}", file=sys.stderr)
    sys.exit(2)


def span(values: range) -> str:
    return f"{values[0]}-{values[-1]}"


def parser() -> argparse.ArgumentParser:
    """The command line; options that several commands share stand once."""
    top = Parser(prog="python -m devnetlib", description="The reference reproduction of DevNet.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    machine = Parser(add_help=False)
    machine.add_argument(
        "--weights",
        type=given,
        help="imagenet, embedded, random or a file; default: ImageNet's where at hand, else "
        "embedded in the frozen lane and random in the others",
    )
    machine.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, or one of several GPUs such as cuda:1 (default: auto)"
    )
    machine.add_argument(
        "--threads",
        type=positive,
        help="torch threads of a run (default: 1 frozen, 2 fine-tuned); they move results",
    )
    machine.add_argument(
        "--data-root",
        type=folder,
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
    machine.add_argument("--results", type=folder, default=YOURS, help="folder of your scores (default: results)")
    machine.add_argument(
        "--scheduler",
        type=given,
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
    run.add_argument("--anomalies", type=whole, default=10, help="labelled anomalies (default: 10)")
    run.add_argument(
        "--contamination",
        type=share,
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
    study.add_argument("--methods", type=names, default=(), help="only these rows, separated by commas (default: all)")
    study.add_argument("--splits", type=numbers, help=f"(default: those published, {span(SPLITS)} of most data sets)")
    study.add_argument("--draws", type=numbers, help=f"(default: {span(DRAWS)})")
    study.add_argument(
        "--workers",
        type=positive,
        default=usable_cores(),
        help="runs side by side (default: all cores that this process may use)",
    )
    study.set_defaults(function=command_study)

    data = add(
        "data",
        help="list, prepare or verify data sets",
        description="Masks: 0 is normal, one other value marks the defect; book/data.md has the whole rule.",
    )
    data.add_argument("action", choices=["list", "prepare", "verify"])
    data.add_argument("dataset", nargs="?")
    data.add_argument(
        "--from", dest="source", type=place, help="folder or archive of the release (default: DEVNET_RAW/NAME)"
    )
    data.add_argument("--link", action="store_true", help="read the files where they lie instead of copying them")
    data.add_argument("--reading", help="a reading of the card (default: the card's first)")
    data.add_argument("--data-root", type=folder, help="folder of prepared data and caches")
    data.add_argument("--json", action="store_true", help="machine-readable")
    data.set_defaults(function=command_data)

    cached = add("cache", help="list or clear what can be made again: banks, maps, saliency maps")
    cached.add_argument("action", choices=["list", "clear"])
    cached.add_argument("dataset", nargs="?", help="only this data set's")
    cached.add_argument("--data-root", type=folder, help="folder of prepared data and caches")
    cached.add_argument("--json", action="store_true", help="machine-readable")
    cached.set_defaults(function=command_cache)

    table = add("table", help="printed, published and yours side by side")
    table.add_argument("--dataset", default="elpv")
    table.add_argument("--question", default="q1", choices=list(QUESTIONS))
    table.add_argument("--profile", default="quick", help="(default: quick)")
    table.add_argument("--results", type=folder, default=YOURS, help="folder of your scores (default: results)")
    table.add_argument("--json", action="store_true", help="machine-readable")
    table.set_defaults(function=command_table)

    publish = add("publish", help="copy your scores to the published ones, checked")
    publish.add_argument("--results", type=folder, default=YOURS, help="folder of your scores (default: results)")
    publish.add_argument("--dataset", help="only this data set")
    publish.add_argument("--profile", help="only this profile")
    publish.set_defaults(function=command_publish)

    check = add("verify-results", help="recompute every published number from its raw scores")
    check.add_argument("--results", type=folder, default=PUBLISHED, help="folder to check (default: book/results)")
    check.add_argument("--json", action="store_true", help="machine-readable")
    check.set_defaults(function=command_verify)

    census = add("census", help="count copies within data sets and across their splits, and what file facts give away")
    census.add_argument("--datasets", type=names, help="separated by commas (default: all at hand that are published)")
    census.add_argument("--output", type=file, help="file to store it in; book/evidence/census.json is the book's")
    census.add_argument("--data-root", type=folder, help="folder of prepared data and caches")
    census.add_argument("--json", action="store_true", help="machine-readable")
    census.set_defaults(function=command_census)

    bench = add("bench", help="time our training and evaluation beside the loop that everyone writes")
    bench.add_argument("--quick", action="store_true", help="224 px alone: two or three minutes instead of twelve")
    bench.add_argument("--record", action="store_true", help="write the record to book/bench, for the book")
    bench.add_argument("--accuracy", action="store_true", help="also AUROC of the same weights in half precision")
    bench.add_argument("--dataset", default="elpv", help="whose images (default: elpv)")
    bench.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, or one of several GPUs such as cuda:1 (default: auto)"
    )
    bench.add_argument(
        "--precision", default="auto", help="of our loop: fp32, bf16 or auto, the faster of them here (default: auto)"
    )
    bench.add_argument("--data-root", type=folder, help="folder of prepared data and caches")
    bench.add_argument("--json", action="store_true", help="machine-readable")
    bench.set_defaults(function=command_bench)

    weights = add("weights", help="look for ImageNet weights, and download them where there are none")
    weights.add_argument("network", nargs="?", default="resnet18", help="resnet18, resnet50, alexnet or vgg16")
    weights.set_defaults(function=command_weights)

    made = add(
        "distil", help="make the embedded trunk again from ImageNet weights: up to an hour on two cores, resumable"
    )
    made.add_argument("--weights", type=given, help="imagenet or a file (default: ImageNet's where at hand)")
    made.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, or one of several GPUs such as cuda:1 (default: auto)"
    )
    made.add_argument("--data-root", type=folder, help="folder of caches, and of the state from which it goes on")
    made.add_argument(
        "--output", type=folder, default=embedded.FOLDER, help="folder of trunk and card (default: the package's)"
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
    machine = Machine(args.weights, args.device, args.threads, args.data_root, args.precision, args.compile)
    if not args.scheduler:  # whose workers have devices of their own
        machine.torch_device()
    return machine


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
        print(f"failed: {' '.join(str(failure).split())}", file=sys.stderr)
    misuse = failures and all(status_of(failure.error) == 2 for failure in failures)
    return scores, 2 if misuse and not scores else int(bool(failures))


def command_run(args: argparse.Namespace) -> int:
    from devnetlib.report.summaries import run_line
    from devnetlib.report.tables import run_record
    from devnetlib.study.planning import plan

    axes = {"reading": args.reading, "protocol": args.protocol, "anomalies": args.anomalies}
    axes |= {"contamination": args.contamination, "data_root": args.data_root, "batch": args.batch}
    axes |= {"splits": args.split, "draws": args.draw, "seeds": args.seed, "options": options_of(args.option)}
    runs = plan(args.dataset, args.method, args.profile, args.weights, **axes)

    def tell(scores: Any) -> None:
        record = run_record(scores)
        print(json.dumps(record) if args.json else run_line(record), flush=True)

    return grid(args, runs, tell)[1]


def command_study(args: argparse.Namespace) -> int:
    from devnetlib.report.explanations import explanation_text
    from devnetlib.report.selection import weights_title
    from devnetlib.report.tables import text_table
    from devnetlib.study.asking import unasked
    from devnetlib.study.planning import question_grid, short_grid
    from devnetlib.study.questions import short_questions
    from devnetlib.study.weights import find_imagenet

    for option in ("datasets", "methods"):
        if getattr(args, option) == []:
            raise Misuse(f"--{option} is empty: name at least one, or leave it out")
    machine_of(args)  # refused before anything is told
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
            refused = {name: unasked(QUESTIONS[name], of, args.data_root) for name, of in questions.items()}
            questions = {name: of for name, of in questions.items() if set(of) - refused[name].keys()}
        runs = {True: [], False: []}  # whether they are explained, too; what is, need not be executed again
        for name in questions:
            runs[QUESTIONS[name].pixels] += question_grid(name, args.profile, args.weights, **chosen)
    every = [run for part in runs.values() for run in part]
    if not every:
        raise Misuse(f"{args.question} asks nothing of {', '.join(args.methods)} on {', '.join(args.datasets)}")
    print(f"{len(every)} runs, profile {args.profile}, weights {weights_title(every[0].weights)}", file=sys.stderr)
    status = max(grid(args, part, pixels=pixels)[1] for pixels, part in runs.items() if part)
    for question, datasets in questions.items():
        tell = explanation_text if QUESTIONS[question].pixels else text_table
        refused = unasked(QUESTIONS[question], datasets, args.data_root)
        for dataset in (name for name in datasets if name not in refused):
            print(tell(dataset, question, args.profile, args.results, args.data_root))
        for reason in refused.values() if question == args.question else ():
            print(reason, file=sys.stderr)
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
    faults += differ
    report = {"name": args.dataset, "reading": prepared.reading, "counts": found, "remarks": remarks, "faults": faults}
    report["root"] = str(prepared.root)
    head = f"{args.dataset} ({prepared.reading}): {found} in {prepared.root}"
    print(json.dumps(report) if args.json else "\n".join(map(in_a_line, [head, *remarks, *faults])))
    return int(bool(faults))


def overview_line(row: dict[str, Any]) -> str:
    """One line of `data list`."""
    present = "present" if row["present"] else "missing"
    return f"{row['name']:12} {present}  {row['counts']}, expected {row['expected']}  {row['licence']}"


def command_cache(args: argparse.Namespace) -> int:
    from devnetlib.data import caches, prepare

    root = args.data_root or prepare.default_data_root()
    if args.dataset is not None:
        prepare.one_set(args.dataset, root)
    if args.action == "list":
        found = [entry for entry in caches.entries(args.data_root) if args.dataset in (None, entry.dataset)]
        print(json.dumps([entry.as_json() for entry in found]) if args.json else "\n".join(caches.lines(found)))
        return 0
    report = caches.clear(args.dataset, args.data_root)
    told = f"removed {report['files']} files, {report['bytes'] / 1e6:.1f} MB"
    if not report["files"]:
        told = f"nothing{f' of {args.dataset}' if args.dataset else ''} is cached in {root}"
    print(json.dumps(report) if args.json else told)
    return 0


def command_table(args: argparse.Namespace) -> int:
    from devnetlib.report.tables import table_records, text_table

    check_profile(args.profile)
    chosen = (args.dataset, args.question, args.profile, stored_folder(args.results))
    print(json.dumps(table_records(*chosen)) if args.json else text_table(*chosen))
    return 0


def check_profile(name: str) -> None:
    """Misuse for an unknown profile."""
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)


def stored_folder(results: Path) -> Path:
    """The folder, which must be there if it was named; Misuse where it is not."""
    if results != YOURS and not results.is_dir():
        raise Misuse(f"no results folder {results}: name one with --results, or run 'python -m devnetlib study' first")
    return results


def command_publish(args: argparse.Namespace) -> int:
    from devnetlib.data.manifests import in_reading
    from devnetlib.study.publishing import publish

    if args.dataset is not None:
        in_reading(args.dataset)
    if args.profile is not None:
        check_profile(args.profile)
    seen = []

    def keep(scores: Any) -> bool:
        seen.append(scores)
        return args.dataset in (None, scores.run.dataset) and args.profile in (None, scores.run.profile)

    written = publish(stored_folder(args.results), keep=keep)
    reason = "" if written else f": none of the {len(seen)} in {args.results} is of that data set and profile"
    print(f"published {len(written)} runs to {PUBLISHED}{reason if seen else f': {args.results} holds no scores'}")
    return int(not written)


def command_verify(args: argparse.Namespace) -> int:
    from devnetlib.study.digest import as_published, verdict
    from devnetlib.study.results import scores_digest, strangers, told_of_strangers
    from devnetlib.study.verification import Verifier, faults

    checked = list(faults(stored_folder(args.results)))
    wrong = {str(path): fault for path, fault in checked if fault}
    sound = len(checked) - len(wrong)
    summary = f"{sound} of {len(checked)} scores files are whole, rightly named, and on the partition of their run"
    digest, others = scores_digest(args.results), [path for path in strangers(args.results) if str(path) not in wrong]
    remarks = [told_of_strangers(others)] if others else []
    remarks += [
        f"{count} files of {name}: its images are not at hand, so that only the files themselves were checked"
        for name, count in Verifier(args.results).unknown_images().items()
    ]
    told = "\n".join(map(in_a_line, [*wrong.values(), *remarks, summary, verdict(args.results, digest)]))
    same = as_published(args.results, digest)
    report = {"checked": len(checked), "faults": wrong, "remarks": remarks, "digest": digest, "as_published": same}
    print(json.dumps(report) if args.json else told)
    return int(bool(wrong) or not checked or same is False)


def command_census(args: argparse.Namespace) -> int:
    from devnetlib.evidence.census_page import text_lines
    from devnetlib.evidence.near_images import check_storable, countable, take_all, write

    datasets = countable(args.data_root) if args.datasets is None else args.datasets
    if not datasets:
        raise Misuse("no data set to count: name one with --datasets, such as toy ('data list' shows them)")
    if args.output:
        check_storable(datasets, args.output)
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


def check_data_root(named: Path | None) -> None:
    """Misuse where the data root is no folder, or is not there and cannot be made. One that can only be read serves as
    long as nothing is missing."""
    from devnetlib.data.manifests import default_data_root

    root = named or default_data_root()
    stands = standing(root)
    usable = os.path.isdir(stands) and (stands == root or os.access(stands, os.W_OK))
    if not usable or root.parts[0] == "~":  # the system knows no home of this user
        found = f"data root {root}: {stands} is " + ("not writable" if os.path.isdir(stands) else "no folder")
        raise Misuse(f"{found}; name a folder that you may write to with --data-root or DEVNET_DATA")


def main(words: list[str] | None = None) -> int:
    """Run one command. Errors of the caller, the files and the machine become one line; a fault of the program is shown
    after a line that calls it one."""
    try:
        try:
            args = parser().parse_args(words)
            if "data_root" in args:
                check_data_root(args.data_root)
            return args.function(args)
        finally:
            print(end="", flush=True)  # here, where a closed pipe can still be told from a fault
    except KeyboardInterrupt:
        print(f"interrupted: {GO_ON}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would flush once more
        return 141  # as the shell has it of other programs
    except Exception as error:
        told = str(error) if isinstance(error, DamagedScores) else told_to_user(error)
        if told is None:
            print("error: this is a fault of the program; please report it with the lines below", file=sys.stderr)
            raise
        print(f"error: {' '.join(told.splitlines())}", file=sys.stderr)
        return status_of(error)


if __name__ == "__main__":
    sys.exit(main())
