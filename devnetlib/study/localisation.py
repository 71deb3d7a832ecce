"""Q3: `explain` executes a run as `execute` does, and measures how well maps of its detector find the marked pixels."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from devnetlib.data.masks import has_masks, masks_of
from devnetlib.data.prepare import prepare
from devnetlib.data.splits import Partition
from devnetlib.errors import Misuse
from devnetlib.methods import CONTROLS
from devnetlib.methods.controls import Probe
from devnetlib.metrics import auroc, average_precision
from devnetlib.pixel_metrics import REVISION, bin_edges, counted
from devnetlib.study.execution import HERE, Machine, Trained, execute
from devnetlib.study.faithfulness import faithfulness
from devnetlib.study.map_kinds import EDGE, Explained, hill, kinds_of
from devnetlib.study.pictures import anomalous, keep
from devnetlib.study.results import Scores, rounded
from devnetlib.study.runs import Run

MOST_NORMALS = 60  # test normals whose maps are counted, evenly spaced in the test list: gradients take time
NEIGHBOURS = np.ones((3, 3))  # pixels that touch at a corner belong to one component


def explain(run: Run, machine: Machine = HERE) -> tuple[Scores, Partition]:
    """Scores of a run as `execute` gives them, with `pixels`; and the partition.

    Raises Misuse where the images have no masks, or where the run has no detector that could be explained.
    """
    if isinstance(CONTROLS.get(run.method), Probe):
        raise Misuse(f"{run.method} looks at whole images: it has no map of pixels")
    if not has_masks(prepare(run.dataset, run.reading, machine.data_root).table):
        raise Misuse(f"no image of {run.dataset} has a mask: where its defects lie is not known")
    return execute(run, machine, with_pixels)


def with_pixels(scores: Scores, trained: Trained) -> Scores:
    """The scores with the measures of every map of the detector, and the seconds that these took."""
    started = time.perf_counter()
    pixels = measured(scores, trained)
    seconds = round(time.perf_counter() - started, 2)
    return replace(
        scores, pixels=pixels, origin=scores.origin | {"pixel_seconds": seconds, "masks": trained.data.mask_digest}
    )


def measured(scores: Scores, trained: Trained) -> dict[str, Any]:
    """What a scores file holds of pixels. The gradient maps are kept as pictures.

    `images`: places in the test list of the anomalous images that have pixels of both kinds; `normals`: how many
    normal images are counted; `unmarked`: places of the anomalous images of which nothing is marked, so that it is not
    known which of their pixels are normal and none is counted; `maps`: by name what `of_map` says; `perturbed`: what
    `faithfulness` says. Raises Misuse where no anomalous test image has pixels of both kinds.
    """
    tested = trained.rows["test"]
    defective = anomalous(scores.labels)
    normals = evenly(np.flatnonzero(scores.labels == 0), MOST_NORMALS)
    masks = masks_of(trained.data, tested[defective], EDGE)
    known = masks.any(axis=(1, 2))
    marked = known & ~masks.all(axis=(1, 2))
    if not marked.any():
        raise Misuse(f"{trained.run.key}: none of its {len(defective)} anomalous test images has pixels of both kinds")
    every = np.concatenate([masks, np.zeros((len(normals), EDGE, EDGE), bool)])
    told_of = np.r_[known, np.ones(len(normals), bool)]
    maps, shown = {}, {}
    for name, kind in kinds_of(trained).items():
        found = kind(trained, tested[np.r_[defective, normals]])
        maps[name] = of_map(found, every, told_of, np.flatnonzero(marked))
        shown[name] = found.shown[: len(defective)]
    keep(trained, shown["gradient"])
    orders = {name: of[marked] for name, of in shown.items()} | {"centre": hill(marked.sum())}
    told = {"edge": EDGE, "revision": REVISION, "images": defective[marked].tolist(), "normals": len(normals)}
    told |= {"unmarked": defective[~known].tolist()} if not known.all() else {}
    return told | {"maps": maps, "perturbed": faithfulness(trained, defective[marked], orders)}


def evenly(items: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the items, evenly spaced."""
    return items if len(items) <= most else items[np.linspace(0, len(items) - 1, most).astype(int)]


def of_map(explained: Explained, masks: np.ndarray, known: np.ndarray, marked: np.ndarray) -> dict[str, Any]:
    """The measures of one kind of map: of every marked image `auroc` and `average_precision` of the map as it is shown;
    over all images of which it is known what is normal the `edges` between bins of raw values, and how many pixels lie
    in each: `normal`, and `components`, a list a connected component."""
    images = [(explained.shown[place].ravel(), masks[place].ravel()) for place in marked]
    normal = ~masks & known[:, None, None]
    edges = bin_edges(explained.raw[normal])
    components = [
        counted(raw[region == number], edges).tolist()
        for raw, mask in zip(explained.raw, masks, strict=True)
        for region, count in [ndimage.label(mask, NEIGHBOURS)]
        for number in range(1, count + 1)
    ]
    return {
        "auroc": [round(auroc(*image), 6) for image in images],
        "average_precision": [round(average_precision(*image), 6) for image in images],
        "edges": list(rounded(edges)),
        "normal": counted(explained.raw[normal], edges).tolist(),
        "components": components,
    }
