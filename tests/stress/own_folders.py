"""Folders of one's own as they lie on people's disks."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from devnetlib.data.intake import get

Rng = np.random.Generator
NAME = "my/set"
USUAL = [".png", ".PNG", ".jpg", ".jpeg", ".bmp", ".tif", ".TIFF", ".webp", ".jfif", ".pgm", ".ppm"]
KINDS = {".jpg": "jpeg", ".jpeg": "jpeg", ".jfif": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".pgm": "ppm"}
ODD_NAMES = ["a,b", 'q"uote', "it's", "hash#1", "per%20cent", "dots.1.2", "NA", "nan", "-dash", "=1+1", "bracket[1]"]
ODD_NAMES += ["star*", "$x", "a" * 240, "ü", "日本", "colon:1", "~", "semi;colon", "q?"]
# These may be refused.
HARD_NAMES = [" lead", "trail ", "tab\there", "back\\slash", "u\u0308", "A", "a", "a|b", "x_mask", "line\nbreak"]
HARD_NAMES += ["carriage\rreturn", "\x07bell", "\udcff", "\x1b[31m", "\u2028", "\ufeff", "e\u0301", "é", "con", "."]
LEFT_BEHIND = [".DS_Store", "Thumbs.db", "__MACOSX/normal/._0.png", "notes.txt", "normal/labels.csv", "anomaly/x.json"]
STRANGE_IMAGES = ["more/0.png", "top.png", "normal_test/1.png", "abnormal/2.png", "test/0.png", "labels/3.webp"]


def image(path: Path, rng: Rng, size: tuple[int, int] = (9, 7)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = Image.fromarray(rng.integers(1, 256, size[::-1], np.uint8))
    with path.open("wb") as stream:
        noise.save(stream, KINDS.get(path.suffix.lower(), path.suffix[1:].lower()))


@dataclass
class Tree:
    """A folder of one's own, a data root, and what is known of the files."""

    folder: Path
    divided: bool  # as MVTec AD, or in two folders
    link: bool
    suffixes: Sequence[str] = (".png",)
    label: dict[str, str] = field(default_factory=dict)  # of images that must be read, by their path
    inner: str = ""  # the folder within the source in which they all lie
    masks: dict[str, str] = field(default_factory=dict)  # of images, where it is certain which is whose
    doubtful: list[str] = field(default_factory=list)  # what may be refused, and must be named then

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def place(self) -> Path:
        return self.root / NAME

    def put(self, rng: Rng, part: str, name: str, label: str) -> str:
        """An image in a part of the tree; its path."""
        file = f"{part}/{name}{rng.choice(self.suffixes)}"
        image(self.source / file, rng)
        self.label[file] = label
        return file

    def get(self, source: Path | None = None) -> list[str]:
        return get(NAME, source or self.source, self.link, self.root)


def tree(rng: Rng, folder: Path, suffixes: Sequence[str] = USUAL) -> Tree:
    """Images of both labels, with masks or without, in either form."""
    made = Tree(folder, bool(rng.random() < 0.5), bool(rng.random() < 0.5), suffixes)
    normal, anomaly = (["train/good", "test/good"], "test") if made.divided else (["normal"], "anomaly")
    for part in normal:
        for number in range(2):
            made.put(rng, part, str(number), "0")
    kinds = [str(kind) for kind in rng.choice(["hole", "dent 2", "crack"], rng.integers(1, 3), replace=False)]
    if not made.divided and rng.random() < 0.5:
        kinds = [""]
    truth = "ground_truth" if made.divided or rng.random() < 0.7 else "masks"
    masked = rng.random() < 0.5
    for kind in kinds:
        for number in range(2):
            file = made.put(rng, f"{anomaly}/{kind}".rstrip("/"), str(number), "1")
            if masked:
                mask = f"{truth}/{kind}/{number}{rng.choice(['_mask', ''])}.png".replace("//", "/")
                (made.source / mask).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.eye(7, 9, dtype=np.uint8) * 255).save(made.source / mask)
                made.masks[file] = mask
    return made


def state(path: Path) -> dict[str, tuple]:
    """Everything below a folder: what it is, its content or where it leads, and when it was changed."""
    found = {}
    for each in [path, *path.rglob("*")]:
        stat = each.lstat()
        content = (
            os.readlink(each) if each.is_symlink() else each.is_file() and hashlib.sha256(each.read_bytes()).digest()
        )
        found[os.fspath(each.relative_to(path))] = (stat.st_mode, content, 0 if each.is_dir() else stat.st_mtime_ns)
    return found


