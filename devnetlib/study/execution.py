"""`execute`: one run from image table to scores. The one place where data and methods meet."""

import platform
import re
import resource
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from devnetlib import embedded
from devnetlib.cores import usable_cores
from devnetlib.data.batches import on_device
from devnetlib.data.images import image_bank, sizes_of
from devnetlib.data.prepare import Prepared, cache_folder, default_data_root, prepare
from devnetlib.data.splits import Partition, derived_seed, draw_partition, shuffled
from devnetlib.errors import Misuse
from devnetlib.methods import CONTROLS, METHODS, Detector
from devnetlib.methods.controls import Images, Probe
from devnetlib.metrics import auroc
from devnetlib.network import Tap
from devnetlib.study import results as stored
from devnetlib.study.compiling import compiler_of
from devnetlib.study.folding import folded
from devnetlib.study.precision import precision_of
from devnetlib.study.results import Scores, rounded
from devnetlib.study.runs import PROFILES, Run
from devnetlib.study.training import (
    EVALUATION_BATCH,
    Maps,
    Pixels,
    Update,
    batches,
    cached_maps,
    fit,
    maps_path,
    scores_of,
)
from devnetlib.study.weights import Weights, in_place_of, load_backbone, load_weights

THREADS = {
    "frozen": 1,
    "fine-tuned": 2,
    "own network": 2,
}  # fixed, because results differ with the number of threads; heads are small


@dataclass(frozen=True)
class Machine:
    """Where and how runs are executed; nothing of it belongs to a run's identity."""

    weights: str | None = None  # as `load_weights` takes it
    device: str = "auto"
    threads: int | None = None  # None: as `THREADS` says
    data_root: Path | None = None
    precision: str = "fp32"  # as `precision_of` takes it
    compiler: str | None = None  # as `compiler_of` takes it

    @property
    def cache(self) -> Path:
        return cache_folder(self.data_root or default_data_root())

    def torch_device(self) -> torch.device:
        """The device asked for; Misuse for one that is not there. Only `auto` falls back to the processor."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if not re.fullmatch("cpu|cuda(:[0-9]{1,3})?", self.device):
            raise Misuse(f"device {self.device!r}: expected auto, cpu or cuda, or one of several GPUs such as cuda:1")
        kind, _, number = self.device.partition(":")
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if kind == "cuda" and int(number or 0) >= gpus:
            found = f"only {gpus} GPUs, counted from 0, are here" if gpus else "no GPU that torch can use is here"
            raise Misuse(f"device {self.device}: {found}; use --device cpu or auto")
        return torch.device(self.device)


HERE = Machine()  # this one, as it comes


class Collapse(RuntimeError):
    """A detector gave every test image the same score; such a result is reported and not stored."""


@dataclass(frozen=True)
class Trained:
    """A trained detector and what it was trained on."""

    run: Run
    machine: Machine
    detector: Detector
    inputs: Maps | Pixels
    data: Prepared
    bank: np.ndarray
    rows: dict[str, np.ndarray]  # as `row_numbers` gives them


def execute(
    run: Run, machine: Machine = HERE, look: Callable[[Scores, Trained], Scores] = lambda scores, trained: scores
) -> tuple[Scores, Partition]:
    """Execute one run: image table -> partition -> bank or maps -> detector -> train -> score.

    Two executions on one machine at the same thread count give identical scores. `look` sees a detector once it is
    scored, and may add to the scores what it finds. Raises Collapse for constant scores of a detector and
    FloatingPointError for scores that are not finite.
    """
    started = time.perf_counter()
    forget_peak_memory()
    threads = pin_threads(run, machine)
    precision = precision_of(run, machine.precision, machine.torch_device(), machine.cache)
    compiler = compiler_of(run, machine.compiler, machine.torch_device())
    data = prepare(run.dataset, run.reading, machine.data_root, checked=True)
    partition = partition_of(run, data)
    bank = image_bank(data.table, data.root, run.training.pixels, machine.cache)
    rows = row_numbers(data, partition)
    if isinstance(CONTROLS.get(run.method), Probe):
        values, missing = probe(CONTROLS[run.method], data, bank, rows), []
    else:
        detector, missing = build_detector(run, machine)
        inputs = lane_inputs(run, detector, data, bank, machine)
        train(run, detector, inputs, rows, precision, compiler)
        values = score(detector, inputs, rows["test"], precision)
    origin = origin_of(data, machine, threads, precision, time.perf_counter() - started)
    origin |= {"untrained_keys": missing} if missing else {}
    origin |= {"compiler": compiler} if compiler else {}
    scores = checked(run, partition, values, origin)
    if not isinstance(CONTROLS.get(run.method), Probe):
        scores = look(scores, Trained(run, machine, detector, inputs, data, bank, rows))
    return scores, partition


def checked(run: Run, partition: Partition, values: np.ndarray, origin: dict[str, Any]) -> Scores:
    """The scores of a run, once `check_scores` has nothing against them."""
    check_scores(run, values)
    return Scores(
        run,
        partition.digest,
        rounded(values),
        origin,
        labels=partition.labels,
        defects=partition.test_defect,
        ids=partition.test,
    )


def pin_threads(run: Run, machine: Machine) -> int:
    """Fix torch's threads for a run; how many."""
    threads = machine.threads or THREADS[run.training.lane]
    torch.set_num_threads(threads)
    return threads


