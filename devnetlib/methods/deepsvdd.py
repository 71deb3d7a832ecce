"""Deep SVDD: an encoder of its own draws normal images to a centre (Ruff et al. 2018); no label is used."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init
from tqdm import trange

from devnetlib.deviation import check_shapes
from devnetlib.methods.detector import Detector
from devnetlib.network import initialise

SIDE, CODE = 32, 128  # pixels of the input; dimensions of the code
LEAK = 0.01
DECAY = 0.5e-6
PRETRAINING_RATE, PRETRAINING_BATCH = 1e-4, 200
WARM_UP = 60  # updates before the radius of the soft boundary follows the distances: ten epochs of ELPV
CENTRE_OFF_ZERO = 0.1


def squared_distance(codes: Tensor, centre: Tensor) -> Tensor:
    """Codes (N,d) -> squared distances (N,) from the centre (d,)."""
    return (codes - centre).square().sum(dim=1)


def centre_of(codes: Tensor, off_zero: float = CENTRE_OFF_ZERO) -> Tensor:
    """Mean (d,) of codes (N,d), coordinates closer to 0 than `off_zero` moved to it, each to its own side (an exact 0
    stays): a zero could be reached by weights of zero."""
    centre = codes.mean(dim=0)
    return torch.where(centre.abs() < off_zero, off_zero * centre.sign(), centre)


def contrast_normalised(images: Tensor) -> Tensor:
    """Global contrast normalisation of each image (N,3,H,W): less its mean, divided by its mean absolute value."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    return centred / centred.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)


def conv(inputs: int, outputs: int, kind: type[nn.Module] = nn.Conv2d) -> nn.Module:
    """A 5x5 convolution (or transposed one) that keeps the size; without bias, by which all images could be mapped to
    the centre."""
    return skip_init(kind, inputs, outputs, 5, padding=2, bias=False)


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-4, affine=False)


class Encoder(nn.Sequential):
    """The authors' LeNet for CIFAR-10: images (N,3,32,32) -> codes (N,128)."""

    def __init__(self) -> None:
        layers = []
        for inputs, outputs in ((3, 32), (32, 64), (64, 128)):
            layers += [conv(inputs, outputs), norm(outputs), nn.LeakyReLU(LEAK), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), skip_init(nn.Linear, 2048, CODE, bias=False))


class Decoder(nn.Sequential):
    """The other half of the authors' autoencoder: codes (N,128) -> images (N,3,32,32) in (0, 1)."""

    def __init__(self) -> None:
        layers = [nn.BatchNorm1d(CODE, eps=1e-4, affine=False), nn.Unflatten(1, (8, 4, 4)), nn.LeakyReLU(LEAK)]
        for inputs, outputs in ((8, 128), (128, 64), (64, 32)):
            layers += [conv(inputs, outputs, nn.ConvTranspose2d), norm(outputs), nn.LeakyReLU(LEAK)]
            layers += [nn.Upsample(scale_factor=2)]
        super().__init__(*layers, conv(32, 3, nn.ConvTranspose2d), nn.Sigmoid())


