"""Check published results: every file whole, under its own name, with the partition that its numbers draw, and
metrics that can be computed."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from devnetlib.data.manifests import MANIFESTS, read_table, table_digest
from devnetlib.data.prepare import rows_of
from devnetlib.data.splits import Partition, draw_partition, shuffled
from devnetlib.metrics import auroc, average_precision, f1_max
from devnetlib.pixel_metrics import histograms_of
from devnetlib.study.results import AXES, DamagedScores, Scores, read, read_partition, stored_paths


def faults(root: Path) -> Iterator[tuple[Path, str | None]]:
    """Each scores file under `root` with what is wrong with it, or None."""
    partitions, draws = cache(read_partition), cache(drawn_again)  # one partition serves many runs
    for path in stored_paths(root):
        try:
            scores = read(path, root, partitions)
            check(scores, partitions(root, scores.run.dataset, scores.partition), draws)
            yield path, None
        except (DamagedScores, ValueError) as error:
            yield path, str(error)


def check(scores: Scores, stored: Partition, draws: Callable[..., tuple[str, Partition] | None]) -> None:
    """Raise DamagedScores or ValueError unless the metrics can be computed and the stored partition is the one that
    the run's numbers draw again; `draws` is `drawn_again` or what remembers it."""
    for metric in (auroc, average_precision, f1_max):
        scores.measure(metric)
    check_pixels(scores)
    if (found := draws(**{name: getattr(scores.run, name) for name in AXES})) is None:
        return
    table, drawn = found
    if scores.origin["image_table"] != table:
        raise DamagedScores(f"{scores.run.key}: made from another image table than the committed one; run it again")
    if stored.made_of.get("treatment") == "shuffled":
        drawn = shuffled(drawn)
    if drawn.digest != stored.digest:
        raise DamagedScores(f"{scores.run.key}: its partition is not the one that its numbers draw; run it again")


def drawn_again(dataset: str, reading: str, **axes: Any) -> tuple[str, Partition] | None:
    """The digest of a data set's committed table in a reading, and the partition that the other numbers draw from it;
    None where no table is committed."""
    committed = MANIFESTS / f"{dataset}.csv"
    if not committed.exists():
        return None
    table, digest = read_once(committed, dataset, reading)
    return digest, draw_partition(table, dataset=dataset, reading=reading, **axes)


@cache
def read_once(committed: Path, dataset: str, reading: str) -> tuple[pd.DataFrame, str]:
    """A committed table in a reading, and its digest: a thousand partitions are drawn from one."""
    table = rows_of(dataset, reading, read_table(committed))
    return table, table_digest(table)


def check_pixels(scores: Scores) -> None:
    """Raise DamagedScores or ValueError unless every map that a scores file holds measures of was counted over all of
    its images, and every image that was measured by itself is a test anomaly."""
    pixels, anomalous = scores.pixels or {"maps": {}, "images": []}, scores.labels == 1
    try:
        lengths = {len(one[measure]) for one in pixels["maps"].values() for measure in ("auroc", "average_precision")}
        counted = {int(h.normal.sum() + h.defect.sum()) for h in map(histograms_of, pixels["maps"].values())}
        unmarked = pixels.get("unmarked", [])
        images = anomalous.sum() + pixels.get("normals", 0) - len(unmarked)
        whole = lengths <= {len(pixels["images"])} and all(anomalous[pixels["images"] + unmarked])
        whole = whole and counted <= {images * pixels.get("edge", 0) ** 2}
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DamagedScores(
            f"{scores.run.key}: what it holds of pixels cannot be read ({error!r}); run it again"
        ) from None
    if not whole:
        raise DamagedScores(f"{scores.run.key}: its maps were not counted over its own test images; run it again")
