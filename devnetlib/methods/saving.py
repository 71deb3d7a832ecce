"""A trained detector as one file of plain tensors: what built it stands beside them, no code does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from devnetlib.errors import Misuse
from devnetlib.methods import METHODS, Detector


def save(detector: Detector, method: str, options: Mapping[str, Any], path: Path) -> None:
    """Write all tensors of a detector, with the name of its method and the options that it was built with."""
    tensors = {key: value.contiguous() for key, value in detector.state_dict().items()}
    save_file(tensors, path, metadata={"method": method, "options": json.dumps(dict(options))})


def load(path: Path) -> Detector:
    """The detector in eval mode, on the processor. Raises Misuse for a file that `save` did not write."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dictionary)
        detector = METHODS[facts["method"]](torch.Generator(), **json.loads(facts["options"]))
        detector.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise Misuse(f"{path}: no detector that this version saved ({reason}); train it again and save it") from None
    return detector.eval()
