"""A detector for evaluation alone: batch normalisations are folded into the convolutions before them."""

from copy import deepcopy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from devnetlib.methods.detector import Detector


def folded(detector: Detector) -> Detector:
    """A copy in evaluation mode that passes over every map once less and scores the same within rounding; as it is,
    where it has no backbone.

    A backbone lists its layers in the order in which they are applied, as torchvision's do.
    """
    if detector.backbone is None:
        return detector.eval()
    copy = deepcopy(detector).eval()
    for part in list(copy.backbone.modules()):
        for (first, convolution), (second, normalisation) in pairwise(list(part.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                setattr(part, first, fuse_conv_bn_eval(convolution, normalisation))
                setattr(part, second, nn.Identity())
    return copy
