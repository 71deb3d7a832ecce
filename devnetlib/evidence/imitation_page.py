"""The card of the embedded trunk for people: a table of a page, and the numbers that sentences quote (no torch)."""

from devnetlib.embedded import card
from devnetlib.evidence.census_page import head, line, page_table
from devnetlib.report.html import tag

KINDS = {"cells": "ELPV cells", "painted": "painted images"}


def errors_table_html() -> str:
    """A line a kind of image and stage: what is left of the teacher's variance, and what is explained, before training
    and after."""
    told = card()
    names = ("images", "stage", "held out", "squared error, start", "squared error", "explained, start", "explained")
    body = "".join(
        line(title, [stage, str(told["images"]["held_out"][kind]), *error_texts(kind, stage)])
        for kind, title in KINDS.items()
        for stage in told["errors"][kind]["squared"]
    )
    words = (
        "Maps of the trunk against those of the ImageNet network, on images that neither was trained on: mean squared "
        "error in units of each channel's variance over the training images, and the share of the variance over these "
        "images that is explained. Start: before training, as closed forms leave it."
    )
    return page_table(words, tag("tr", "".join(map(head, names))), body)


def error_texts(kind: str, stage: str) -> list[str]:
    """The numbers of one line."""
    told = card()
    return [
        f"{told[when][kind][what][stage]:.3f}"
        for what in ("squared", "explained")
        for when in ("start_errors", "errors")
    ]


def numbers() -> dict[str, str]:
    """What sentences say of the trunk."""
    told = card()
    made, images = told["made"], told["images"]
    phases = made["recipe"]["phases"]
    texts = {
        "megabytes": f"{told['file']['bytes'] / 1e6:.1f}",
        "teacher_megabytes": f"{4 * told['network']['teacher_parameters'] / 1e6:.1f}",
        "parameters": f"{told['network']['parameters'] / 1e6:.2f} million",
        "teacher_parameters": f"{told['network']['teacher_parameters'] / 1e6:.2f} million",
        "widths": ", ".join(map(str, told["network"]["widths"].values())),
        "digest": told["file"]["sha256"][:12],
        "weights": told["weights"]["3"],
        "updates": f"{made['updates']:,}",
        "batch": str(made["recipe"]["batch"]),
        "phases": " and ".join(f"{count:,} at {pixels} px" for count, pixels in phases),
        "minutes": f"{made['processor_seconds'] / 60:.0f}",
        "cells": str(len(images["ids"]["elpv"])),
    }
    for kind in KINDS:
        texts |= {f"{kind}_trained": str(images["trained"][kind]), f"{kind}_held_out": str(images["held_out"][kind])}
        texts |= {f"{kind}_explained": f"{told['errors'][kind]['explained']['3']:.0%}".replace("%", " %")}
    return {f"trunk_{name}": text for name, text in texts.items()}
