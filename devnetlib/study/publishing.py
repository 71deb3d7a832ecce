"""Publish: copy scores from yours to the published ones, whole and checked."""

from collections.abc import Callable
from pathlib import Path

from devnetlib.study.digest import renew
from devnetlib.study.mixtures import Mixture, refuse_mixtures
from devnetlib.study.results import (
    PUBLISHED,
    DamagedScores,
    Scores,
    collect,
    read_all,
    scores_path,
    stored_paths,
    write,
)
from devnetlib.study.verification import Verifier


def publish(source: Path, target: Path = PUBLISHED, keep: Callable[[Scores], bool] = lambda scores: True) -> list[Path]:
    """Copy all scores of `source` that `keep` accepts into `target`, renew the digest there, return the paths written.

    Raises DamagedScores for the first one that does not pass `Verifier.check`, whose images are not known here, that a
    processor computed in half precision, or that was compiled, and for a row whose runs would then be a mixture:
    nothing is written then. Each file is written whole or not at all; where the disk fails midway (Unwritable), those
    before it are there, and the same call goes on.
    """
    verifier = Verifier(source)
    chosen = [scores for scores in collect(source) if keep(scores)]
    for scores in chosen:
        try:
            check(scores, verifier)
        except DamagedScores:
            raise
        except ValueError as error:
            raise DamagedScores(f"{scores.run.key}: {error}") from None
    try:
        refuse_mixtures([*chosen, *beside(chosen, target)])
    except Mixture as error:
        raise DamagedScores(f"not to be published together: {error}") from None
    written = [write(scores, verifier.partition(scores.run.dataset, scores.partition), target) for scores in chosen]
    if written:
        renew(target)
    return written


def beside(chosen: list[Scores], target: Path) -> list[Scores]:
    """The scores of the same data sets and profiles that `target` keeps when it takes in the chosen ones."""
    places = {scores_path(target, scores.run) for scores in chosen}
    folders = {place.parent for place in places}
    return read_all(target, (path for path in stored_paths(target) if path.parent in folders and path not in places))


def check(scores: Scores, verifier: Verifier) -> None:
    """ValueError for scores that are not to be published."""
    verifier.check(scores)
    run = scores.run
    if verifier.images(run.dataset, run.reading) is None:
        raise DamagedScores(f"{run.key}: no image table of {run.dataset} is known here to hold it against; prepare it")
    if scores.origin["device"] == "cpu" and scores.origin["precision"] != "fp32":
        raise DamagedScores(f"{run.key}: computed in half precision; execute it in fp32 to publish it")
    if "compiler" in scores.origin:
        raise DamagedScores(f"{run.key}: computed by a compiled backbone; execute it without --compile")
