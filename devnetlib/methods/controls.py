"""Controls: rules that have learned nothing of what an anomaly looks like. What a method does not beat, it has not
learned either."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from devnetlib.methods.detector import Detector
from devnetlib.methods.devnet import DevNet


@dataclass(frozen=True)
class Images:
    """What a probe may look at: images as decoded, uint8 (N,C,H,W), their sizes before that, and their ids."""

    pixels: np.ndarray
    sizes: Callable[[], Sequence[tuple[int, int]]]  # (width, height); asked for only by the probe that reads them
    ids: Sequence[str]


@dataclass(frozen=True)
class Probe:
    """One value an image; its sign is set by the labelled anomalies, never by the test set."""

    value: Callable[[Images], np.ndarray]  # N images -> (N,), to be compared with one another alone


@dataclass(frozen=True)
class Treatment:
    """A detector whose training or sight is made worthless: no update at all, normals labelled as anomalies, or the
    border of the map alone."""

    detector: type[Detector]
    untrained: bool = False
    shuffled: bool = False


def mean_grey(images: Images) -> np.ndarray:
    """Mean grey level of each image, (N,) in [0, 255]."""
    return images.pixels.mean(axis=(1, 2, 3), dtype=np.float64)


def area(images: Images) -> np.ndarray:
    """Pixels of each image before it is resized, (N,)."""
    return np.array(images.sizes(), dtype=np.float64).reshape(-1, 2).prod(axis=1)


KEPT_DIGITS = 7  # of a score, in a scores file
SUFFIX = re.compile(r"\.[A-Za-z]\w{2,4}$")  # of a file name, such as .png or .jp2


def id_number(images: Images) -> np.ndarray:
    """The number in the file's own name, (N,): the order in which a release numbers its images. Words, folders and the
    suffix, which may name the class, do not count; a name without a digit has the number 0.

    Several numbers of one name are read as one, from left to right, each padded to the widest in its place, so that
    `cam2_9` comes before `cam2_10`. A number of more than the seven digits that a scores file keeps would be stored as
    equal to its neighbours; where there is one, all are replaced by their ranks.
    """
    found = [re.findall("[0-9]+", SUFFIX.sub("", name.rpartition("/")[2])) for name in images.ids]
    widths = [max(map(len, column)) for column in zip_longest(*found, fillvalue="")]
    digits = ["".join(map(str.zfill, numbers, widths)).lstrip("0") for numbers in found]
    if max(map(len, digits), default=0) <= KEPT_DIGITS:
        return np.array([float(number or 0) for number in digits])
    # Longer is larger, without leading zeros; Python turns no text of more than 4300 digits into a number.
    order = sorted({(len(number), number) for number in digits})
    ranks = {number: float(rank) for rank, (_, number) in enumerate(order)}
    return np.array([ranks[number] for number in digits])


def outer_ring(maps: Tensor) -> Tensor:
    """The cells on the border of a map, in rows: (N,C,h,w) -> (N,C,R,1)."""
    inside = torch.zeros(maps.shape[-2:], dtype=torch.bool, device=maps.device)
    inside[1:-1, 1:-1] = True
    return maps.permute(0, 2, 3, 1)[:, ~inside].permute(0, 2, 1)[..., None]


class Border(DevNet):
    """DevNet whose score reads the outer ring of cells alone; trained as usual. Options as in `DevNet`.

    Cells overlap: at stage 3 one sees 211 x 211 pixels, so at 224 px the ring together still sees the whole image,
    but what lies at its edge best.
    """

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Scores (N,heads) of the border."""
        return super().outputs([outer_ring(scale) for scale in maps])


CONTROLS: dict[str, Probe | Treatment] = {
    "grey": Probe(mean_grey),
    "size": Probe(area),
    "order": Probe(id_number),
    "border": Treatment(Border),
    "untrained": Treatment(DevNet, untrained=True),
    "shuffled": Treatment(DevNet, shuffled=True),
}
