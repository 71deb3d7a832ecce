"""torchvision's ImageNet weights: whether they are on this machine, and how to get them."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from devnetlib.errors import Misuse

STALLED_AFTER, GIVE_UP_AFTER = 10, 180  # seconds without progress, and in all


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
DEVNETS = "resnet18"  # the architecture whose weights DEVNET_WEIGHTS and set-up are about, and which the trunk imitates


def find_imagenet(architecture: str = DEVNETS) -> Path | None:
    """ImageNet weights on this machine: for ResNet-18 DEVNET_WEIGHTS, else torchvision's own cache; None where there
    are none."""
    named = os.environ.get("DEVNET_WEIGHTS") if architecture == DEVNETS else None
    if named:
        if not os.path.isfile(named):
            raise Misuse(f"DEVNET_WEIGHTS={named}: no such file; name a file of ResNet-18's weights or unset it")
        return Path(named)
    cached = torchvision_cache(architecture)
    return cached if os.path.isfile(cached) else None  # nor where its folder may not be read


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
    socket.setdefaulttimeout(STALLED_AFTER)
    try:
        if target.parts[0] == "~":
            raise OSError("this user has no home folder; TORCH_HOME names another place to keep them")
        target.parent.mkdir(parents=True, exist_ok=True)
        with at_most(GIVE_UP_AFTER):
            torch.hub.download_url_to_file(url, str(target), hash_prefix=target.stem.rsplit("-", 1)[1])
    except Exception as error:  # whatever the network, the disk or the home folder has against it
        reason = " ".join(f"{type(error).__name__}: {error}".splitlines())
        mend = "the embedded trunk stands in; 'make weights' tries again, DEVNET_WEIGHTS names a file"
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
