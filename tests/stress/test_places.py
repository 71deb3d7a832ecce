"""Where a data set is to be prepared, something lies already: what this program did not make is never touched."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from devnetlib.data.prepare import prepare, verify
from tests.stress.own_folders import NAME, Tree, state, tree
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered

Rng = np.random.Generator
MUST_REFUSE, MUST_PREPARE = True, False
PLACES: dict[str, Callable[[Tree, Rng], tuple[Path, bool]]] = {}


def place(function: Callable[[Tree, Rng], tuple[Path, bool]]) -> Callable[[Tree, Rng], tuple[Path, bool]]:
    """Enter a state of the place under its name; it gives the source to prepare from, and whether that is refused."""
    PLACES[function.__name__] = function
    return function


@place
def a_strangers_folder(made: Tree, rng: Rng) -> tuple[Path, bool]:
    made.place.mkdir(parents=True)
    name = str(rng.choice(["thesis.docx", "files", "image_table.csv", "card.json", "prepared.json", "0.png"]))
    (made.place / name).write_text("a year of work")
    return made.source, MUST_REFUSE


@place
def a_file(made: Tree, rng: Rng) -> tuple[Path, bool]:
    made.place.parent.mkdir(parents=True)
    made.place.write_text("a year of work")
    return made.source, MUST_REFUSE


@place
def a_link(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """To a folder of the user's, or to nothing."""
    made.place.parent.mkdir(parents=True)
    made.place.symlink_to(made.folder / "mine")
    if rng.random() < 0.7:
        (made.folder / "mine").mkdir()
        (made.folder / "mine" / "thesis.docx").write_text("a year of work")
    return made.source, MUST_REFUSE


@place
def ours_and_more(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """A data set that was prepared, and something of the user's in it."""
    made.get()
    folders = [made.place, *(each for each in made.place.rglob("*") if each.is_dir())]
    mine = folders[rng.integers(len(folders))] / rng.choice(["notes.txt", "new.png", ".hidden", "more"])
    mine.mkdir() if mine.name == "more" else mine.write_text("a year of work")
    if mine.name == "more":
        (mine / "a.txt").write_text("a year of work")
    return made.source, MUST_REFUSE


@place
def ours_and_changed(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """A file of ours that was edited, as people mend a mask where it lies."""
    made.get()
    files = sorted(each for each in made.place.rglob("*") if each.is_file())
    mine = files[rng.integers(len(files))]
    mine.write_bytes(mine.read_bytes() + b"\n" if rng.random() < 0.5 else b"edited")
    return made.source, MUST_REFUSE


@place
def ours(made: Tree, rng: Rng) -> tuple[Path, bool]:
    made.get()
    made.link = bool(rng.random() < 0.5)
    return made.source, MUST_PREPARE


@place
def a_source_inside_the_data_root(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """Beside the place, which is free."""
    (made.root / "raw").mkdir(parents=True)
    return made.source.rename(made.root / "raw" / "set"), MUST_PREPARE


@place
def a_source_that_is_the_place(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """Or contains it, or lies in it; named as it is, through a link, or with .. in its path."""
    what = rng.integers(3)
    if what == 0:  # the place itself
        made.place.parent.mkdir(parents=True)
        source = made.source.rename(made.place)
    elif what == 1:  # inside
        made.place.mkdir(parents=True)
        source = made.source.rename(made.place / str(rng.choice(["files", "raw"])))
    else:  # around
        source = made.source.rename(made.root)
    if rng.random() < 0.3:
        (made.folder / "link").symlink_to(source)
        source = made.folder / "link"
    elif rng.random() < 0.3:
        source = source / ".." / source.name
    return source, MUST_REFUSE


@place
def our_own_copies(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """Prepared again from the files that were copied."""
    made.link = False
    made.get()
    made.link = bool(rng.random() < 0.5)
    return made.place / "files", MUST_REFUSE


@place
def leftovers_of_others(made: Tree, rng: Rng) -> tuple[Path, bool]:
    """Hidden folders beside the place that bear nearly the names of ours."""
    for name in rng.choice([".set.backup", ".set.old.tmp~", "set.tmp", ".other.abc.tmp", ".set"], 2, replace=False):
        (made.place.parent / str(name)).mkdir(parents=True)
        (made.place.parent / str(name) / "thesis.docx").write_text("a year of work")
    return made.source, MUST_PREPARE


def trial(rng: Rng, folder: Path) -> str:
    """A place in some state, and a set prepared there: all is as it was, or all but the set."""
    made = tree(rng, folder, [".png"])
    name = str(rng.choice(list(PLACES)))
    source, refuse = PLACES[name](made, rng)
    told = f"{name}, from {os.path.relpath(source, folder)}{', linked' if made.link else ''}"
    before = state(folder)
    try:
        remarks = asked(lambda: made.get(source), may_refuse=refuse)
    except Wrong as error:
        raise Wrong(f"{told}: {error}") from error
    after = state(folder)
    ours = [f"root/{NAME}", "root/my", "root"] if remarks is not None else []
    off = sorted(at for at in {*before, *after} if before.get(at) != after.get(at))
    off = [at for at in off if at not in ours and not (ours and at.startswith(f"root/{NAME}/"))]
    if off:
        raise Wrong(f"{told}: {'prepared' if ours else 'refused'}, and these are changed or gone: {off[:4]}")
    if remarks is None:
        return REFUSED
    if refuse:
        raise Wrong(f"{told}: prepared, though something of the user's lay there")
    if verify(prepare(NAME, data_root=made.root)):
        raise Wrong(f"{told}: prepared, but it does not verify")
    return RIGHT


@numbered(15, 1500)
def test_what_lies_at_the_place_of_a_data_set_is_never_lost(tmp_path, record_property, numbers):
    held("places", trial, numbers, tmp_path, record_property)