def check_scores(run: Run, values: np.ndarray) -> None:
    """Raise FloatingPointError for scores that are not finite, Collapse for those of a detector that are all the same
    within single precision. A probe may be constant."""
    if not np.isfinite(values).all():
        raise FloatingPointError(f"{run.key}: {(~np.isfinite(values)).sum()} scores are not finite")
    if np.ptp(values) <= 1e-6 * np.abs(values).max() and not isinstance(CONTROLS.get(run.method), Probe):
        raise Collapse(f"{run.key}: every test image has the score {values[0]:.4g}; the detector has collapsed")


def partition_of(run: Run, data: Prepared) -> Partition:
    """The partition that a run names; for the shuffled control with normals in the place of the labelled anomalies."""
    axes = {name: getattr(run, name) for name in stored.AXES}
    partition = draw_partition(data.table, **axes)
    return shuffled(partition) if getattr(CONTROLS.get(run.method), "shuffled", False) else partition


def row_numbers(data: Prepared, partition: Partition) -> dict[str, np.ndarray]:
    """Positions in the image table of the images that are trained as normal, trained as anomalies, and tested."""
    position = {row_id: number for number, row_id in enumerate(data.table["id"])}
    lists = {"train": partition.train + partition.polluting, "labelled": partition.labelled, "test": partition.test}
    return {name: np.array([position[i] for i in ids], dtype=int) for name, ids in lists.items()}


def probe(control: Probe, data: Prepared, bank: np.ndarray, rows: dict[str, np.ndarray]) -> np.ndarray:
    """A probe's values of the test images, with the sign under which the labelled anomalies lie above the training
    normals."""
    if not len(rows["labelled"]):
        raise Misuse("a probe takes its sign from the labelled anomalies: --anomalies must be at least 1")
    every = np.concatenate([*rows.values()])
    chosen = data.table.iloc[every]
    values = control.value(Images(bank[every], partial(sizes_of, chosen, data.root), list(chosen["id"])))
    ends = np.cumsum([len(numbers) for numbers in rows.values()])[:-1]
    value = dict(zip(rows, np.split(values, ends), strict=True))
    known = np.r_[value["train"], value["labelled"]]
    labels = np.r_[np.zeros(len(value["train"])), np.ones(len(value["labelled"]))]
    sign = 1 if auroc(known, labels) >= 0.5 else -1
    return sign * value["test"]


def detector_class(method: str) -> type[Detector]:
    """The class behind a method's or a treatment's name."""
    return METHODS[method] if method in METHODS else CONTROLS[method].detector


