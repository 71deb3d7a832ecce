"""Does a map name the pixels that move the score? Deletion and insertion, after Petsiuk et al. (2018).

Deletion replaces the pixels of an image by those of the training normal that is nearest to it, the most salient first;
insertion puts them the other way round into that normal. (Their mean, or the image blurred, will not do: a detector
finds either more anomalous than most defects.) At every step the score is said as the share that is left of the
image's lead over that normal, cut at [0, 1]; the area under each curve, up to a tenth of the pixels and divided by that
tenth, lies in [0, 1]. A map that names what matters has a small deletion and a large insertion. An image that does not
score above its normal has nothing to explain, and neither number.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from devnetlib.study.execution import Trained
from devnetlib.study.map_kinds import pixels_of

REPLACED = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)  # shares of the pixels; defects seldom cover more
MOST = 6  # images a run, evenly spaced: every map costs each of them a dozen passes through the network


def faithfulness(trained: Trained, places: np.ndarray, orders: dict[str, np.ndarray]) -> dict[str, Any]:
    """Deletion and insertion of maps (N,h,w) by name, for the marked images at these N places of the test list.

    `images`: the places that were perturbed; `maps`: by name `deletion` and `insertion`, a number an image.
    """
    chosen = np.unique(np.linspace(0, len(places) - 1, min(MOST, len(places))).astype(int))
    rows = trained.rows["test"][places[chosen]]
    fillings = nearest_normals(trained, rows)
    pairs = [pixels_of(trained).plain(which) for which in (rows, fillings)]
    maps = {}
    for name, order in orders.items():
        ranks = ranked(torch.from_numpy(order[chosen]), pairs[0].shape[-1]).to(pairs[0].device)
        areas = [perturbed(trained, *each) for each in zip(*pairs, ranks, strict=True)]
        maps[name] = dict(zip(("deletion", "insertion"), map(list, zip(*areas, strict=True)), strict=True))
    return {"images": places[chosen].tolist(), "maps": maps}


def nearest_normals(trained: Trained, rows: np.ndarray) -> np.ndarray:
    """For every image in these rows the row of the training normal from which its pixels differ least (mean square)."""
    images, least = trained.bank[rows].astype(np.float32), np.full(len(rows), np.inf)
    found = np.zeros(len(rows), dtype=int)
    for row in trained.rows["train"]:
        away = np.square(images - trained.bank[row]).mean(axis=(1, 2, 3))
        found, least = np.where(away < least, row, found), np.minimum(away, least)
    return found


def ranked(maps: Tensor, side: int) -> Tensor:
    """For every pixel of maps (N,h,w) the share of pixels that are more salient, at an image's size: (N,side,side)."""
    flat = F.interpolate(maps[:, None], size=(side, side), mode="nearest").flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    shares = torch.arange(flat.shape[1]).expand_as(flat) / flat.shape[1]
    return torch.empty_like(shares).scatter_(1, order, shares).view(-1, side, side)


@torch.inference_mode()
def perturbed(
    trained: Trained, image: Tensor, filling: Tensor, rank: Tensor
) -> tuple[float, float] | tuple[None, None]:
    """Deletion and insertion of one image (3,H,W), by the rank (H,W) of its pixels."""
    replaced = (rank < torch.tensor((*REPLACED, 2.0), device=rank.device)[:, None, None])[:, None]
    steps = torch.cat([torch.where(replaced, filling, image), torch.where(replaced[:-1], image, filling)])
    scores = trained.detector.eval()(steps).double().cpu().numpy()
    whole, none = scores[0], scores[len(REPLACED)]
    if whole <= none:
        return None, None
    left = np.delete(((scores - none) / (whole - none)).clip(0, 1), len(REPLACED))
    deletion, insertion = (np.trapezoid(curve, REPLACED) / REPLACED[-1] for curve in np.split(left, 2))
    return round(float(deletion), 4), round(float(insertion), 4)
