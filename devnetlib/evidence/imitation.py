"""What an imitation keeps and loses: the maps of the embedded trunk beside those of the network that it imitates."""

from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray

from devnetlib.data.distillation_images import HELD_OUT, PAINTED_SIDE, plain
from devnetlib.data.painting import PAINTERS, painted
from devnetlib.embedded.network import LAST_STAGE, NarrowResNet18
from devnetlib.network import ResNet18
from devnetlib.report.figures import image_grid
from devnetlib.study.distilling import explained_share, maps_of
from devnetlib.study.embedding import teacher_of
from devnetlib.study.imagenet import find_imagenet
from devnetlib.study.weights import load_backbone, load_weights

PIXELS = 224
SHOWN = (14, 28, 35, 42)  # numbers of painted images that are held out: leaves, strokes, discs and a field
CHANNELS = 2  # a row, those in which the teacher's map of that image varies most
TITLES = ("image", *(f"{whose}, {which}" for which in ("1st", "2nd") for whose in ("ImageNet", "embedded")), "apart")


@cache
def both() -> tuple[ResNet18, NarrowResNet18]:
    """The teacher, and the trunk that imitates it; Misuse without ImageNet weights."""
    trunk = NarrowResNet18()
    load_backbone(trunk, load_weights("embedded"), frozen=True)
    return teacher_of(None)[0].eval(), trunk.eval()


def held_out_images(count: int) -> NDArray[np.uint8]:
    """The first painted images that are held out, uint8 (count,3,H,W)."""
    return np.stack([painted(HELD_OUT * place, PAINTED_SIDE) for place in range(count)])


def explained_here(count: int) -> dict[int, float]:
    """The share of the teacher's variance that the trunk explains on the first painted images that are held out, by
    stage, as it is on this machine."""
    images = plain(held_out_images(count), PIXELS)
    wanted, found = (maps_of(network, images) for network in both())
    return {stage: explained_share(found[stage], wanted[stage]) for stage in wanted}


def maps_row(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """An image (3,H,W), its two liveliest channels after stage 3 by teacher and trunk in turns, and how far the maps
    lie apart, the root of the mean square over all channels."""
    pixels = plain(image[None], PIXELS)
    wanted, found = (maps_of(network, pixels)[LAST_STAGE][0] for network in both())
    liveliest = wanted.var(dim=(1, 2)).argsort(descending=True)[:CHANNELS]
    pairs = [maps[channel].numpy() for channel in liveliest for maps in (wanted, found)]
    return [np.moveaxis(image, 0, 2), *pairs, (found - wanted).square().mean(dim=0).sqrt().numpy()]


def maps_figure(path: Path) -> str | None:
    """Draw the maps of both on a few held-out painted images, a row each; the alternative text, or None where there are
    no ImageNet weights at hand."""
    if find_imagenet() is None:
        return None
    with torch.inference_mode():
        rows = [maps_row(painted(number, PAINTED_SIDE)) for number in SHOWN]
    figure = image_grid(rows, [PAINTERS[number % len(PAINTERS)].__name__ for number in SHOWN])
    for row, axes in zip(rows, np.array(figure.axes).reshape(len(rows), -1), strict=True):
        for first in range(1, len(row) - 1, 2):  # teacher and trunk on one scale
            for ax in axes[first : first + 2]:
                ax.images[0].set_clim(row[first].min(), row[first].max())
        axes[-1].images[0].set_clim(0, np.std(row[1]))
    for ax, title in zip(figure.axes, TITLES, strict=False):
        ax.set_title(title)
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)
    return (
        "Painted images, and for each the two liveliest channels of the map after stage 3, by the ImageNet network and "
        "by the embedded trunk, and how far all channels lie apart."
    )
