"""Every file of a folder of one's own is read or named, nothing of its owner is lost, no other folder is touched."""

import re
from pathlib import Path

from devnetlib.data.layouts.files import sha256
from devnetlib.data.manifests import masks_in
from devnetlib.data.prepare import prepare, verify
from tests.stress.own_folders import NAME, SPOILED, Rng, Tree, state, tree
from tests.stress.trials import REFUSED, RIGHT, Wrong, asked, held, numbered


def files_of(folder: Path, around: tuple[Path, ...] = ()) -> list[Path]:
    """All files below a folder, links followed but for those that lead back, which count as a file."""
    around = (*around, folder.resolve())
    found: list[Path] = []
    for each in folder.iterdir():
        inside = each.is_dir() and each.resolve() not in around
        found += files_of(each, around) if inside else [each]
    return found


def not_read(remarks: list[str]) -> int:
    """How many files the remarks name as not read; those of one kind share a line that counts them."""
    lines = [line for line in remarks if line.endswith("not read")]
    return sum(int(counted[1]) if (counted := re.match(r"(\d+) files \(", line)) else 1 for line in lines)


def check_table(made: Tree, remarks: list[str]) -> None:
    """Raise Wrong unless every file was read, with the right label and mask, or named; and is stored as it was."""
    data = prepare(NAME, data_root=made.root)
    if not all((made.source / made.inner / file).exists() for file in data.hashes):
        made.inner, made.label, made.masks = f"{made.inner}z/", {}, {}  # the second set, where the first one is none
    read = dict(zip(data.table["file"], data.table["label"], strict=True))
    cells = {file: masks_in(cell) for file, cell in zip(data.table["file"], data.table["mask"], strict=True)}
    used = {*read, *(mask for cell in cells.values() for mask in cell)}
    silent = len(files_of(made.source)) - len(used) - not_read(remarks)
    told = {
        "has another label": {file for file, label in made.label.items() if int(read.get(file, label)) != int(label)},
        "not read": {file for file in made.label if file not in read and not made.doubtful},
        "has another mask": {file for file, mask in made.masks.items() if cells.get(file, []) not in ([mask], [])},
        "without its mask": {
            file for file, mask in made.masks.items() if mask and not cells.get(file) and not made.doubtful
        },
    }
    for what, files in told.items():
        if files:
            raise Wrong(f"{what}: {sorted(files)[:3]} of {len(made.label)}; {remarks[:3]}")
    if silent:
        raise Wrong(f"{silent} files more are there than are read or named: {remarks[:5]}")
    source = made.source / made.inner
    if any(sha256(source / file) != sha256(data.root / file) for file in data.hashes) or verify(data):
        raise Wrong("the files prepared are not those of the source")


def trial(rng: Rng, folder: Path) -> str:
    """A tree with some of what people have in theirs, prepared once."""
    made = tree(rng, folder)
    spoilt = [each for each in SPOILED if rng.random() < 0.2]
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
