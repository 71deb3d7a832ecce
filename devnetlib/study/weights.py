"""The backbone's weights: random, a file, or torchvision's ImageNet weights; always tensors, never code."""

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from devnetlib.backbones import build_backbone
from devnetlib.errors import Misuse
from devnetlib.network import initialise

STALLED_AFTER, GIVE_UP_AFTER = 10, 180  # seconds without progress, and in all
RANDOM_BACKBONE_SEED = (
    0  # one random backbone for all runs, so that its maps can be cached; the run's seed moves the head alone
)


@dataclass(frozen=True)
class Architecture:
    """A network whose ImageNet weights torchvision offers: its title, the file (its name ends in the first digits of
    its SHA-256), and how the keys of the classifier begin, which nobody here needs."""

    title: str
    file: str
    classifier: str


ARCHITECTURES = {
    "resnet18": Architecture("ResNet-18", "resnet18-f37072fd.pth", "fc."),
    "resnet50": Architecture("ResNet-50", "resnet50-0676ba61.pth", "fc."),
    "alexnet": Architecture("AlexNet", "alexnet-owt-7be5be79.pth", "classifier."),
    "vgg16": Architecture("VGG-16", "vgg16-397923af.pth", "classifier."),
}
DEVNETS = "resnet18"  # the architecture whose weights DEVNET_WEIGHTS and set-up are about


@dataclass(frozen=True)
class Weights:
    """Weights of a backbone, by torchvision's keys; `tensors` None means random ones."""

    tensors: dict[str, Tensor] | None

    def name(self, backbone: nn.Module) -> str:
        """ "random", or 16 hex digits that name the tensors that this backbone uses: the same for a whole file and a
        trunk of it."""
        if self.tensors is None:
            return "random"
        digest = hashlib.sha256()
        for key in sorted(self.used(backbone)):
            digest.update(key.encode() + self.tensors[key].contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def used(self, backbone: nn.Module) -> list[str]:
        """Keys of the file that belong to the backbone as it is cut."""
        return [key for key in backbone.state_dict() if key in self.tensors]

    def missing(self, backbone: nn.Module) -> list[str]:
        """Tensors of the backbone that the weights do not have (none when random)."""
        if self.tensors is None:
            return []
        return [key for key in learned_keys(backbone) if key not in self.tensors]


RANDOM = Weights(None)


def learned_keys(backbone: nn.Module) -> list[str]:
    """Keys of a network without the counters of its normalisation layers."""
    return [key for key in backbone.state_dict() if not key.endswith("num_batches_tracked")]


def load_weights(choice: str | None, architecture: str = DEVNETS) -> Weights:
    """Weights by name: `random`, `imagenet`, a file, or None for ImageNet's where they are at hand.

    Where they are not, None means random weights for ResNet-18, and Misuse for the others: nobody asks for VGG-16 to
    have it random. Raises Misuse for a file that is not there or not that network's, naming the keys or shapes that do
    not fit.
    """
    if choice == "random":
        return RANDOM
    if choice in (None, "imagenet"):
        found = find_imagenet(architecture)
        if found is None and choice is None and architecture == DEVNETS:
            return RANDOM
        if found is None:
            raise Misuse(
                f"no ImageNet weights of {ARCHITECTURES[architecture].title} at hand: run 'python -m devnetlib weights "
                f"{architecture}', or name a file with --weights FILE"
            )
        choice = str(found)
    check_choice(choice)
    path = Path(choice)
    return weights_of(path, architecture, path.stat().st_mtime_ns)


@cache
def weights_of(path: Path, architecture: str, changed: int) -> Weights:
    """The weights in a file, read once in a process unless the file has `changed` since."""
    return Weights(checked(read_tensors(path), str(path), architecture))


def check_choice(choice: str | None) -> None:
    """Misuse for a choice of weights that is neither a known word nor a file, whether or not a method reads it."""
    if choice not in (None, "random", "imagenet") and not Path(choice).is_file():
        raise Misuse(f"no weights file {choice}: expected a .safetensors or .pth file, or 'imagenet' or 'random'")


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

    Raises Misuse where a frozen backbone would have untrained layers without anyone asking for it.
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


def find_imagenet(architecture: str = DEVNETS) -> Path | None:
    """ImageNet weights on this machine: for ResNet-18 DEVNET_WEIGHTS, else torchvision's own cache; None where there
    are none."""
    named = os.environ.get("DEVNET_WEIGHTS") if architecture == DEVNETS else None
    if named:
        if not Path(named).is_file():
            raise Misuse(f"DEVNET_WEIGHTS={named}: no such file; name a file of ResNet-18's weights or unset it")
        return Path(named)
    cached = torchvision_cache(architecture)
    return cached if cached.is_file() else None


def torchvision_cache(architecture: str = DEVNETS) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / ARCHITECTURES[architecture].file


def fetch_imagenet(architecture: str = DEVNETS) -> str:
    """Make ImageNet weights available; returns what happened in a line. Never fails: without them the study says so
    and goes on."""
    found = find_imagenet(architecture)
    if found:
        return f"ImageNet weights: {found.name}"
    return download(imagenet_url(architecture), torchvision_cache(architecture))


def imagenet_url(architecture: str) -> str:
    """Where torchvision has the weights it calls IMAGENET1K_V1 (not DEFAULT, which for ResNet-50 are others)."""
    from torchvision.models import get_model_weights

    return get_model_weights(architecture).IMAGENET1K_V1.url


def download(url: str, target: Path) -> str:
    """Download a file of torchvision's, checked by the hash in its name; a line that says what came of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    socket.setdefaulttimeout(STALLED_AFTER)
    try:
        with at_most(GIVE_UP_AFTER):
            torch.hub.download_url_to_file(url, str(target), hash_prefix=target.stem.rsplit("-", 1)[1])
    except (OSError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        mend = "random ones are used; 'make weights' tries again, DEVNET_WEIGHTS names a file"
        return f"no ImageNet weights ({reason}): {mend}"
    finally:
        socket.setdefaulttimeout(None)
    return f"ImageNet weights: {target.name}"


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the main thread after so many seconds, where the system has alarms."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"not finished after {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
