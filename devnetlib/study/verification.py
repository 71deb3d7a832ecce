"""Check stored results: every file whole, under its own name, of the images that are known by their table, on the
partition that its run draws from it, and with metrics that can be computed. Nothing that is checked is asked how."""

import re
from collections.abc import Iterator
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from devnetlib.data.prepare import known
from devnetlib.data.splits import Partition, draw_partition, shuffled
from devnetlib.errors import Misuse, unknown
from devnetlib.metrics import auroc, average_precision, f1_max
from devnetlib.pixel_metrics import histograms_of
from devnetlib.study.questions import QUESTIONS
from devnetlib.study.results import (
    AXES,
    KEY,
    SHUFFLED,
    UNREADABLE,
    DamagedScores,
    Scores,
    read,
    read_partition,
    stored_paths,
    strangers,
)
from devnetlib.study.runs import PROFILES, REVISION, Run

METHODS = {row.method for question in QUESTIONS.values() for row in question.all_rows}
COMPUTED = {"precision": ("fp32", "bf16"), "device": ("cpu", "cuda", "mps", "xpu")}
WITHOUT_WEIGHTS = {"grey", "size", "order", "deepsvdd"}  # tables count runs without any beside those from any
WEIGHTS = re.compile(r"none|random|[0-9a-f]{16}")


class Verifier:
    """Checks the scores under one results folder; what many of them share is read and drawn once. `data_root` is where
    folders of your own are prepared."""

    def __init__(self, root: Path, data_root: Path | None = None):
        self.root = root
        self.partition = cache(partial(read_partition, root))
        self.images = cache(partial(known, data_root=data_root))
        self.drawn = cache(self._drawn)

    def fault(self, path: Path) -> str | None:
        """What is wrong with a scores file, in one line that names it; None where nothing is."""
        try:
            self.check(read(path, self.root, lambda _, *names: self.partition(*names)))
        except UNREADABLE as error:
            told = str(error) if isinstance(error, ValueError) else repr(error)
            return told if str(path) in told else f"{path}: {told}"
        return None

    def check(self, scores: Scores) -> None:
        """Raise ValueError unless the run is one that this code asks for, the metrics can be computed, and images and
        partition are those of the run; where its images are not known here, only the former."""
        run = scores.run
        check_run(run)
        for metric in (auroc, average_precision, f1_max):
            scores.measure(metric)
        check_pixels(scores)
        for name, valid in COMPUTED.items():
            if scores.origin[name] not in valid:
                raise DamagedScores(f"{run.key}: {name} {scores.origin[name]!r}, expected {' or '.join(valid)}")
        if (images := self.images(run.dataset, run.reading)) is None:
            return
        of_them = scores.of_images(images.digest, images.mask_digest)
        if of_them is None:
            raise DamagedScores(f"{run.key}: made from another image table than the one known here; run it again")
        if of_them.pixels is None and scores.pixels is not None:
            raise DamagedScores(f"{run.key}: its maps were measured on other masks than those here; run it again")
        drawn = self.drawn(run.method in SHUFFLED, **{name: getattr(run, name) for name in AXES})
        if drawn.digest != scores.partition:
            raise DamagedScores(f"{run.key}: its partition is not the one that its numbers draw; run it again")

    def _drawn(self, with_shuffled_labels: bool, dataset: str, reading: str, **axes: Any) -> Partition:
        """The partition that the numbers of a run draw from the images known here."""
        drawn = draw_partition(self.images(dataset, reading).table, dataset=dataset, reading=reading, **axes)
        return shuffled(drawn) if with_shuffled_labels else drawn

    def unknown_images(self) -> dict[str, int]:
        """How many scores files there are of each data set whose images are not known here, neither by a committed
        table nor by one that is prepared."""
        counts: dict[str, int] = {}
        for path in stored_paths(self.root):
            name = "/".join(path.parent.relative_to(self.root).parts[1:])
            counts[name] = counts.get(name, 0) + 1
        return {name: count for name, count in counts.items() if not self._are_known(name)}

    def _are_known(self, dataset: str) -> bool:
        try:
            return self.images(dataset, None) is not None
        except Misuse:  # no name of a data set, which is a fault of its files
            return True


