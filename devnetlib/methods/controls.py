"""Controls: rules that have learned nothing from labels. What a method does not beat, it has not learned."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from devnetlib.methods.detector import Detector
from devnetlib.methods.devnet import DevNet


@dataclass(frozen=True)
class Probe:
    """One value an image, straight from its pixels; its sign is set by the labelled anomalies, never by the test
    set."""

    value: Callable[[np.ndarray], np.ndarray]  # pixels (N,C,H,W) uint8 -> (N,)


@dataclass(frozen=True)
class Treatment:
    """A detector whose training is made worthless: no update at all, or normals labelled as anomalies."""

    detector: type[Detector]
    untrained: bool = False
    shuffled: bool = False


def mean_grey(pixels: np.ndarray) -> np.ndarray:
    """Mean grey level of each image: (N,C,H,W) uint8 -> (N,) in [0, 255]."""
    return pixels.mean(axis=(1, 2, 3), dtype=np.float64)


CONTROLS: dict[str, Probe | Treatment] = {
    "grey": Probe(mean_grey),
    "untrained": Treatment(DevNet, untrained=True),
    "shuffled": Treatment(DevNet, shuffled=True),
}
