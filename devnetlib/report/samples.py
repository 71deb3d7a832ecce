"""Contact sheets: a few images of a data set that is at hand and may be shown, and of the toy with their masks."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from devnetlib.data.images import boxes_of, load_crops
from devnetlib.data.manifests import load_card
from devnetlib.data.prepare import prepare
from devnetlib.data.toy import DEFECTS, toy_image
from devnetlib.errors import Incomplete, Misuse
from devnetlib.report.figures import image_grid

SHOWN, PIXELS = 5, 128  # images a row, and how large each is drawn
FREE = "CC BY"  # licences that begin so allow a picture that names them
WHITE = np.uint8(255)
Rows = dict[str, list[NDArray[np.uint8]]]


def contact_sheet(name: str, path: Path) -> str | None:
    """Draw a few normals and a few anomalies of each class, a row each; the alternative text, or None where the data
    set is not at hand. Misuse for one whose licence does not allow it."""
    facts = load_card(name).facts
    if not facts["licence"]["name"].startswith(FREE):
        raise Misuse(f"{name}: its licence is {facts['licence']['name']}, so that no image of it is shown")
    try:
        rows = toy_rows() if name == "toy" else sample_rows(name)
    except (Misuse, Incomplete):
        return None
    figure = image_grid(list(rows.values()), list(rows))
    for shown in (picture for ax in figure.axes for picture in ax.images):
        shown.set_clim(0, 255)  # or each would be stretched to the whole range, and dark ones look like bright ones
    figure.savefig(path, dpi=80, metadata={"Software": None})  # the same bytes for the same picture
    plt.close(figure)
    return f"Sample images of {facts['title']}, a row each: {', '.join(rows)}."


def sample_rows(name: str) -> Rows:
    """Of the normals, and of each class of anomalies, images from all over the image table, made square."""
    data = prepare(name)
    kinds, rows = data.table["defect"].where(data.table["label"] == 1, "normal"), {}
    for kind in ["normal", *sorted(set(kinds) - {"normal"})]:
        found = data.table[kinds == kind]
        chosen = found.iloc[np.linspace(0, len(found) - 1, min(SHOWN, len(found))).astype(int)]
        images = zip(chosen["file"], boxes_of(chosen), strict=True)
        rows[kind] = [np.asarray(load_crops(data.root / file, [box], PIXELS)[0]) for file, box in images]
    return rows


def toy_rows() -> Rows:
    """The toy without a defect and with one of each kind, two images each, with their masks."""
    pairs = {kind: [toy_image(number, kind) for number in range(2)] for kind in ("", *DEFECTS)}
    return {
        kind or "no defect": [part for image, mask in two for part in (image, mask * WHITE)]
        for kind, two in pairs.items()
    }


def caption(name: str) -> str:
    """What the sheet of a data set shows, whose it is, and under which licence."""
    facts = load_card(name).facts
    home = f" Source: {facts['homepage']}." if facts["homepage"] else ""
    return f"{facts['title']}.{home} Licence: {facts['licence']['name']}."
