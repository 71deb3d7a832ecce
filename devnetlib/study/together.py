"""Frozen runs side by side: runs of one seed on the same training normals share one gather and one matrix product.

The stream of normals derives from the seed alone, so draws, options and methods that read the same maps meet the same
normals at each update. Each run keeps its own head, labelled anomalies, reference scores and loss: the sum of the
losses is minimised, and no gradient passes from one run to another.
"""

import time
from collections.abc import Hashable, Iterable, Iterator
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from devnetlib.data.batches import on_device
from devnetlib.data.images import image_bank
from devnetlib.data.prepare import prepare
from devnetlib.data.splits import Partition
from devnetlib.methods import CONTROLS
from devnetlib.methods.controls import Probe
from devnetlib.methods.detector import TopKDetector
from devnetlib.network import TopKNetwork, cells_of
from devnetlib.study.compiling import compiler_of
from devnetlib.study.execution import (
    Machine,
    build_detector,
    built_options,
    checked,
    detector_class,
    forget_peak_memory,
    lane_inputs,
    origin_of,
    partition_of,
    parts_of,
    pin_threads,
    purpose_seed,
    row_numbers,
)
from devnetlib.study.precision import precision_of
from devnetlib.study.results import Scores
from devnetlib.study.runs import Run
from devnetlib.study.training import Maps, batches, descend, loss_of_heads
from devnetlib.study.unit_scores import Rule, unit_scores

MOST_HEADS = 1024  # trained side by side; more gain nothing, and what is in flight is lost with its process
Outcome = tuple[Scores, Partition] | Exception
Rows = dict[str, np.ndarray]


