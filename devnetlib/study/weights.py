"""The backbone's weights: random, a file, torchvision's ImageNet weights, or the embedded trunk; always tensors, never
code."""

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from devnetlib import embedded
from devnetlib.backbones import build_backbone
from devnetlib.embedded.network import NarrowResNet18
from devnetlib.errors import Incomplete, Misuse
from devnetlib.network import initialise
from devnetlib.study.imagenet import ARCHITECTURES, DEVNETS, find_imagenet

RANDOM_BACKBONE_SEED = (
    0  # one random backbone for all runs, so that its maps can be cached; the run's seed moves the head alone
)
WORDS = ("imagenet", "embedded", "random")


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a backbone, by torchvision's keys; `tensors` None means random ones. `embedded`: by the keys
    of the network that imitates the backbone and stands in its place. Only the same object is equal."""

    tensors: dict[str, Tensor] | None
    embedded: bool = False

    def name(self, backbone: nn.Module) -> str:
        """ "random", or 16 hex digits that name the tensors that this backbone uses: the same for a whole file and a
        trunk of it."""
        return "random" if self.tensors is None else digest_of(self, tuple(sorted(self.used(backbone))))

    def used(self, backbone: nn.Module) -> list[str]:
        """Keys of the file that belong to the backbone as it is cut."""
        return [key for key in backbone.state_dict() if key in self.tensors]

    def missing(self, backbone: nn.Module) -> list[str]:
        """Tensors of the backbone that the weights do not have (none when random)."""
        if self.tensors is None:
            return []
        return [key for key in learned_keys(backbone) if key not in self.tensors]


@cache
def digest_of(weights: Weights, keys: tuple[str, ...]) -> str:
    """16 hex digits that name the tensors under these keys; taken once a process, for every run asks for them."""
    digest = hashlib.sha256()
    for key in keys:
        digest.update(key.encode() + weights.tensors[key].contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


RANDOM = Weights(None)


def in_place_of(backbone: nn.Module, weights: Weights) -> nn.Module:
    """The network that takes these weights: the embedded trunk's, not yet filled, or the backbone itself.

    Raises Misuse where the backbone goes on to a stage that the trunk does not have.
    """
    if not weights.embedded:
        return backbone
    try:
        return NarrowResNet18(backbone.stages[-1])
    except ValueError:
        raise Misuse(
            f"the embedded trunk ends at stage 3, and stage {backbone.stages[-1]} is asked for: use --option stage=3 "
            "(stages=2,3 for minns), or other weights"
        ) from None


def learned_keys(backbone: nn.Module) -> list[str]:
    """Keys of a network without the counters of its normalisation layers."""
    return [key for key in backbone.state_dict() if not key.endswith("num_batches_tracked")]


def load_weights(choice: str | None, architecture: str = DEVNETS, frozen: bool = False) -> Weights:
    """Weights by name: `random`, `imagenet`, `embedded`, a file, or None for ImageNet's where they are at hand.

    Where they are not, None means for ResNet-18 the embedded trunk if the backbone stays `frozen`, else random weights;
    and Misuse for the others: nobody asks for VGG-16 to have it random. Raises Misuse for a file that is not there or
    not that network's, naming the keys or shapes that do not fit.
    """
    if choice == "random":
        return RANDOM
    if choice == "embedded":
        return embedded_weights(architecture)
    if choice in (None, "imagenet"):
        found = find_imagenet(architecture)
        if found is None and choice is None and architecture == DEVNETS:
            return embedded_weights(architecture) if frozen else RANDOM
        if found is None:
            raise Misuse(
                f"no ImageNet weights of {ARCHITECTURES[architecture].title} at hand: run 'python -m devnetlib weights "
                f"{architecture}', or name a file with --weights FILE"
            )
        choice = str(found)
    check_choice(choice)
    path = Path(choice)
    return weights_of(path, architecture, path.stat().st_mtime_ns)


def embedded_weights(architecture: str) -> Weights:
    """The weights of the embedded trunk; Misuse for a network that it does not imitate, and for a damaged file."""
    if architecture != DEVNETS:
        raise Misuse(
            f"the embedded trunk imitates {ARCHITECTURES[DEVNETS].title}, not {ARCHITECTURES[architecture].title}: use "
            "--weights imagenet, random or a file"
        )
    try:
        return trunk_of(embedded.FOLDER)
    except Incomplete as damage:
        raise Misuse(str(damage)) from None


@cache
def trunk_of(folder: Path) -> Weights:
    """The trunk in a folder, read once in a process; Incomplete where it is damaged."""
    from safetensors.torch import load

    return Weights({key: tensor.float() for key, tensor in load(embedded.trunk_bytes(folder)).items()}, embedded=True)


@cache
def weights_of(path: Path, architecture: str, changed: int) -> Weights:
    """The weights in a file, read once in a process unless the file has `changed` since."""
    return Weights(checked(read_tensors(path), str(path), architecture))


def check_choice(choice: str | None) -> None:
    """Misuse for a choice of weights that is neither a known word nor a file, whether or not a method reads it."""
    if choice not in (None, *WORDS) and not os.path.isfile(choice):
        raise Misuse(f"no weights file {choice}: expected a .safetensors or .pth file, or one of {', '.join(WORDS)}")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors or PyTorch file; nothing is unpickled that could run code."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        tensors = dict(torch.load(path, map_location="cpu", weights_only=True))
        if strangers := [key for key, value in tensors.items() if not isinstance(value, Tensor)]:
            raise TypeError(f"{strangers[0]} is no tensor")
        return tensors
    except Exception as error:  # every reader has its own errors, and all of them mean the same to the caller
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise Misuse(
            f"{path}: not readable as plain tensors ({reason}); expected a state dictionary of tensors"
        ) from None


def checked(tensors: dict[str, Tensor], source: str, architecture: str) -> dict[str, Tensor]:
    """The tensors as float32, or Misuse naming what is not that architecture's."""
    whole, known = build_backbone(architecture), ARCHITECTURES[architecture]
    expected = {key: whole.state_dict()[key].shape for key in learned_keys(whole)}
    foreign = [
        key
        for key in tensors
        if key not in expected and not key.startswith(known.classifier) and not key.endswith("num_batches_tracked")
    ]
    wrong = [
        f"{key} {tuple(tensors[key].shape)}"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key]
    ]
    first = next(iter(expected))
    if foreign or wrong or first not in tensors:
        found = ", ".join((wrong + foreign)[:3]) or f"no {first}"
        raise Misuse(f"{source}: not the weights of {known.title} ({found}); expected torchvision's keys and shapes")
    return {key: tensors[key].float() for key in expected if key in tensors}


def load_backbone(backbone: nn.Module, weights: Weights, frozen: bool) -> list[str]:
    """Fill a backbone; returns the keys that the weights lack, which keep the initialisation they have.

    The backbone is the one that `in_place_of` gives. Raises Misuse where a frozen one would have untrained layers
    without anyone asking for it.
    """
    if weights.tensors is None:
        initialise(backbone, torch.Generator().manual_seed(RANDOM_BACKBONE_SEED))
        return []
    missing = weights.missing(backbone)
    if missing and frozen:
        raise Misuse(
            f"the weights end before stage {backbone.stages[-1]} ({missing[0]} is missing): use --option stage=3, or "
            "other weights"
        )
    backbone.load_state_dict({key: weights.tensors[key] for key in weights.used(backbone)}, strict=False)
    return missing
