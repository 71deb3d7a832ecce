"""Training: the stream of batches, the maps that the frozen lane caches, and the loop."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from devnetlib.data.batches import contiguous, gather, normalise, on_device, rotate, to_unit
from devnetlib.data.caches import cached_array
from devnetlib.data.prepare import Prepared
from devnetlib.methods.detector import Detector
from devnetlib.network import Tap, tapped
from devnetlib.study.compiling import compiled
from devnetlib.study.runs import Training

EVALUATION_BATCH = 64


def endless(count: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """The first `length` of an endless walk through `count` items: one random permutation after another (Sec. 6.3
    and released code)."""
    passes = -(-length // count)
    return np.concatenate([rng.permutation(count) for _ in range(passes)])[:length]


def batches(
    normals: int, labelled: int, training: Training, rng_normal: np.random.Generator, rng_labelled: np.random.Generator
) -> Iterator[np.ndarray]:
    """Positions in (normals, then labelled) of each update's batch: half of either; all normal where nothing is
    labelled, and as they come where the training is not balanced."""
    if not training.balanced:
        yield from endless(normals + labelled, training.batch * training.updates, rng_normal).reshape(
            training.updates, -1
        )
        return
    half = training.batch // 2 if labelled else training.batch
    normal = endless(normals, half * training.updates, rng_normal).reshape(training.updates, half)
    if not labelled:
        yield from normal
        return
    anomalous = endless(labelled, (training.batch - half) * training.updates, rng_labelled).reshape(
        training.updates, -1
    )
    yield from np.concatenate([normal, normals + anomalous], axis=1)


Update = tuple[list[Tensor] | Tensor, Tensor, Tensor]


def fit(
    detector: Detector,
    updates: Iterable[Update],
    training: Training,
    precision: str = "fp32",
    compiler: str | None = None,
) -> list[float]:
    """Train a detector on (inputs (U,...), places (B,), labels (B,)), one triple an update. Returns the losses.

    `inputs` are images in the fine-tuned lane and cached maps in the frozen one; `places` says which of them stands
    at each place of the batch: an image that comes several times unchanged is scored once.

    Raises FloatingPointError when the loss is not finite.
    """
    frozen = training.trains == "head"
    detector.train(not frozen)
    features = compiled(detector.features, compiler)
    losses = (
        loss_of_heads(
            detector, detector.outputs(inputs if frozen else maps_from(features, inputs, precision))[places], labels
        )
        for inputs, places, labels in updates
    )
    return descend([p for p in detector.parameters() if p.requires_grad], losses, training)


def descend(trained: list[nn.Parameter], losses: Iterator[Tensor], training: Training) -> list[float]:
    """Lower the losses by Adam, one update each, as the training says; returns their values. `losses` computes each
    when it is asked for, after the update before it.

    Raises FloatingPointError when one is not finite.
    """
    optimiser = torch.optim.Adam(trained, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    decay = torch.optim.lr_scheduler.MultiStepLR(optimiser, training.decay_at)
    values = []
    optimiser.zero_grad(set_to_none=True)  # a pretraining may have left gradients
    for loss in tqdm(losses, desc="updates", total=training.updates, delay=2, leave=False, disable=None):
        loss.backward()
        if training.clip:
            torch.nn.utils.clip_grad_norm_(trained, training.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)  # before the next forward pass, which needs their memory
        decay.step()
        values.append(loss.detach())  # read after the loop: reading here would wait for the device at each update
    values = torch.stack(values).tolist()
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"the loss is not finite from update {int(np.argmin(np.isfinite(values)))} on; lower the learning rate"
        )
    return values


def maps_from(features: Callable[[Tensor], list[Tensor]], images: Tensor, precision: str) -> list[Tensor]:
    """Maps (N,C,h,w) of images by a detector's `features`, in single precision whatever the backbone computes in:
    `fp32`, or `bf16`, where convolutions but the first are rounded to it. Heads and losses always compute in single
    precision."""
    if precision == "fp32":
        return features(images)
    with torch.autocast(images.device.type, torch.bfloat16):
        maps = features(images)
    return [stage.float() for stage in maps]


def loss_of_heads(detector: Detector, outputs: Tensor, labels: Tensor) -> Tensor:
    """Sum over heads of the loss of `outputs` (B,heads,...): each head is trained as if it were alone."""
    heads = outputs.shape[1]
    together = outputs.transpose(0, 1).flatten(0, 1)
    return heads * detector.loss(together, labels.repeat(heads))  # the mean over all, times heads, is that sum


@torch.inference_mode()
def scores_of(
    detector: Detector, inputs: Iterable[list[Tensor] | Tensor], frozen: bool, precision: str = "fp32"
) -> np.ndarray:
    """Scores (N,) of all inputs, part by part, in eval mode."""
    detector.eval()
    parts = [detector.score(part if frozen else maps_from(detector.features, part, precision)) for part in inputs]
    return torch.cat(parts).float().cpu().numpy()


class Pixels:
    """Rows of a bank, rotated in training, normalised by ImageNet's statistics unless they shall stay `raw`, in
    [0, 1]."""

    def __init__(
        self, bank: np.ndarray, device: torch.device, rotation: float, angles: np.random.Generator, raw: bool = False
    ):
        self.bank = torch.from_numpy(bank).to(device)  # a processor reads it where it lies, a GPU holds all of it
        self.device, self.rotation, self.angles = device, rotation, angles
        self.finish = contiguous if raw else normalise

    def augmented(self, rows: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """Images (B,3,H,W) for an update, every one at a random angle within +-rotation, corners black; and their
        places."""
        images = to_unit(gather(self.bank, rows))
        if self.rotation:
            angles = self.angles.uniform(-self.rotation, self.rotation, len(rows))
            images = rotate(images, on_device(angles, self.device))
        return self.finish(images), np.arange(len(rows))

    def plain(self, rows: np.ndarray) -> Tensor:
        """Images (B,3,H,W) as they are, for evaluation."""
        return self.finish(to_unit(gather(self.bank, rows)))


class Maps:
    """The frozen lane's inputs: rows of cached maps, one array (N,h,w,C) a tap; in half precision unless pooled."""

    def __init__(self, arrays: list[np.ndarray], device: torch.device):
        self.arrays, self.device = [torch.from_numpy(array) for array in arrays], device
        self.vectors: dict[str, Maps] = {}

    def stored(self, rows: np.ndarray) -> list[Tensor]:
        """Maps (B,C,h,w) as stored, one a tap: for statistics over many rows."""
        return [gather(array, rows).to(self.device).permute(0, 3, 1, 2) for array in self.arrays]

    def plain(self, rows: np.ndarray) -> list[Tensor]:
        """Maps (B,C,h,w) in single precision, one a tap."""
        return [maps.float() for maps in self.stored(rows)]

    def pooled(self, pooling: str) -> "Maps":
        """Every map replaced by its `mean` or `max` (1,1,C), in single precision: all that some detectors read of it.
        Kept, because they read it twice."""
        if pooling not in self.vectors:
            pool = {"mean": torch.mean, "max": torch.amax}[pooling]
            parts = [array.split(256) for array in self.arrays]  # all at once would need half a gigabyte
            taps = [torch.cat([pool(part.float(), dim=(1, 2), keepdim=True) for part in tap]) for tap in parts]
            self.vectors[pooling] = Maps([tap.numpy() for tap in taps], self.device)
        return self.vectors[pooling]

    def augmented(self, rows: np.ndarray) -> tuple[list[Tensor], np.ndarray]:
        """Maps for an update, each row once, and the places of the batch: nothing is augmented in the frozen lane."""
        once, places = np.unique(rows, return_inverse=True)
        return self.plain(once), places


