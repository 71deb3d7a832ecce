"""What is run: `Training`, `PROFILES`, and `Run`, one cell of the grid (standard library only)."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from devnetlib import embedded

REVISION = 2  # raised when a change of code moves a number, so that old scores are never taken for new ones


@dataclass(frozen=True)
class Training:
    """How a detector is trained."""

    trains: str  # "all": fine-tuned lane; "head": frozen lane, on cached maps; "own": a network without a lane
    pixels: int  # side of the square input
    updates: int
    batch: int  # images an update
    learning_rate: float  # Adam
    balanced: bool = True  # half of a batch normal, half labelled; else as they come
    decay_at: tuple[int, ...] = ()  # updates after which the rate is a tenth of what it was
    weight_decay: float = 1e-5
    clip: float = 0.0  # bound on the gradient's norm; 0: none
    rotation: float = 0.0  # degrees to either side, drawn anew for each image

    @property
    def lane(self) -> str:
        """The lane in the book's words."""
        return {"all": "fine-tuned", "head": "frozen", "own": "own network"}[self.trains]

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Training":
        return cls(**(stored | {"decay_at": tuple(stored["decay_at"])}))


@dataclass(frozen=True)
class Profile:
    """How much compute: a training, the options it implies, and what to expect of it."""

    purpose: str
    cost: str  # what one run takes, and where
    training: Training
    options: Mapping[str, Any] = field(default_factory=dict)


RELEASED = Training(
    "all",
    pixels=448,
    updates=1000,
    batch=48,
    learning_rate=2e-4,
    decay_at=(200, 400, 600, 800),
    clip=1.0,
    rotation=180.0,
)

PROFILES = {
    "smoke": Profile(
        "tests: does it run at all",
        "about a second",
        Training("all", pixels=64, updates=4, batch=16, learning_rate=2e-4),
        {"stage": 3, "stages": "2,3", "n_scales": 1, "projection": 16, "pretraining": 4, "coreset": 50},
    ),
    "quick": Profile(
        "the frozen lane: make study, classrooms, everything that needs hundreds of runs",
        "1-5 seconds on one core, after a minute of caching maps for each data set",
        Training("head", pixels=224, updates=200, batch=48, learning_rate=1e-2, decay_at=(100, 150)),
        {
            "stage": 3,
            "stages": "2,3",
            "n_scales": 1,
            "heads": 32,
            "projection": 64,
            "pretraining": 75,
            "pretraining_rate": 1e-3,
        },
    ),
    "laptop": Profile(
        "fine-tuning without a GPU",
        "3-8 minutes on two cores",
        Training("all", pixels=224, updates=100, batch=48, learning_rate=2e-4, clip=1.0, rotation=180.0),
        {"n_scales": 1, "pretraining": 450, "pretraining_rate": 1e-3},
    ),
    "released": Profile(
        "the released code's setting, the nearest to the paper",
        "seconds on a data-centre GPU, a minute or two on a desktop one, half a day on two cores",
        RELEASED,
    ),
}


SPLITS, DRAWS = range(5), range(4)  # crossed in every published cell unless its row says otherwise
# Few normal images are tested, so that the split moves the result most; or the release divides them itself.
OTHER_SPLITS = {
    "brainmri": range(10),
    "headct": range(10),
    "kolektorsdd:table1": range(1),
    "mastcam": range(1),
    "mvtec": range(1),
}


def splits_of(dataset: str, reading: str | None = None) -> range:
    """The splits that are published of a data set, or of a subset of its family, in a reading."""
    return OTHER_SPLITS.get(f"{dataset}:{reading}") or OTHER_SPLITS.get(dataset.partition("/")[0], SPLITS)


@dataclass(frozen=True)
class Run:
    """One training and its scores: what was asked, never what came out. Plain values only; no path, host, device or
    clock."""

    dataset: str
    reading: str
    method: str
    profile: str
    training: Training
    weights: str  # "none", "random", or 16 hex digits that name the tensors of the backbone that are used
    options: Mapping[str, Any] = field(default_factory=dict)  # only what departs from the profile's options
    protocol: str = "general"
    anomalies: int = 10
    contamination: float = 0.0  # share of anomalies among the images trained as normal
    split: int = 0  # which normals train
    draw: int = 0  # which anomalies are labelled
    seed: int = 0  # initialisation, batches, reference scores
    revision: int = REVISION

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {"training": dict(vars(self.training)), "options": dict(sorted(self.options.items()))}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Run":
        return cls(**(stored | {"training": Training.from_json(stored["training"])}))

    @cached_property
    def key(self) -> str:
        """Name of its scores file: a readable stem and a hash of everything."""
        digest = hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:12]
        protocol = re.sub(r"[^A-Za-z0-9._-]", "_", self.protocol)  # the name of a class may hold anything
        return f"{self.method}-{protocol}-n{self.anomalies}-split{self.split}-draw{self.draw}-seed{self.seed}-{digest}"

    @property
    def row(self) -> str:
        """The row of a table it belongs to: its method, with the options that depart from the profile's."""
        return " ".join([self.method, *(f"{name}={value}" for name, value in sorted(self.options.items()))])

    @property
    def command(self) -> str:
        """The command line that executes it again; a weights' file of your own stays to be named."""
        words = [
            f"--{name} {shlex.quote(str(getattr(self, name)))}"
            for name in ("dataset", "reading", "method", "profile", "protocol", "anomalies", "split", "draw", "seed")
        ]
        words += [f"--contamination {self.contamination}"] if self.contamination else []
        usual = PROFILES[self.profile].training.batch
        words += [f"--batch {self.training.batch}"] if self.training.batch != usual else []
        words += [f"--option {name}={value}" for name, value in sorted(self.options.items())]
        words += [f"--weights {self.weights_choice}"] if self.weights != "none" else []
        return " ".join(["python -m devnetlib run", *words])

    @property
    def weights_choice(self) -> str:
        """How the command line asks for its weights."""
        if self.weights in embedded.names().values():
            return "embedded"
        return "random" if self.weights == "random" else "imagenet"

    def __hash__(self) -> int:
        return hash(self.key)
