"""The maps that are compared: DevNet's gradients, its patch scores, and maps that know nothing of a defect."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from devnetlib.methods.detector import TopKDetector
from devnetlib.network import TopKNetwork
from devnetlib.saliency import gaussian_smooth, input_gradient, scale_to_unit
from devnetlib.study.execution import Trained, build_detector
from devnetlib.study.training import Maps, Pixels

EDGE = 224  # pixels: the one resolution at which every map is measured
AT_ONCE = 16  # images whose gradients are in memory together
CENTRE = 0.25  # of the side: standard deviation of the hill that stands for no explanation at all


@dataclass(frozen=True)
class Explained:
    """Maps of N images, (N,EDGE,EDGE) in single precision: `raw` in one unit for all of them, `shown` as it is drawn
    and measured image by image."""

    raw: np.ndarray
    shown: np.ndarray


Kind = Callable[[Trained, np.ndarray], Explained]  # of the images in these rows


def pixels_of(trained: Trained) -> Pixels:
    """The images as the detector takes them, never rotated."""
    bank, device = trained.bank, trained.machine.torch_device()
    return Pixels(bank, device, 0.0, np.random.default_rng(0), trained.detector.raw)


def parts_of(rows: np.ndarray) -> list[np.ndarray]:
    """The rows in parts of at most AT_ONCE."""
    return np.array_split(rows, max(1, -(-len(rows) // AT_ONCE)))


def measured_size(maps: Tensor) -> np.ndarray:
    """Maps (N,h,w) at the resolution at which they are measured, bilinear: (N,EDGE,EDGE)."""
    if maps.shape[-1] != EDGE:
        shrinks = maps.shape[-1] > EDGE
        maps = F.interpolate(maps[:, None], size=(EDGE, EDGE), mode="bilinear", antialias=shrinks)[:, 0]
    return maps.float().cpu().numpy()


def gradient(trained: Trained, rows: np.ndarray) -> Explained:
    """The absolute input gradient, summed over channels and smoothed (Eq. 9); shown as released: scaled from its
    minimum to its 99th percentile before it is smoothed."""
    detector, pixels = trained.detector.eval(), pixels_of(trained)
    raw, shown = [], []
    for part in parts_of(rows):
        magnitude = input_gradient(detector, pixels.plain(part)).abs().sum(dim=1)
        raw.append(measured_size(gaussian_smooth(magnitude)))
        shown.append(measured_size(gaussian_smooth(scale_to_unit(magnitude))))
    return Explained(np.concatenate(raw), np.concatenate(shown))


@torch.inference_mode()
def patches(trained: Trained, rows: np.ndarray) -> Explained:
    """The patch scores from which DevNet's head makes the image's score, averaged over heads and scales, enlarged."""
    detector, inputs = trained.detector.eval(), trained.inputs
    found = []
    for part in parts_of(rows):
        maps = inputs.plain(part)
        maps = maps if isinstance(inputs, Maps) else detector.features(maps)
        scales = [torch.from_numpy(measured_size(patch_scores(detector, scale))) for scale in maps]
        found.append(torch.stack(scales).mean(dim=0).numpy())
    return Explained(*2 * [np.concatenate(found)])


def patch_scores(detector: TopKNetwork, maps: Tensor) -> Tensor:
    """Patch scores in their places, averaged over the heads: one map (N,C,h,w) -> (N,h,w)."""
    scores = detector.scorer(maps)
    scores = scores if detector.signed else scores.abs()
    return scores.mean(dim=1).unflatten(1, maps.shape[-2:])


def hill(count: int) -> np.ndarray:
    """The same Gaussian hill in the middle of so many images, (count,EDGE,EDGE)."""
    away = (np.arange(EDGE) + 0.5) / EDGE - 0.5
    one = np.exp(-0.5 * (away**2 + away[:, None] ** 2) / CENTRE**2).astype(np.float32)
    return np.repeat(one[None], count, axis=0)


def centre(trained: Trained, rows: np.ndarray) -> Explained:
    """A map that has seen no image: it only knows where the middle is."""
    return Explained(*2 * [hill(len(rows))])


def random_network(trained: Trained, rows: np.ndarray) -> Explained:
    """The gradient through the same network before it has any weights but random ones."""
    detector, _ = build_detector(replace(trained.run, weights="random"), trained.machine)
    return gradient(replace(trained, detector=detector.requires_grad_(False)), rows)


def kinds_of(trained: Trained) -> dict[str, Kind]:
    """The maps of a detector by name; what has learned nothing stands with the untrained control."""
    detector, kinds = trained.detector, {"gradient": gradient}
    if isinstance(detector, TopKDetector) and type(detector).outputs is TopKNetwork.outputs:
        kinds |= {"patches": patches}
    if trained.run.method == "untrained":
        kinds |= {"random network": random_network, "centre": centre}
    return kinds
