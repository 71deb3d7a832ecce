"""Folders of one's own as they lie on people's disks: every file is read or named, nothing is lost, and no other folder
is touched."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from devnetlib.data.intake import get, masks_in
from devnetlib.data.layouts.files import sha256
from devnetlib.data.prepare import prepare, verify
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered

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


def files_of(source: Path) -> set[str]:
    """All files below a folder, links followed but for those that lead back."""
    found, seen = set(), set()

    def walk(folder: Path, inner: str) -> None:
        if (real := folder.resolve()) in seen:
            return
        seen.add(real)
        for each in sorted(folder.iterdir()):
            if each.is_dir():
                walk(each, f"{inner}{each.name}/")
            elif each.is_file() or each.is_symlink():
                found.add(f"{inner}{each.name}")

    walk(source, "")
    return found


def named(file: str, remarks: list[str]) -> bool:
    """Whether a file is named, or counted with those of its folder or, if it is no image, of its kind."""
    path, text = Path(file), "\n".join(remarks)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    told = [file, repr(file)[1:-1], path.suffix if path.suffix.lower() not in USUAL else ""]
    told += path.parts[:-1][:1] if path.parts[0] not in ("train", "test", "normal", "anomaly") else []
    return any(each and each in text for each in told) or (hidden and ("hidden" in text or "__MACOSX" in text))


def check_table(made: Tree, remarks: list[str]) -> None:
    """Raise Wrong unless every file was read, with the right label and mask, or named; and is stored as it was."""
    data = prepare(NAME, data_root=made.root)
    read = dict(zip(data.table["file"], data.table["label"].astype(str), strict=True))
    cells = dict(zip(data.table["file"], data.table["mask"], strict=True))
    off = {file for file, label in made.label.items() if read.get(file, label) != label}
    lost = {file for file in made.label if file not in read and not (made.doubtful and named(file, remarks))}
    masks = {mask for cell in cells.values() for mask in masks_in(cell)}
    silent = {file for file in files_of(made.source) - {*read} - masks if not named(file, remarks)}
    other = {file for file, mask in made.masks.items() if cells.get(file, mask) not in (mask, "")}
    for what, files in {
        "has another label": off,
        "not read": lost,
        "neither read nor named": silent,
        "has another mask": other,
    }.items():
        if files:
            raise Wrong(f"{what}: {sorted(files)[:3]} of {len(made.label)}; {remarks[:3]}")
    if any(sha256(made.source / file) != sha256(data.root / file) for file in {*read} | masks) or verify(data):
        raise Wrong("the files prepared are not those of the source")


def trial(rng: Rng, folder: Path) -> str:
    """A tree with some of what people have in theirs, prepared once."""
    made = tree(rng, folder)
    spoilt = [each for each in (add_links, add_odd_names, add_strangers, add_damage) if rng.random() < 0.35]
    for spoil in spoilt:
        spoil(made, rng)
    (made.root / "my" / "other").mkdir(parents=True)
    (made.root / "my" / "other" / "thesis.docx").write_text("years of work")
    before = state(folder)
    remarks = asked(made.get, made.doubtful, bool(made.doubtful))
    after = {name: facts for name, facts in state(folder).items() if not f"{name}/".startswith(f"root/{NAME}/")}
    if after != before:
        changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        raise Wrong(f"changed: {changed[:5]}")
    if remarks is None:
        if made.place.exists():
            raise Wrong("refused, but something was left behind")
        return REFUSED
    try:
        check_table(made, remarks)
    except Exception as error:
        raise type(error)(f"{[each.__name__ for each in spoilt]}{', linked' if made.link else ''}: {error}") from error
    return RIGHT


@numbered(25, 2000)
def test_every_file_of_a_folder_is_read_or_named_and_none_is_lost(tmp_path, record_property, numbers):
    held("folders", trial, numbers, tmp_path, record_property)
