"""devnetlib: the reference reproduction of Deviation Networks for few-shot anomaly detection in images (Pang et al.
2021).

The rooms, in the order of the paper:
    deviation, network, saliency, metrics    the idea, each readable on its own
    methods     the detectors behind one contract, and the controls
    data        cards, image tables, partitions, pixels
    embedded    a small trunk that stands in where no ImageNet weights are at hand
    study       runs and profiles, training, execution, grids, results
    report      statistics, the paper's numbers, tables, figures
    evidence    for and against what the tables say: the leak census

Names of shapes: N images, C,H,W channels and pixels, P patches (cells of a feature map). The names below are loaded
on first use; importing the package imports no torch.
"""

import os
from importlib import import_module
from typing import Any

# Read when torch is loaded. Threads that spin while they wait make two threads ten times slower beside a busy process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOME = {
    "METHODS": "methods",
    "CONTROLS": "methods",
    "Detector": "methods.detector",
    "deviation_loss": "deviation",
    "auroc": "metrics",
    "average_precision": "metrics",
    "f1_max": "metrics",
    "Run": "study.runs",
    "Training": "study.runs",
    "PROFILES": "study.runs",
    "QUESTIONS": "study.questions",
    "Scores": "study.results",
    "collect": "study.results",
    "plan": "study.planning",
    "question_grid": "study.planning",
    "execute": "study.execution",
    "execute_all": "study.grids",
    "publish": "study.publishing",
    "table": "report.tables",
    "check_parameters": "study.parameters",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"devnetlib has no {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"devnetlib.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
