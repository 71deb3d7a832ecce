"""How the embedded trunk is made: a narrow ResNet-18 learns to give the maps that one with ImageNet weights gives.

Each update shows both the same varied images; the loss is the mean squared difference of their maps, every channel in
units of its standard deviation over the training images. What is kept is a running average of the student. The state is
written every minute, and the same command goes on from there.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from devnetlib.data.distillation_images import Varied, held_out, plain
from devnetlib.embedded.network import NarrowResNet18
from devnetlib.network import ResNet18
from devnetlib.study.narrowing import narrow
from devnetlib.writing import atomic_write

CPU = torch.device("cpu")
EVALUATION_BATCH = 16
LEAST_UNIT = 0.01  # of the mean standard deviation of the channels
SAVED_EVERY = 60  # seconds
Banks = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """How long and how fast; what is chosen, is chosen by the error on held-out images."""

    seed: int = 0
    phases: tuple[tuple[int, int], ...] = ((1300, 128), (500, 224))  # updates, and pixels of their images
    batch: int = 24
    learning_rate: float = 1e-3
    warm_up: int = 50  # updates until the rate is reached; from there it falls to 0 along a cosine
    weight_decay: float = 1e-4
    averaged: float = 0.995  # how much of the average stays at each update
    stage_weights: tuple[float, ...] = (0.1, 0.3, 1.0)  # of the stages 1 to 3 in the loss
    narrowed_on: int = 48  # images of either kind from which the student begins
    measured_on: int = 100  # at most so many training images of either kind give the units of the maps
    pixels: int = 224  # at which errors are measured

    @property
    def updates(self) -> int:
        return sum(count for count, _ in self.phases)

    def pixels_at(self, update: int) -> int:
        """Side of the images of an update."""
        end = 0
        for count, pixels in self.phases:
            end += count
            if update < end:
                return pixels
        raise ValueError(f"update {update} beyond the last one")

    def rate_at(self, update: int) -> float:
        """Learning rate of an update."""
        left = 0.5 * (1 + np.cos(np.pi * update / self.updates))
        return self.learning_rate * left * min(1, (update + 1) / self.warm_up)


@dataclass(frozen=True)
class Errors:
    """How far the student's maps are from the teacher's on images: of every stage the mean squared difference in units
    of the channels' variance over the training images of that kind, and the share of the variance over the images
    themselves that it explains."""

    squared: dict[int, float]
    explained: dict[int, float]


class Distillation:
    """A teacher, its student, and what the student learns from."""

    def __init__(self, teacher: ResNet18, banks: Banks, recipe: Recipe, device: torch.device = CPU):
        self.teacher = teacher.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
        self.recipe, self.device = recipe, device
        self.train = {name: bank[~held_out(len(bank))] for name, bank in banks.items()}
        self.held_out = {name: bank[held_out(len(bank))] for name, bank in banks.items()}
        self.varied = Varied(self.train, recipe.seed)
        self.units = {name: self.units_of(bank) for name, bank in self.train.items()}
        self.student = NarrowResNet18().to(device, memory_format=torch.channels_last)
        self.average = NarrowResNet18().to(device, memory_format=torch.channels_last).requires_grad_(False)
        some = [self.plain(spread(bank, recipe.narrowed_on)) for bank in self.train.values()]
        narrow(self.teacher, self.student, torch.cat(some))
        self.average.load_state_dict(self.student.state_dict())
        self.start = self.errors()
        self.optimiser = torch.optim.AdamW(self.student.parameters(), weight_decay=recipe.weight_decay, fused=True)
        self.update, self.seconds = 0, 0.0  # done so far, and the processor time that they took

    def plain(self, images: np.ndarray) -> Tensor:
        """Images as errors are measured on them, on the device."""
        return plain(images, self.recipe.pixels).to(self.device)

    def units_of(self, bank: np.ndarray) -> dict[int, Tensor]:
        """Standard deviation of the teacher's channels over images, by stage: (C,1,1). Channels that hardly ever vary
        count as if they varied a little: their tiny unit would make them matter more than all others."""
        maps = maps_of(self.teacher, self.plain(spread(bank, self.recipe.measured_on)))
        stds = {stage: found.std(dim=(0, 2, 3)) for stage, found in maps.items()}
        return {stage: std.clamp(min=LEAST_UNIT * std.mean().item())[:, None, None] for stage, std in stds.items()}

    def step(self) -> Tensor:
        """One update; its loss."""
        recipe, began = self.recipe, time.process_time()
        images = self.varied.batch(self.update, recipe.batch, recipe.pixels_at(self.update)).to(self.device)
        with torch.inference_mode():
            wanted = self.teacher.maps(images)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(self.update)
        loss = self.loss(self.student.maps(images), wanted)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        kept = min(recipe.averaged, (self.update + 1) / (self.update + 10))
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.student.parameters(), strict=True):
                mean.lerp_(new, 1 - kept)
        self.update += 1
        self.seconds += time.process_time() - began
        return loss.detach()

    def loss(self, found: dict[int, Tensor], wanted: dict[int, Tensor]) -> Tensor:
        """Mean squared difference in units of the channels, each kind of image in its own, the stages weighed."""
        half = len(wanted[1]) // len(self.units)
        parts = [
            weight * ((mine - theirs) / units[stage]).square().mean() / len(self.units)
            for stage, weight in enumerate(self.recipe.stage_weights, start=1)
            for mine, theirs, units in zip(
                found[stage].split(half), wanted[stage].split(half), self.units.values(), strict=True
            )
        ]
        return sum(parts)

    def errors(self) -> dict[str, Errors]:
        """Of the averaged student on the held-out images, by kind."""
        return {name: self.errors_on(name, bank) for name, bank in self.held_out.items()}

    def errors_on(self, name: str, bank: np.ndarray) -> Errors:
        images = self.plain(bank)
        wanted, found = maps_of(self.teacher, images), maps_of(self.average, images)
        squared, explained = {}, {}
        for stage, units in self.units[name].items():
            squared[stage] = ((found[stage] - wanted[stage]) / units).square().mean().item()
            explained[stage] = explained_share(found[stage], wanted[stage])
        return Errors(squared, explained)

    def state(self) -> dict[str, Tensor]:
        """Everything that an update changes, as tensors."""
        moments = {}
        for name, parameter in self.student.named_parameters():
            for moment, tensor in self.optimiser.state.get(parameter, {}).items():
                moments[f"{moment}/{name}"] = tensor
        networks = {"student": self.student, "average": self.average}
        return moments | {f"{part}/{key}": v for part, net in networks.items() for key, v in net.state_dict().items()}

    def restore(self, state: Mapping[str, Tensor], update: int, seconds: float) -> None:
        """Go on from a state after `update` updates, which took so many seconds."""
        for part, network in (("student", self.student), ("average", self.average)):
            network.load_state_dict({key: state[f"{part}/{key}"] for key in network.state_dict()})
        for name, parameter in self.student.named_parameters():
            moments = {key: torch.empty_like(parameter) for key in ("exp_avg", "exp_avg_sq")}  # in its memory format
            moments = {key: tensor.copy_(state[f"{key}/{name}"]).detach() for key, tensor in moments.items()}
            self.optimiser.state[parameter] = {"step": state[f"step/{name}"].clone(), **moments}
        self.update, self.seconds = update, seconds


def spread(bank: np.ndarray, count: int) -> np.ndarray:
    """At most so many images of a bank, evenly spread over it."""
    return bank[np.unique(np.linspace(0, len(bank) - 1, min(count, len(bank))).astype(int))]


def explained_share(found: Tensor, wanted: Tensor) -> float:
    """The share of the variance of maps (N,C,h,w), each channel about its mean, that other maps explain: 1 where they
    are equal, 0 where they are no better than the means."""
    centred = wanted - wanted.mean(dim=(0, 2, 3), keepdim=True)
    return 1 - ((found - wanted).square().sum() / centred.square().sum()).item()


@torch.inference_mode()
def maps_of(network: nn.Module, images: Tensor) -> dict[int, Tensor]:
    """The maps (N,C,h,w) of images after every stage."""
    parts = [network.maps(part) for part in images.split(EVALUATION_BATCH)]
    return {stage: torch.cat([part[stage] for part in parts]) for stage in parts[0]}


def distil(
    teacher: ResNet18, banks: Banks, recipe: Recipe, data_root: Path, device: torch.device = CPU
) -> Distillation:
    """Train the student to the end of the recipe, from the state that an earlier call has left below the data root."""
    work = Distillation(teacher, banks, recipe, device)
    path = data_root / "distillation" / "state.safetensors"
    resume(work, path)
    saved = time.monotonic()
    with tqdm(total=recipe.updates, initial=work.update, desc="distil", unit="update", disable=None) as bar:
        while work.update < recipe.updates:
            loss = work.step()
            bar.update()
            if time.monotonic() - saved > SAVED_EVERY or work.update == recipe.updates:
                bar.set_postfix(loss=f"{loss.item():.3f}")
                keep(work, path)
                saved = time.monotonic()
    return work


def keep(work: Distillation, path: Path) -> None:
    """Write the state, whole or not at all."""
    metadata = {"update": str(work.update), "seconds": f"{work.seconds:.1f}", "recipe": described(work)}
    tensors = {key: tensor.contiguous() for key, tensor in work.state().items()}
    atomic_write(path, lambda file: save_file(tensors, file, metadata))


def resume(work: Distillation, path: Path) -> None:
    """Take up a stored state; one that is damaged, or of another recipe, is said and left aside."""
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
            if facts["recipe"] != described(work):
                raise ValueError("it belongs to another recipe")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dictionary)
        work.restore(state, int(facts["update"]), float(facts["seconds"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        tqdm.write(f"{path}: not taken up ({error}), begun anew")


def described(work: Distillation) -> str:
    """What a state belongs to: the recipe, the widths, and how many images there are."""
    counts = {name: len(bank) for name, bank in work.train.items()}
    return json.dumps([asdict(work.recipe), NarrowResNet18.WIDTHS, counts], sort_keys=True)
