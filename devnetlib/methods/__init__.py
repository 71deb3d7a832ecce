"""The methods, one file each, behind the contract of `detector.py`."""

from devnetlib.methods.bce import Bce
from devnetlib.methods.controls import CONTROLS
from devnetlib.methods.detector import Detector
from devnetlib.methods.devnet import DevNet
from devnetlib.methods.flos import Flos
from devnetlib.methods.mahalanobis import Mahalanobis

METHODS: dict[str, type[Detector]] = {
    "devnet": DevNet,
    "flos": Flos,
    "bce": Bce,
    "mahalanobis": Mahalanobis,
}

__all__ = ["CONTROLS", "METHODS", "Detector"]
