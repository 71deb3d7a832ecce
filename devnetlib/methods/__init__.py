"""The methods, one file each, behind the contract of `detector.py`."""

from devnetlib.methods.bce import Bce
from devnetlib.methods.controls import CONTROLS
from devnetlib.methods.deepsad import DeepSad
from devnetlib.methods.deepsvdd import DeepSvdd
from devnetlib.methods.detector import Detector
from devnetlib.methods.devnet import DevNet, Ds, DsAlexNet, DsResNet50, PatchDs, Rep
from devnetlib.methods.flos import Flos
from devnetlib.methods.kdad import Kdad
from devnetlib.methods.logistic import Logistic
from devnetlib.methods.mahalanobis import Lda, Mahalanobis
from devnetlib.methods.minns import Minns
from devnetlib.methods.nearest import Nearest

METHODS: dict[str, type[Detector]] = {
    "devnet": DevNet,
    "kdad": Kdad,
    "deepsvdd": DeepSvdd,
    "deepsad": DeepSad,
    "flos": Flos,
    "minns": Minns,
    "rep": Rep,
    "ds": Ds,
    "patch_ds": PatchDs,
    "ds_alexnet": DsAlexNet,
    "ds_resnet50": DsResNet50,
    "bce": Bce,
    "logistic": Logistic,
    "mahalanobis": Mahalanobis,
    "lda": Lda,
    "nearest": Nearest,
}

__all__ = ["CONTROLS", "METHODS", "Detector"]
