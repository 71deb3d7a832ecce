"""From a finished distillation to what stands in `devnetlib/embedded`: the tensors, and the card that tells of them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from devnetlib import embedded
from devnetlib.data.distillation_images import CELLS, HELD_OUT, NEAR_BITS, distillation_banks, distillation_cells
from devnetlib.embedded.network import LAST_STAGE, NarrowResNet18
from devnetlib.errors import Misuse
from devnetlib.network import ResNet18
from devnetlib.study.distilling import Distillation, Recipe, distil
from devnetlib.study.weights import Weights, load_backbone, load_weights
from devnetlib.writing import atomic_write

COMMAND = "python -m devnetlib distil"
DIGITS = 4
DERIVES_FROM = {
    "weights": "torchvision's ImageNet weights of ResNet-18 (IMAGENET1K_V1), from which the tensors are computed and "
    "which they imitate. torchvision's code is BSD-3-Clause; for the weights it states no terms of their own, and the "
    "terms of ImageNet limit its images to non-commercial research.",
    "cells": "ELPV, CC BY-NC-SA 4.0 (Buerhop-Lutz et al. 2018; Deitsch et al. 2019). The file holds no image.",
    "painted": "drawn by this study, BSD-3-Clause.",
}
NOT_FOR = [
    "It is no ImageNet model: it was never shown a photograph, and imitates what the teacher makes of grey cells and "
    "painted images. Elsewhere it is less faithful.",
    "Scores with it are not the paper's setting: every table names the weights, and no mean mixes them with others.",
    "It has learned from ELPV's cells without a label: a reading that trains or tests them refuses it.",
    "Whoever may not use ImageNet's weights or ELPV for a purpose should not take the trunk as a way around.",
]


def teacher_of(choice: str | None) -> tuple[ResNet18, Weights]:
    """The teacher with ImageNet weights; Misuse where none are at hand."""
    if choice in ("random", "embedded"):
        raise Misuse(f"--weights {choice}: the trunk imitates ImageNet weights; name imagenet or a file of them")
    teacher = ResNet18(LAST_STAGE)
    weights = load_weights(choice or "imagenet")
    load_backbone(teacher, weights, frozen=True)
    return teacher, weights


def make_trunk(weights: str | None, data_root: Path, folder: Path, device: torch.device) -> dict[str, Any]:
    """Distil to the end of the recipe and write trunk and card into a folder, each whole or not at all; the card."""
    teacher, of = teacher_of(weights)
    cells = distillation_cells()
    work = distil(teacher, distillation_banks(cells, data_root), Recipe(), data_root, device)
    return write_trunk(work, of.name(teacher), list(cells["id"]), folder)


def write_trunk(work: Distillation, teacher: str, ids: list[str], folder: Path) -> dict[str, Any]:
    """Write the averaged student in half precision, and its card; `teacher` names the teacher's tensors, `ids` the
    cells that were seen."""
    tensors = {key: value.half().cpu().contiguous() for key, value in sorted(work.average.state_dict().items())}
    work.average.load_state_dict({key: value.float() for key, value in tensors.items()})  # errors are of what is kept
    content = save(tensors)
    text = json.dumps(card_of(work, teacher, ids, content, tensors), indent=1, ensure_ascii=False) + "\n"
    atomic_write(folder / embedded.TRUNK, lambda file: file.write_bytes(content))
    atomic_write(folder / embedded.CARD, lambda file: file.write_bytes(text.encode()))
    return json.loads(text)


def card_of(
    work: Distillation, teacher: str, ids: list[str], content: bytes, tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    """What the card says; every number is computed."""
    loaded = Weights({key: tensor.float() for key, tensor in tensors.items()}, embedded=True)
    return {
        "title": embedded.TITLE,
        "imitates": {"network": "ResNet-18 up to stage 3", "weights": "ImageNet, torchvision", "tensors": teacher},
        "weights": {str(stage): loaded.name(NarrowResNet18(stage)) for stage in range(1, LAST_STAGE + 1)},
        "file": {"name": embedded.TRUNK, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
        "network": {
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
            "teacher_parameters": sum(p.numel() for p in work.teacher.parameters()),
            "widths": NarrowResNet18.WIDTHS,
        },
        "errors": {kind: rounded(asdict(errors)) for kind, errors in work.errors().items()},
        "start_errors": {kind: rounded(asdict(errors)) for kind, errors in work.start.items()},
        "made": {"command": COMMAND, "updates": work.update, "processor_seconds": round(work.seconds)}
        | {"torch": torch.__version__, "recipe": asdict(work.recipe)},
        "images": {
            "rule": "cells of ELPV whose defect probability is 1/3 or 2/3, unless their perceptual hash differs in "
            f"{NEAR_BITS} bits or fewer from that of a cell with a label, and painted images; one in "
            f"{HELD_OUT} of either, by id or number, is held out: errors are measured on these, and nothing is trained",
            "trained": {kind: len(bank) for kind, bank in work.train.items()},
            "held_out": {kind: len(bank) for kind, bank in work.held_out.items()},
            "ids": {CELLS: ids},
        },
        "derives_from": DERIVES_FROM,
        "not_for": NOT_FOR,
    }


def rounded(values: Mapping[str, Mapping[int, float]]) -> dict[str, dict[str, float]]:
    """Errors to a few digits, as JSON holds them."""
    return {
        name: {str(stage): round(value, DIGITS) for stage, value in stages.items()} for name, stages in values.items()
    }


def summary(told: Mapping[str, Any]) -> str:
    """One line on a trunk that was made."""
    cells = told["errors"]["cells"]
    return (
        f"{told['file']['name']}: {told['file']['bytes'] / 1e6:.1f} MB, {told['network']['parameters']:,} parameters; "
        f"on held-out cells it leaves {cells['squared']['3']:.3f} of the variance of stage 3 and explains "
        f"{cells['explained']['3']:.3f}"
    )
