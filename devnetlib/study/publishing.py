"""Publish: copy scores from yours to the published ones, whole and checked."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from devnetlib.study.digest import renew
from devnetlib.study.results import PUBLISHED, Scores, collect, read_partition, write
from devnetlib.study.verification import check, drawn_again


def publish(source: Path, target: Path = PUBLISHED, keep: Callable[[Scores], bool] = lambda scores: True) -> list[Path]:
    """Copy all scores of `source` that `keep` accepts into `target`, renew the digest there, return the paths written.

    Raises ValueError for the first one that does not pass `verification.check`, that a processor computed in half
    precision, or that was compiled: nothing is written then.
    """
    stored, draws = cache(partial(read_partition, source)), cache(drawn_again)
    chosen = [scores for scores in collect(source) if keep(scores)]
    for scores in chosen:
        if scores.origin["device"] == "cpu" and scores.origin["precision"] != "fp32":
            raise ValueError(f"{scores.run.key}: computed in half precision; execute it in fp32 to publish it")
        if "compiler" in scores.origin:
            raise ValueError(f"{scores.run.key}: computed by a compiled backbone; execute it without --compile")
        check(scores, stored(scores.run.dataset, scores.partition), draws)
    written = [write(scores, stored(scores.run.dataset, scores.partition), target) for scores in chosen]
    if written:
        renew(target)
    return written
