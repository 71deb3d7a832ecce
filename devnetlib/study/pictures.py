"""What the gallery of Q3 shows: test images, what is marked on them, and saliency maps, which are kept when a run is
explained or drawn, so that nothing is trained again to look at them.

<data root>/cache/saliency/<data set>/<digest of the image table>-<run>-<precision>-<digest of the code>[-<places>].npy
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from devnetlib.data.caches import cached_array, read_whole
from devnetlib.data.images import image_bank
from devnetlib.data.masks import masks_of
from devnetlib.data.prepare import Prepared, prepare
from devnetlib.study.execution import HERE, Machine, Trained, execute, partition_of, row_numbers
from devnetlib.study.kit import kit
from devnetlib.study.map_kinds import EDGE, gradient, measured_size
from devnetlib.study.results import Scores
from devnetlib.study.runs import Run

LEVELS = 255  # of a kept map, from 0 to 1: as many as a picture has


@dataclass(frozen=True)
class Pictures:
    """N test images with what is marked on them and what explains them, at EDGE px."""

    images: np.ndarray  # grey, uint8 (N,EDGE,EDGE)
    masks: np.ndarray  # bool (N,EDGE,EDGE)
    maps: np.ndarray  # gradient maps as they are shown, in [0, 1], (N,EDGE,EDGE)


def pictures(run: Run, places: Sequence[int], machine: Machine = HERE) -> Pictures:
    """The anomalous images at these places of a run's test list, with its gradient maps: those that were kept when it
    was explained here, else drawn by executing it, and kept, too."""
    data = prepare(run.dataset, run.reading, machine.data_root, checked=True)
    partition = partition_of(run, data)
    rows = row_numbers(data, partition)["test"][list(places)]
    bank = image_bank(data.table, data.root, run.training.pixels, machine.cache)
    grey = torch.from_numpy(bank[rows].mean(axis=1, dtype=np.float32))
    try:
        levels = read_whole(kept_at(run, data, machine))[np.searchsorted(anomalous(partition.labels), places)]
    except (OSError, ValueError):
        levels = cached_array(kept_at(run, data, machine, places), lambda: in_levels(drawn(run, rows, machine)))
    return Pictures(np.rint(measured_size(grey)).astype(np.uint8), masks_of(data, rows, EDGE), levels / LEVELS)


def drawn(run: Run, rows: np.ndarray, machine: Machine) -> np.ndarray:
    """The gradient maps, as they are shown, of the images in these rows; the run is executed for them."""
    found = []

    def look(scores: Scores, trained: Trained) -> Scores:
        found.append(gradient(trained, rows).shown)
        return scores

    execute(run, machine, look)
    return found[0]


def keep(trained: Trained, maps: np.ndarray) -> None:
    """Keep the maps, in [0, 1], of all anomalous test images, in their order, (N,EDGE,EDGE)."""
    cached_array(kept_at(trained.run, trained.data, trained.machine), lambda: in_levels(maps))


def in_levels(maps: np.ndarray) -> np.ndarray:
    """Maps in [0, 1] as they are kept, uint8."""
    return np.rint(LEVELS * maps).astype(np.uint8)


def kept_at(run: Run, data: Prepared, machine: Machine, places: Sequence[int] = ()) -> Path:
    """Where the maps of a run are kept, of all its anomalous images or of those at some places; the name holds
    everything they depend on."""
    name = "-".join(map(str, (data.digest, run.key, machine.precision, kit()["devnetlib"], *places)))
    return machine.cache / "saliency" / data.card.name / f"{name}.npy"


def anomalous(labels: np.ndarray) -> np.ndarray:
    """Places in the test list of the anomalous images."""
    return np.flatnonzero(labels == 1)