def maps_path(
    data: Prepared, training: Training, tap: Tap, architecture: str, weights: str, precision: str, folder: Path
) -> Path:
    """Where the maps of a data set are cached; the name holds everything they depend on."""
    place = f"scale{tap.scale}-stage{tap.stage}" + (f"-grid{tap.grid}" if tap.grid != tap.stage else "")
    name = f"{data.digest}-{training.pixels}px-{architecture}-{place}-{weights}-{precision}.npy"
    return folder / "maps" / data.card.name / name


def cached_maps(backbone: nn.Module, pixels: Pixels, paths: dict[Tap, Path]) -> list[np.ndarray]:
    """Maps (N,h,w,C) of all images of a bank, fp16, one array a tap; computed once, all taps together, with a progress
    bar."""
    made = cache(lambda: dict(zip(paths, compute_maps(backbone, pixels, list(paths)), strict=True)))
    return [cached_array(path, lambda tap=tap: made()[tap]) for tap, path in paths.items()]


@torch.inference_mode()
def compute_maps(backbone: nn.Module, pixels: Pixels, taps: list[Tap]) -> list[np.ndarray]:
    """Run the backbone over all images of a bank; channels last, because heads read cell by cell."""
    backbone.eval().to(memory_format=torch.channels_last)
    parts, rows = [[] for _ in taps], np.arange(len(pixels.bank))
    with tqdm(total=len(rows), desc="maps", unit="image", disable=None) as bar:
        for part in np.array_split(rows, -(-len(rows) // EVALUATION_BATCH)):
            for found, maps in zip(parts, tapped(backbone, pixels.plain(part), taps), strict=True):
                found.append(maps.permute(0, 2, 3, 1).half().contiguous().cpu().numpy())
            bar.update(len(part))
    return [np.concatenate(found) for found in parts]