def faults(root: Path) -> Iterator[tuple[Path, str | None]]:
    """Each scores file under `root` with what is wrong with it, or None; a file that bears a key's name where no scores
    are stored is one, too."""
    verifier = Verifier(root)
    for path in stored_paths(root):
        yield path, verifier.fault(path)
    for path in strangers(root):
        if KEY.fullmatch(path.stem):
            yield path, f"{path}: scores by its name, but in no data set's folder below a profile's; move or delete it"


def check_run(run: Run) -> None:
    """ValueError unless a run is one that this code, or an earlier version, asks for. What a method prescribes only its
    class knows, so that this is checked where torch is installed."""
    for kind, name, valid in (("method", run.method, METHODS), ("profile", run.profile, PROFILES)):
        if name not in valid:
            raise unknown(kind, name, valid)
    if not WEIGHTS.fullmatch(run.weights):
        raise DamagedScores(f"{run.key}: weights {run.weights!r}, expected none, random or 16 hex digits")
    if (run.weights == "none") != (run.method in WITHOUT_WEIGHTS):
        taken = "none" if run.method in WITHOUT_WEIGHTS else "some"
        raise DamagedScores(f"{run.key}: weights {run.weights}, but {run.method} takes {taken}; run it again")
    if not 1 <= run.revision <= REVISION:
        raise DamagedScores(f"{run.key}: revision {run.revision}, expected 1 to {REVISION}; update this code")
    if run.revision == REVISION and find_spec("torch"):
        from devnetlib.study.planning import departing_options, resolved_training, with_batch

        if run.training != with_batch(resolved_training(run.method, run.profile), run.training.batch):
            raise DamagedScores(f"{run.key}: its training is not the one that {run.profile} prescribes; run it again")
        if dict(run.options) != departing_options(run.method, run.profile, run.options):
            raise DamagedScores(f"{run.key}: its options are not those that depart from {run.profile}'s; run it again")


def check_pixels(scores: Scores) -> None:
    """Raise DamagedScores or ValueError unless every map that a scores file holds measures of was counted over all of
    its images, every image that was measured by itself is a test anomaly, and every measure lies in [0, 1]."""
    if scores.pixels is None:
        return
    pixels, anomalous = scores.pixels, scores.labels == 1
    try:
        places, maps, some = pixels["images"], list(pixels["maps"].values()), pixels["perturbed"]
        unmarked = pixels.get("unmarked", [])
        each = [one[measure] for one in maps for measure in ("auroc", "average_precision")]
        moved = [one[measure] for one in some["maps"].values() for measure in ("deletion", "insertion")]
        counted = {int(h.normal.sum() + h.defect.sum()) for h in map(histograms_of, maps)}
        whole = (
            all(anomalous[places + unmarked])
            and len({*places, *unmarked}) == len(places + unmarked)
            and set(some["images"]) <= set(places),
            {len(one) for one in each} <= {len(places)} and {len(one) for one in moved} <= {len(some["images"])},
            counted <= {(anomalous.sum() + pixels.get("normals", 0) - len(unmarked)) * pixels.get("edge", 0) ** 2},
            all(rising(one["edges"], len(one["normal"])) for one in maps),
            all(map(shares, each)) and all(shares(one, missing=True) for one in moved),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DamagedScores(
            f"{scores.run.key}: what it holds of pixels cannot be read ({error!r}); run it again"
        ) from None
    if not all(whole):
        raise DamagedScores(f"{scores.run.key}: its maps were not counted over its own test images; run it again")


def shares(values: list[float | None], missing: bool = False) -> bool:
    """Whether all values are numbers in [0, 1]; with `missing` None stands for what cannot be measured."""
    found = [value for value in values if not (missing and value is None)]
    return {type(value) for value in found} <= {int, float} and all(0 <= value <= 1 for value in found)


def rising(edges: list[float], bins: int) -> bool:
    """Whether finite edges lie between so many bins, none below the one before."""
    return len(edges) == bins - 1 and bool(np.isfinite(edges).all() and (np.diff(edges) >= 0).all())