def built_options(method: str, profile: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """With which options a detector is built: the profile's, where the method has them, and a run's own on top."""
    known = detector_class(method).options()
    return {k: v for k, v in PROFILES[profile].options.items() if k in known} | dict(options)


def purpose_seed(run: Run, purpose: str) -> int:
    """A seed from what it is for and the run's seed alone: methods, splits and draws share their initialisations and
    batch orders."""
    return derived_seed(run.dataset, run.reading, run.protocol, purpose, run.seed)


def build_detector(run: Run, machine: Machine) -> tuple[Detector, list[str]]:
    """A run's detector on the device, with its weights; and the backbone's keys that no weights filled."""
    options = built_options(run.method, run.profile, run.options)
    built = detector_class(run.method), tuple(options.items()), purpose_seed(run, "initialisation")
    detector, missing = deepcopy(initialised(*built)), []
    if detector.backbone is not None:
        weights = run_weights(run, detector, machine)
        detector.backbone = in_place_of(detector.backbone, weights)
        missing = load_backbone(detector.backbone, weights, run.training.trains != "all")
    return detector.to(machine.torch_device(), memory_format=torch.channels_last), missing


@lru_cache(maxsize=1)
def initialised(method: type[Detector], options: tuple[tuple[str, Any], ...], seed: int) -> Detector:
    """A detector as its seed makes it. The last one is kept, to be copied: the draws of a row start from the same one,
    and to draw the weights of a network takes longer than to copy it."""
    return method(torch.Generator().manual_seed(seed), **dict(options))


def lane_inputs(run: Run, detector: Detector, data: Prepared, bank: np.ndarray, machine: Machine) -> Maps | Pixels:
    """What the run's lane feeds to the detector: cached maps when only the head is trained, else pixels."""
    check_unseen(run, data)
    angles = np.random.default_rng(purpose_seed(run, "rotation"))
    pixels = Pixels(bank, machine.torch_device(), run.training.rotation, angles, detector.raw)
    return frozen_inputs(run, detector, pixels, data, machine) if run.training.trains == "head" else pixels


def train(
    run: Run,
    detector: Detector,
    inputs: Maps | Pixels,
    rows: dict[str, np.ndarray],
    precision: str = "fp32",
    compiler: str | None = None,
) -> list[float]:
    """Prepare and train a detector on the rows of a partition; the loss of every update (none where nothing is
    trained)."""
    labelled = rows["labelled"] if detector.uses_labels else rows["labelled"][:0]
    if isinstance(inputs, Maps):
        detector.backbone.requires_grad_(False)
        detector.standardise_maps(inputs.stored(rows["train"]))
        inputs = read_by(detector, inputs)
    if detector.prepares:
        detector.prepare(*(maps_of(detector, inputs, part) for part in (rows["train"], labelled)))
    if not run.training.updates:
        return []
    return fit(detector, batch_stream(run, inputs, rows["train"], labelled), run.training, precision, compiler)


def score(detector: Detector, inputs: Maps | Pixels, rows: np.ndarray, precision: str = "fp32") -> np.ndarray:
    """Scores (N,) of the images in these rows."""
    frozen = isinstance(inputs, Maps)
    reader, inputs = (detector, read_by(detector, inputs)) if frozen else (folded(detector), inputs)
    return scores_of(reader, (inputs.plain(part) for part in parts_of(rows)), frozen, precision)


def read_by(detector: Detector, inputs: Maps) -> Maps:
    """What a detector reads of cached maps: the cells, or what it pools them to."""
    return inputs.pooled(detector.pools) if detector.pools else inputs


def run_weights(run: Run, detector: Detector, machine: Machine) -> Weights:
    """The weights at hand, or Misuse where they are not those that the run names."""
    known = {"random": "random"} | dict.fromkeys(embedded.names().values(), "embedded")
    weights = load_weights(known.get(run.weights, machine.weights), detector.backbone.architecture)
    found = weights.name(in_place_of(detector.backbone, weights))
    if found != run.weights:
        raise Misuse(
            f"{run.key} names the weights {run.weights}, at hand are {found}: name their file with --weights FILE"
        )
    return weights


def check_unseen(run: Run, data: Prepared) -> None:
    """Raise Misuse where the embedded trunk has learned from images that the run's reading trains or tests."""
    if run.weights in embedded.names().values():
        seen = embedded.seen_images().get(run.dataset, [])
        if clash := sorted(set(seen) & set(data.table["id"])):
            raise Misuse(
                f"the embedded trunk has learned from {len(clash)} images of {run.dataset} ({run.reading}), such as "
                f"{clash[0]}: use --weights imagenet, random or a file, or a reading without them"
            )


def frozen_inputs(run: Run, detector: Detector, pixels: Pixels, data: Prepared, machine: Machine) -> Maps:
    """The cached maps that a detector taps; made on first use."""
    return Maps(tapped_maps(run, detector.backbone, detector.taps, pixels, data, machine), pixels.device)


def tapped_maps(
    run: Run, backbone: nn.Module, taps: Iterable[Tap], pixels: Pixels, data: Prepared, machine: Machine
) -> list[np.ndarray]:
    """Cached maps at `taps`, one array a tap; what is missing is made with all cores: each map is computed for
    itself."""
    threads = torch.get_num_threads()
    torch.set_num_threads(usable_cores())
    named = backbone.architecture, run.weights, "fp32", machine.cache
    arrays = cached_maps(backbone, pixels, {tap: maps_path(data, run.training, tap, *named) for tap in taps})
    torch.set_num_threads(threads)
    return arrays


def warm_maps(runs: list[Run], data: Prepared, bank: np.ndarray, machine: Machine) -> None:
    """Cache what frozen runs on the same images and weights tap, in one pass of the deepest of their backbones of each
    architecture."""
    by_architecture: dict[str, list[Detector]] = {}
    for run in runs:
        check_unseen(run, data)
        detector, _ = build_detector(run, machine)
        by_architecture.setdefault(detector.backbone.architecture, []).append(detector)
    for detectors in by_architecture.values():
        deepest = max((detector.backbone for detector in detectors), key=lambda backbone: backbone.stages[-1])
        taps = dict.fromkeys(tap for detector in detectors for tap in detector.taps)
        pixels = Pixels(bank, machine.torch_device(), 0.0, np.random.default_rng(0))
        tapped_maps(runs[0], deepest, taps, pixels, data, machine)


@torch.inference_mode()
def maps_of(detector: Detector, inputs: Maps | Pixels, rows: np.ndarray) -> list[torch.Tensor]:
    """Maps of all images in these rows, one tensor a tap: from the cache, or computed in eval mode."""
    if isinstance(inputs, Maps):
        return inputs.stored(rows)
    detector.eval()
    parts = [detector.features(inputs.plain(part)) for part in parts_of(rows)]
    return [torch.cat(tap) for tap in zip(*parts, strict=True)]


def batch_stream(run: Run, inputs: Maps | Pixels, normals: np.ndarray, labelled: np.ndarray) -> Iterable[Update]:
    """Inputs, places and labels of every update, as `fit` takes them."""
    known = np.r_[normals, labelled]
    labels = torch.zeros(len(known), device=inputs.device)
    labels[len(normals) :] = 1
    rngs = (np.random.default_rng(purpose_seed(run, purpose)) for purpose in ("normal batches", "labelled batches"))
    for positions in batches(len(normals), len(labelled), run.training, *rngs):
        tensors, places = inputs.augmented(known[positions])
        yield tensors, on_device(places, inputs.device), labels[on_device(positions, inputs.device)]


def parts_of(rows: np.ndarray) -> list[np.ndarray]:
    """The rows in parts that fit into memory; one empty part where there is none."""
    return np.array_split(rows, max(1, -(-len(rows) // EVALUATION_BATCH)))


def origin_of(data: Prepared, machine: Machine, threads: int, precision: str, seconds: float) -> dict[str, Any]:
    """Where scores come from: enough to judge a difference, nothing that names a machine."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": machine.torch_device().type,
        "precision": precision,
        "threads": threads,
        "seconds": round(seconds, 2),
        "peak_mb": peak_memory(),
        "image_table": data.digest,
    }


def forget_peak_memory() -> None:
    """Let the peak be that of what follows, where the system can (Linux); else it stays that of the whole process."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Most memory held since `forget_peak_memory`, in MB; file-backed maps that were read count."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