def initialise_xavier(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the convolutions as in Glorot and Bengio (2010), for leaky rectifiers; the rest as `initialise` does."""
    initialise(network, generator)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            gain = nn.init.calculate_gain("leaky_relu", LEAK)
            nn.init.xavier_uniform_(layer.weight, gain=gain, generator=generator)


class DeepSvdd(Detector):
    """Deep SVDD with the authors' LeNet on images of 32 px: the score is the code's squared distance from a centre.

    Before the first update: constants that bring the contrast-normalised training normals to [0, 1], an autoencoder's
    training, and the centre, which then stays. Options: `pretraining`, updates of the autoencoder (350 epochs of ELPV's
    training normals); `pretraining_rate`, its learning rate, a tenth of it after five sevenths; `nu`, the share of
    training normals that a soft boundary leaves outside (0: the one-class objective). The paper keeps the settings that
    the authors recommend and states no size for its images; these are the README's for CIFAR-10. There is no backbone
    and no frozen lane. `quick` and `laptop` are shorter, at the rate of the authors' code instead of the README's.
    """

    uses_labels = False
    prepares = True
    raw = True
    backbone = None
    schedule: ClassVar = {
        "": {
            "trains": "own",
            "pixels": SIDE,
            "rotation": 0.0,
            "clip": 0.0,
            "batch": 200,
            "learning_rate": 1e-4,
            "weight_decay": DECAY,
            "updates": 900,
            "decay_at": (300,),
        },
        "smoke": {"updates": 4, "batch": 16, "decay_at": ()},
        "quick": {"updates": 75, "batch": 128, "learning_rate": 1e-3, "decay_at": (25,)},
        "laptop": {"updates": 450, "batch": 128, "learning_rate": 1e-3, "decay_at": (150,)},
    }

    def __init__(
        self,
        generator: torch.Generator,
        *,
        pretraining: int = 2100,
        pretraining_rate: float = PRETRAINING_RATE,
        nu: float = 0.0,
    ):
        super().__init__()
        if pretraining < 0 or not 0 <= nu < 1 or not 0 < pretraining_rate < float("inf"):
            raise ValueError(
                f"pretraining {pretraining}, pretraining_rate {pretraining_rate}, nu {nu}: expected updates >= 0, a "
                "rate above 0 and a share in [0, 1)"
            )
        self.generator, self.pretraining, self.rate, self.nu = generator, pretraining, pretraining_rate, nu
        self.encode = Encoder()
        initialise_xavier(self.encode, generator)
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))
        self.register_buffer("centre", torch.zeros(CODE))
        self.register_buffer("radius", torch.zeros(()))
        self.calls = 0

    def features(self, images: Tensor) -> list[Tensor]:
        """Images (N,3,H,W) in [0, 1] as they are, resized to 32 px where they are not: everything is trained."""
        same = images.shape[-2:] == (SIDE, SIDE)
        return [images if same else F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)]

    def inputs(self, images: Tensor) -> Tensor:
        """Contrast-normalised images, the training normals' range brought to [0, 1]."""
        return (contrast_normalised(images) - self.low) / (self.high - self.low)

    def prepare(self, normals: list[Tensor], anomalies: list[Tensor]) -> None:
        ranged = contrast_normalised(normals[0])
        self.low.copy_(ranged.min())
        self.high.copy_(ranged.max())
        images = self.inputs(normals[0])
        self.pretrain(images)
        self.encode.eval()
        with torch.inference_mode():
            codes = torch.cat([self.encode(part) for part in images.split(PRETRAINING_BATCH)])
        self.centre.copy_(centre_of(codes))

    def pretrain(self, images: Tensor) -> list[float]:
        """Train encoder and decoder to reproduce `images` (N,3,32,32); returns the losses, squared error an image."""
        decode = Decoder().to(images.device)
        initialise_xavier(decode, self.generator)
        both = nn.Sequential(self.encode, decode).train()
        optimiser = torch.optim.Adam(both.parameters(), lr=self.rate, weight_decay=DECAY)
        decay = torch.optim.lr_scheduler.MultiStepLR(optimiser, [self.pretraining * 5 // 7])
        losses = []
        for _ in trange(self.pretraining, desc="autoencoder", unit="update", delay=2, leave=False, disable=None):
            drawn = torch.randperm(len(images), generator=self.generator)[:PRETRAINING_BATCH]
            batch = images[drawn.to(images.device)]
            loss = (both(batch) - batch).square().sum(dim=(1, 2, 3)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            decay.step()
            losses.append(loss.detach())
        return torch.stack(losses).tolist() if losses else []

    def score(self, maps: list[Tensor]) -> Tensor:
        """Squared distances (N,) from the centre, less the squared radius of a soft boundary."""
        return squared_distance(self.encode(self.inputs(maps[0])), self.centre) - self.radius.square()

    def outputs(self, maps: list[Tensor]) -> Tensor:
        """Squared distances of the one encoder, (N,1)."""
        return squared_distance(self.encode(self.inputs(maps[0])), self.centre)[:, None]

    def loss(self, distances: Tensor, labels: Tensor) -> Tensor:
        """Mean squared distance (N,); under a soft boundary R^2 + mean(max(0, d - R^2)) / nu, where R follows the
        (1 - nu)-quantile of the batch."""
        check_shapes(distances, labels)
        if not self.nu:
            return distances.mean()
        inside = self.radius.square()
        value = inside + (distances - inside).clamp(min=0).mean() / self.nu
        self.calls += 1
        if self.calls > WARM_UP:
            self.radius.copy_(distances.detach().sqrt().quantile(1 - self.nu))
        return value