def companions(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs in groups that are executed together, each in the order given; a run that shares nothing is alone."""
    groups: dict[Hashable, list[Run]] = {}
    for run in runs:
        groups.setdefault(shared_by(run) if shares(run) else run, []).append(run)
    return [part for group in groups.values() for part in portions(group)]


def portions(group: list[Run]) -> list[list[Run]]:
    """A group cut into even parts, so that at most MOST_HEADS are trained side by side."""
    most = max(1, MOST_HEADS // heads_of(group[0])) if shares(group[0]) else 1
    parts = np.array_split(np.arange(len(group)), -(-len(group) // most))
    return [[group[place] for place in part] for part in parts]


def shares(run: Run) -> bool:
    """Whether a run trains DevNet's head as it is on one cached map."""
    if isinstance(CONTROLS.get(run.method), Probe):
        return False
    method = detector_class(run.method)
    plain = issubclass(method, TopKDetector) and method.outputs is TopKNetwork.outputs
    one_map = plain and built_options(run.method, run.profile, run.options)["n_scales"] == 1
    return one_map and run.training.trains == "head" and run.training.updates > 0 and run.anomalies > 0


def heads_of(run: Run) -> int:
    return built_options(run.method, run.profile, run.options)["heads"]


def shared_by(run: Run) -> Hashable:
    """What runs have in common that are executed together: everything but the draw, the loss and its options; the draw,
    too, where it says which images are trained as normal."""
    method = detector_class(run.method)
    built = method.options() | built_options(run.method, run.profile, run.options)
    backbone = built.get("backbone", getattr(method, "network", "resnet18"))
    network = (backbone, built["stage"], built["heads"])
    data = (run.dataset, run.reading, run.protocol, run.anomalies, run.split)
    shuffled = getattr(CONTROLS.get(run.method), "shuffled", False)
    data += (run.contamination, shuffled, run.draw) if run.contamination or shuffled else ()
    return (*data, *network, run.weights, run.training, run.seed)


def execute_together(runs: list[Run], machine: Machine) -> list[Outcome]:
    """Execute one group of `companions`; for every run what `execute` gives, or the exception that it raises.

    The scores equal those of `execute` within rounding. Seconds and memory are the group's, the seconds shared out.
    """
    started = time.perf_counter()
    forget_peak_memory()
    first = runs[0]
    threads = pin_threads(first, machine)
    precision = precision_of(first, machine.precision, machine.torch_device(), machine.cache)
    compiler_of(first, machine.compiler, machine.torch_device())  # refuses it, for only heads are trained here
    data = prepare(first.dataset, first.reading, machine.data_root, checked=True)
    partitions = [partition_of(run, data) for run in runs]
    rows = [row_numbers(data, partition) for partition in partitions]
    bank = image_bank(data.table, data.root, first.training.pixels, machine.cache)
    heads = SideBySide([build_detector(run, machine)[0] for run in runs])
    inputs = lane_inputs(first, heads.detectors[0], data, bank, machine)
    heads.standardise_maps(inputs.stored(rows[0]["train"]))
    descend(heads.parameters(), heads.losses(first, inputs, rows), first.training)
    values = heads.scores(inputs, [part["test"] for part in rows])
    seconds = (time.perf_counter() - started) / len(runs)
    origin = origin_of(data, machine, threads, precision, seconds) | {"side_by_side": len(runs)}
    return [finished(*each, origin) for each in zip(runs, partitions, values, strict=True)]


def finished(run: Run, partition: Partition, values: np.ndarray, origin: dict[str, object]) -> Outcome:
    """Scores and partition of a run, or what is wrong with the scores."""
    try:
        return checked(run, partition, values, origin), partition
    except Exception as error:  # a collapsed run must not take its companions with it
        return error


class SideBySide:
    """R detectors with DevNet's head, of as many heads each, that read one map of C channels and P cells."""

    def __init__(self, detectors: list[TopKDetector]):
        self.detectors = detectors
        for detector in detectors:
            detector.backbone.requires_grad_(False)

    def parameters(self) -> list[Tensor]:
        """The heads' weights and biases."""
        return [parameter for detector in self.detectors for parameter in detector.scorer.parameters()]

    def standardise_maps(self, normals: list[Tensor]) -> None:
        """Take the channel statistics once: all train on the same normals."""
        first, *others = (detector.scorer.standardise for detector in self.detectors)
        first.fit(normals)
        for other in others:
            other.load_state_dict(first.state_dict())

    def units(self) -> tuple[Tensor, Tensor]:
        """Weights (R,heads,C) and biases (R,heads) on maps that are not standardised."""
        weights, biases = zip(*(detector.scorer.on_raw_maps() for detector in self.detectors), strict=True)
        return torch.stack(weights), torch.stack(biases)

    def losses(self, run: Run, inputs: Maps, rows: list[Rows]) -> Iterator[Tensor]:
        """The sum over the runs of the loss of every update; `run` is any of them."""
        normals, counts = rows[0]["train"], (len(rows[0]["train"]), len(rows[0]["labelled"]))
        own = torch.stack([cells_of(inputs.plain(part["labelled"])[0]) for part in rows])  # (R,N,P,C)
        rngs = (np.random.default_rng(purpose_seed(run, what)) for what in ("normal batches", "labelled batches"))
        for positions in batches(*counts, run.training, *rngs):
            is_normal = positions < counts[0]
            shared = cells_of(inputs.plain(normals[positions[is_normal]])[0])
            places = np.r_[np.arange(len(shared)), positions[~is_normal] - counts[0] + len(shared)]
            labels = on_device(~is_normal, inputs.device).float()
            outputs = self.outputs(shared, own)[..., on_device(places, inputs.device)]
            pairs = zip(self.detectors, outputs, strict=True)
            yield sum(loss_of_heads(detector, scores.T, labels) for detector, scores in pairs)

    def outputs(self, shared: Tensor, own: Tensor) -> Tensor:
        """Image scores (R,heads,n+N) of the cells (n,P,C) of n shared images and (R,N,P,C) of N images of each run's
        own."""
        units = self.units()
        return torch.cat([unit_scores(*units, cells, self.rules) for cells in (shared, own)], dim=2)

    @cached_property
    def rules(self) -> list[Rule]:
        """By which top-K and sign each run makes image scores."""
        groups = groupby((detector.signed, detector.top_k) for detector in self.detectors)
        return [Rule(len(list(same)), signed, share) for (signed, share), same in groups]

    @torch.inference_mode()
    def scores(self, inputs: Maps, tests: list[np.ndarray]) -> list[np.ndarray]:
        """For every run the scores (N,) of the images in its rows; an image that several runs test is read once."""
        union = np.unique(np.concatenate(tests))
        units = self.units()
        cells = (cells_of(inputs.plain(part)[0]) for part in parts_of(union))
        parts = [unit_scores(*units, part, self.rules).mean(dim=1) for part in cells]
        every = torch.cat(parts, dim=1).cpu().numpy()
        return [scores[np.searchsorted(union, rows)] for scores, rows in zip(every, tests, strict=True)]
