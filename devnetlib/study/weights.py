"""The backbone's weights: random, a file, or torchvision's ImageNet weights; always tensors, never code."""

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from devnetlib.errors import Misuse
from devnetlib.network import ResNet18, initialise

IMAGENET_FILE = "resnet18-f37072fd.pth"  # torchvision's IMAGENET1K_V1; the name ends in the first digits of its SHA-256
IMAGENET_URL = f"https://download.pytorch.org/models/{IMAGENET_FILE}"
STALLED_AFTER, GIVE_UP_AFTER = 10, 180  # seconds without progress, and in all
RANDOM_BACKBONE_SEED = (
    0  # one random backbone for all runs, so that its maps can be cached; the run's seed moves the head alone
)


@dataclass(frozen=True)
class Weights:
    """Weights of ResNet-18, by torchvision's keys; `tensors` None means random ones."""

    tensors: dict[str, Tensor] | None

    def name(self, stage: int) -> str:
        """ "random", or 16 hex digits that name the tensors used up to `stage`: the same for a whole file and a
        trunk of it."""
        if self.tensors is None:
            return "random"
        digest = hashlib.sha256()
        for key in sorted(self.used(stage)):
            digest.update(key.encode() + self.tensors[key].contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def used(self, stage: int) -> list[str]:
        """Keys of the file that belong to the backbone cut after `stage`."""
        return [key for key in ResNet18(stage).state_dict() if key in self.tensors]

    def missing(self, stage: int) -> list[str]:
        """Tensors of the backbone that the weights do not have (none when random)."""
        if self.tensors is None:
            return []
        return [
            key
            for key in ResNet18(stage).state_dict()
            if key not in self.tensors and not key.endswith("num_batches_tracked")
        ]


RANDOM = Weights(None)


def load_weights(choice: str | None) -> Weights:
    """Weights by name: `random`, `imagenet`, a file, or None for ImageNet's where they are at hand, else random.

    Raises Misuse for a file that is not there or not ResNet-18's, naming the keys or shapes that do not fit.
    """
    if choice == "random":
        return RANDOM
    if choice in (None, "imagenet"):
        found = find_imagenet()
        if found is None and choice is None:
            return RANDOM
        if found is None:
            raise Misuse(
                "no ImageNet weights at hand: run 'make weights', or name a file with --weights FILE or DEVNET_WEIGHTS"
            )
        choice = str(found)
    return Weights(checked(read_tensors(Path(choice)), choice))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors or PyTorch file; nothing is unpickled that could run code."""
    if not path.is_file():
        raise Misuse(f"no weights file {path}: expected a .safetensors or .pth file, or 'imagenet' or 'random'")
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
            f"{path}: not readable as plain tensors ({reason}); expected a state dictionary of ResNet-18"
        ) from None


def checked(tensors: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors as float32, or Misuse naming what is not ResNet-18's."""
    expected = {
        key: value.shape for key, value in ResNet18(4).state_dict().items() if not key.endswith("num_batches_tracked")
    }
    foreign = [
        key
        for key in tensors
        if key not in expected and not key.startswith("fc.") and not key.endswith("num_batches_tracked")
    ]
    wrong = [
        f"{key} {tuple(tensors[key].shape)}"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key]
    ]
    if foreign or wrong or "conv1.weight" not in tensors:
        found = ", ".join((wrong + foreign)[:3]) or "no conv1.weight"
        raise Misuse(f"{source}: not the weights of ResNet-18 ({found}); expected torchvision's keys and shapes")
    return {key: tensors[key].float() for key in expected if key in tensors}


def load_backbone(backbone: ResNet18, weights: Weights, frozen: bool) -> list[str]:
    """Fill a backbone; returns the keys that the weights lack, which keep the initialisation they have.

    Raises Misuse where the frozen lane would have to work on untrained layers without anyone asking for it.
    """
    if weights.tensors is None:
        initialise(backbone, torch.Generator().manual_seed(RANDOM_BACKBONE_SEED))
        return []
    stage = backbone.stages[-1]
    missing = weights.missing(stage)
    if missing and frozen:
        raise Misuse(
            f"the weights end before stage {stage} ({missing[0]} is missing): use --option stage=3, or other weights"
        )
    backbone.load_state_dict({key: weights.tensors[key] for key in weights.used(stage)}, strict=False)
    return missing


def find_imagenet() -> Path | None:
    """ImageNet weights on this machine: DEVNET_WEIGHTS, else torchvision's own cache; None where there are none."""
    named = os.environ.get("DEVNET_WEIGHTS")
    if named:
        if not Path(named).is_file():
            raise Misuse(f"DEVNET_WEIGHTS={named}: no such file; name a file of ResNet-18's weights or unset it")
        return Path(named)
    cached = torchvision_cache()
    return cached if cached.is_file() else None


def torchvision_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / IMAGENET_FILE


def fetch_imagenet() -> str:
    """Make ImageNet weights available; returns what happened in a line. Never fails: without them the study says so
    and goes on."""
    found = find_imagenet()
    return f"ImageNet weights: {found.name}" if found else download(torchvision_cache())


def download(target: Path) -> str:
    """Download torchvision's file, checked by the hash in its name; a line that says what came of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    socket.setdefaulttimeout(STALLED_AFTER)
    try:
        with at_most(GIVE_UP_AFTER):
            torch.hub.download_url_to_file(IMAGENET_URL, str(target), hash_prefix=target.stem.rsplit("-", 1)[1])
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
