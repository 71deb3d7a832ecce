"""Images that change between two runs: the scores returned are those of the images at hand, or it is said why there are
none."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from devnetlib.data.intake import get
from devnetlib.study.execution import Machine
from devnetlib.study.grids import execute_all
from devnetlib.study.planning import plan
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered

Rng = np.random.Generator
NAME = "my/set"
CHANGES: dict[str, Callable[["Study", Rng], None]] = {}
Values = dict[str, float]


def picture(path: Path, rng: Rng) -> None:
    """A small grey picture of its own size and brightness."""
    width, height = rng.integers(8, 24, 2)
    noise = rng.integers(0, 40, (height, width)) + rng.integers(0, 200)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise.astype(np.uint8)).save(path)


@dataclass
class Study:
    """A folder of one's own, a data root and a results folder, and one of the controls that are quickly computed."""

    folder: Path
    method: str
    link: bool

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def files(self) -> list[Path]:
        return sorted(self.source.rglob("*.png"))

    def prepare(self, root: Path | None = None) -> None:
        get(NAME, self.source, self.link, root or self.root)

    def scored(self, root: Path | None = None) -> Values:
        """The score of every test image, by id; raises what keeps the run from being finished."""
        root = root or self.root
        runs = plan(NAME, self.method, "smoke", "random", anomalies=2, data_root=root)
        (scores, failures) = execute_all(runs, self.folder / "results", Machine(threads=1, data_root=root))
        for failure in failures:
            raise failure.error
        return dict(zip(scores[0].ids, abs(scores[0].values).tolist(), strict=True))

    def right(self) -> Values:
        """What the control must say of every image of the source, but for its sign."""
        found = {}
        for path in self.files():
            with Image.open(path) as image:
                grey = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)).mean(dtype=np.float64)
                value = grey if self.method == "grey" else image.width * image.height
            found[path.relative_to(self.source).as_posix()] = float(f"{value:.7g}")
        return found

    def check(self, found: Values, right: Values, when: str) -> None:
        """Raise Wrong unless values are the right ones."""
        off = {name: value for name, value in found.items() if right.get(name) != value}
        if off or not found:
            name, value = next(iter(off.items()), ("no image", 0))
            raise Wrong(
                f"{when}: {len(off)} of {len(found)} scores are not of the images at hand, such as {name}: "
                f"{value}, right is {right.get(name)}"
            )


def change(function: Callable[[Study, Rng], None]) -> Callable[[Study, Rng], None]:
    """Enter a change under its name; it raises what the second run raises, or Wrong."""
    CHANGES[function.__name__] = function
    return function


def repaint(files: list[Path], rng: Rng) -> None:
    """Other pixels in some of the files, or in all; some are replaced as editors replace them."""
    for path in rng.choice(np.array(files, dtype=object), rng.integers(1, len(files) + 1), replace=False):
        if rng.random() < 0.5:
            path.unlink()
        picture(path, rng)


@change
def prepared_again_from_other_images(study: Study, rng: Rng) -> None:
    repaint(study.files(), rng)
    study.prepare()
    study.check(study.scored(), study.right(), "prepared again")


@change
def prepared_again_with_other_labels(study: Study, rng: Rng) -> None:
    moved = study.source / "normal" / "0.png"
    moved.rename(study.source / "anomaly" / f"{rng.integers(100, 999)}.png")
    study.prepare()
    study.check(study.scored(), study.right(), "labels mended")


@change
def prepared_again_from_the_same(study: Study, rng: Rng) -> None:
    study.prepare()
    asked(lambda: study.check(study.scored(), study.right(), "the same again"), may_refuse=False)


@change
def touched(study: Study, rng: Rng) -> None:
    for path in study.files():
        os.utime(path, ns=(0, int(rng.integers(10**18))))
    asked(lambda: study.check(study.scored(), study.right(), "touched"), may_refuse=False)


@change
def changed_where_they_lie(study: Study, rng: Rng) -> None:
    """A linked folder was changed since: its scores may not be returned, neither the old nor new ones under the old
    digest. A copy is what it was."""
    before = study.right()
    repaint(study.files(), rng)
    forgetful(study, rng)
    found = study.scored()
    if study.link and study.right() != before:
        raise Wrong(
            f"linked images changed, and scores are returned: of the old ones {found.items() <= before.items()}, "
            f"of the new ones {found.items() <= study.right().items()}"
        )
    study.check(found, before if not study.link else study.right(), "changed in place")


@change
def copies_changed(study: Study, rng: Rng) -> None:
    """Files of the data root itself were overwritten: what is returned is of the images that were prepared."""
    before = study.right()
    copies = sorted((study.root / NAME / "files").rglob("*.png"))
    if copies:
        repaint(copies, rng)
    forgetful(study, rng)
    study.check(study.scored(), before, "copies changed")


@change
def gone(study: Study, rng: Rng) -> None:
    """Files, or their whole folder, are gone."""
    before = study.right()
    if rng.random() < 0.5:
        study.source.rename(study.folder / "moved")
    else:
        study.files()[rng.integers(len(study.files()))].unlink()
    forgetful(study, rng)
    study.check(study.scored(), before, "gone")


@change
def two_data_roots(study: Study, rng: Rng) -> None:
    """Of one name and one results folder, asked in turn; the first a copy."""
    first = study.right()
    repaint(study.files(), rng)
    study.prepare(study.folder / "other root")
    study.check(study.scored(study.folder / "other root"), study.right(), "in the other data root")
    if not study.link:
        study.check(study.scored(), first, "in the first data root again")


def forgetful(study: Study, rng: Rng) -> None:
    """Sometimes caches are cleared, or stored scores deleted."""
    for folder in ("root/cache", "results"):
        if rng.random() < 0.3:
            shutil.rmtree(study.folder / folder, ignore_errors=True)


def trial(rng: Rng, folder: Path) -> str:
    """Prepared, run, changed and run again, at times twice."""
    study = Study(folder, str(rng.choice(["grey", "size"])), bool(rng.random() < 0.5))
    for name in [*(f"normal/{number}" for number in range(6)), *(f"anomaly/{number}" for number in range(4))]:
        picture(study.source / f"{name}.png", rng)
    study.prepare()
    study.check(study.scored(), study.right(), "at first")
    name = str(rng.choice(list(CHANGES)))
    try:
        done = asked(lambda: CHANGES[name](study, rng) or True)
    except Exception as error:
        raise type(error)(f"{name}, {study.method}{', linked' if study.link else ''}: {error}") from error
    return REFUSED if done is None else RIGHT


@numbered(15, 2000)
def test_scores_are_of_the_images_at_hand(tmp_path, record_property, numbers):
    held("stale", trial, numbers, tmp_path, record_property)