def add_links(made: Tree, rng: Rng) -> None:
    """A class folder that is a link, an image that is one, a link to nowhere, a link to a folder above itself."""
    part = made.source / sorted(made.label)[rng.integers(len(made.label))]
    what = rng.integers(4)
    if what < 2:
        moved = part.parent if what == 0 else part
        (made.folder / "elsewhere").mkdir()
        moved = moved.rename(made.folder / "elsewhere" / moved.name)
        (part.parent if what == 0 else part).symlink_to(moved)
    else:
        (part.parent / ["nowhere.png", "loop"][what - 2]).symlink_to([made.folder / "none", made.source][what - 2])


def add_odd_names(made: Tree, rng: Rng) -> None:
    part = ["train/good", "normal"][not made.divided]
    for name in rng.choice(ODD_NAMES + HARD_NAMES, rng.integers(1, 4), replace=False).tolist():
        file = made.put(rng, part, name, "0")
        made.doubtful += [name, repr(name)[1:-1], file] if name in HARD_NAMES else []


def add_strangers(made: Tree, rng: Rng) -> None:
    """Files that are no images of the set; those that might be meant as some are images."""
    for name in rng.choice(LEFT_BEHIND + STRANGE_IMAGES, rng.integers(1, 5), replace=False):
        path = made.source / str(name)
        if path.suffix in (".png", ".webp") and "._" not in path.name:
            image(path, rng)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("no image")


def add_damage(made: Tree, rng: Rng) -> None:
    """An image that is cut or empty, one of several frames, a mask of no image, a fifo."""
    part = made.source / ["train/good", "normal"][not made.divided]
    what = rng.integers(5)
    if what == 4:
        os.mkfifo(part / "pipe.png")
    elif what == 3:
        frames = [Image.fromarray(rng.integers(0, 256, (7, 9), np.uint8)) for _ in range(2)]
        frames[0].save(part / "several.tif", save_all=True, append_images=frames[1:])
    elif what == 2:
        image(made.source / "ground_truth/none/77.png", rng)
    else:
        whole = made.source / sorted(made.label)[0]
        whole.write_bytes(whole.read_bytes()[: 20 * what])
        made.doubtful.append(whole.name)
    made.doubtful += ["pipe.png", "several.tif", "77"]


def add_other_places(made: Tree, rng: Rng) -> None:
    """Images where the layout has no place for them, or has one deeper down; a second set beside the first."""
    normal, anomaly = ("train/good", "test/hole") if made.divided else ("normal", "anomaly")
    what = rng.integers(5)
    if what == 0:
        made.put(rng, f"{normal}/lot 7/b", "90", "0")
        made.put(rng, f"{anomaly}/lot 7/b", "91", "1")
    elif what == 1:
        image(made.source / ["train/hole/92.png", "good/92.png"][not made.divided], rng)
    elif what == 2:
        for number in range(int(rng.integers(12, 30))):
            (made.source / f"{normal}/{number}.xml").write_text("an annotation")
    elif what == 3:
        for part in ("normal", "anomaly", "train/good", "test/good", "test/hole"):
            image(made.source / "z" / part / "93.png", rng)
    else:
        image(made.source / ".thumbnails" / "94.png", rng)


def rename_folders(made: Tree, rng: Rng) -> None:
    """A folder of the layout in other letters; what is in it may be read, or is named, or all is refused."""
    names = ["train", "test", "test/good", "train/good"] if made.divided else ["normal", "anomaly"]
    folder = made.source / str(rng.choice([*names, "ground_truth"]))
    if folder.is_dir():
        folder.rename(folder.with_name([folder.name.upper(), folder.name.title(), f"{folder.name} "][rng.integers(3)]))
        made.label, made.masks, made.doubtful = {}, {}, [""]


def add_doubtful_masks(made: Tree, rng: Rng) -> None:
    """One mask for two images of one name, or two masks for one image."""
    image_file, mask = next(iter(made.masks.items()), ("", ""))
    if image_file and rng.random() < 0.5:
        path = made.source / image_file
        image(path.with_suffix(".gif" if path.suffix == ".bmp" else ".bmp"), rng)
        made.masks[image_file] = ""
    elif image_file:
        path = made.source / mask
        path.with_name(
            f"{path.stem}_mask.bmp" if "_mask" not in mask else path.name.replace("_mask.png", ".bmp")
        ).write_bytes(path.read_bytes())
    made.doubtful += [Path(mask).name, Path(mask).stem.removesuffix("_mask")] if mask else []


def wrap(made: Tree, rng: Rng) -> None:
    """All of it in a folder within the source, as archives are unpacked."""
    made.inner = "release 1.0/"
    made.source.rename(made.folder / "inner")
    made.source.mkdir()
    (made.folder / "inner").rename(made.source / made.inner)
    if rng.random() < 0.5:
        image(made.source / "cover.png", rng)


SPOILED = (
    add_links,
    add_odd_names,
    add_strangers,
    add_damage,
    add_other_places,
    rename_folders,
    add_doubtful_masks,
    wrap,
)
