"""Partitions: which images train, which carry labels, which are tested. Pure functions of an image table and numbers.

Three axes never move one another: `split` says which normals train, `draw` which anomalies are labelled and which
pollute, and the seed (not used here) initialisation and batches. A protocol says what becomes of the anomalies:

    general                    some are labelled, all others are tested (Sec. 6.5)
    open-set:<class>           some of one class are labelled, its others are left out, all other classes are tested
                               (Sec. 6.6)
    budget:<max>               up to max are labelled, the fewer among the more, on the test set of max (Sec. 6.8.2)
    contamination:<max share>  some are labelled, others are trained as normal, up to a share of all that is trained as
                               normal, the fewer among the more, on the test set of the largest share (Sec. 6.8.3)

`general-grouped`, `open-set-grouped:<class>` and so on keep apart what the table's column `group` holds together:
no group is both trained and tested. Groups are drawn one after another, whole. Of a group larger than the labelled or
polluting images still wanted, the first are taken and the others left out; one larger than the normals still wanted
for the test is tested whole, so that the test set may hold more than a quarter of them. Test images that share a group
with a training image are left out; a training normal and a labelled anomaly may share one. Where every image is its
own group, a grouped partition is the plain one.

Where the release divides the images itself (column `split`), its division is taken, and split 0 is the only one.

Needs the standard library and NumPy only, so that stored results can be read anywhere.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from devnetlib.errors import Misuse, unknown


class TooSmall(Misuse):
    """A partition that the images are too few for; what else is asked of them may still be met."""


@dataclass(frozen=True)
class Partition:
    """Row ids of one partition, each list sorted. `made_of` names what it was drawn from and how."""

    made_of: dict[str, Any]
    train: tuple[str, ...]  # normal images
    labelled: tuple[str, ...]  # images trained as anomalies
    polluting: tuple[str, ...]  # anomalies trained as normal images, beside `train`
    test: tuple[str, ...]
    test_label: tuple[int, ...]
    test_defect: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored; `test` by column."""
        test = {"id": self.test, "label": self.test_label, "defect": self.test_defect}
        lists = {"train": self.train, "labelled": self.labelled, "polluting": self.polluting}
        return (
            {"made_of": self.made_of}
            | {name: list(ids) for name, ids in lists.items()}
            | {"test": {k: list(v) for k, v in test.items()}}
        )

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Partition":
        test = stored["test"]
        lists = (stored["train"], stored["labelled"], stored["polluting"], test["id"], test["label"], test["defect"])
        return cls(stored["made_of"], *map(tuple, lists))

    @cached_property
    def labels(self) -> np.ndarray:
        """`test_label` as integers (N,), read-only: all runs on the partition share them."""
        labels = np.asarray(self.test_label, dtype=int)
        labels.flags.writeable = False
        return labels

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name the content."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]


def derived_seed(*purpose: Any) -> int:
    """A seed in [0, 2^63) from what it is for, so that no purpose moves the numbers of another."""
    text = json.dumps(purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Images(NamedTuple):
    """What a partition needs of an image table, one entry an image (N,), sorted by id. A position counts into it."""

    ids: np.ndarray
    label: np.ndarray  # 0 or 1
    defect: np.ndarray
    group: np.ndarray  # what must not be torn apart; its own id where an image stands alone
    division: np.ndarray  # train or test where the release divides, else empty

    @property
    def anomalous(self) -> np.ndarray:
        """Positions of the anomalies."""
        return np.flatnonzero(self.label == 1)


def images_of(table: Any, grouped: bool) -> Images:
    """The columns `id`, `label`, `defect`, and where there are any `split` and (if `grouped`) `group`."""
    ids = np.asarray(table["id"], dtype=str)
    empty = np.full(len(ids), "")
    group = np.asarray(table["group"], dtype=str) if grouped else empty
    division = np.asarray(table["split"], dtype=str) if "split" in table else empty
    defect = np.asarray(table["defect"], dtype=str)
    columns = (ids, np.asarray(table["label"]), defect, np.where(group == "", ids, group), division)
    order = np.argsort(ids)
    return Images(*(column[order] for column in columns))


def together(drawn: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Drawn positions with all members of a group moved up to its first; the same where each is its own group."""
    _, first, member = np.unique(group[drawn], return_index=True, return_inverse=True)
    return drawn[np.argsort(first[member], kind="stable")]


def apart(positions: np.ndarray, others: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Those of `positions` that share a group with none of `others`."""
    return positions[~np.isin(group[positions], group[others])]


def divide_normals(images: Images, split: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the normals as (train, test): as the release divides them where it does, else 3:1."""
    normal = np.flatnonzero(images.label == 0)
    division = images.division[normal]
    if (division != "").any():
        check_division(division, split)
        tested = division == "test"
    else:
        tested = tested_quarter(images.group[normal], split)
    return normal[~tested], normal[tested]


def check_division(division: np.ndarray, split: int) -> None:
    """Misuse unless each normal is on a side of the release's division and no other one is asked for."""
    if split != 0:
        raise Misuse(f"split {split}: the release divides these images itself; choose split 0, the only one")
    if strays := (~np.isin(division, ["train", "test"])).sum():
        raise Misuse(f"{strays} of {len(division)} normals are neither train nor test; prepare the data set again")


def tested_quarter(group: np.ndarray, split: int) -> np.ndarray:
    """Which of the sorted normals, given by their groups (N,), are tested: a quarter, rounded up to whole groups.

    The permutation is NumPy's `RandomState(split)`, as scikit-learn's `train_test_split` draws it, so that split 42
    over sorted names is the division that the released code makes.
    """
    order = together(np.random.RandomState(split).permutation(len(group)), group)
    return np.isin(group, group[order[: math.ceil(len(group) / 4)]])


class Asked(NamedTuple):
    """What a protocol is asked for."""

    parameter: Any  # what stands after the protocol's colon
    anomalies: int
    contamination: float
    normals: int  # that train
    generator: Callable[[str], np.random.Generator]  # of a purpose


class Drawn(NamedTuple):
    """Positions of anomalies."""

    labelled: np.ndarray
    polluting: np.ndarray
    held: np.ndarray  # back from the test set, with their groups: the two before, and what fixes it for other numbers
    tested: np.ndarray  # unless held


NONE = np.empty(0, dtype=int)


def drawn_order(positions: np.ndarray, images: Images, asked: Asked, purpose: str = "labels") -> np.ndarray:
    """All of `positions` in the order in which they are drawn for a purpose: a request for fewer is a prefix."""
    return together(asked.generator(purpose).permutation(positions), images.group)


def check_count(count: int, most: int, found: str, reason: str) -> None:
    """Misuse for a count outside 0 to `most`."""
    if not 0 <= count <= most:
        raise TooSmall(f"{found}: {reason}; " + (f"choose 0 to {most}" if most >= 0 else "no number is possible"))


def general(images: Images, asked: Asked) -> Drawn:
    """Some anomalies are labelled, all others tested."""
    order = drawn_order(images.anomalous, images, asked)
    found = f"{asked.anomalies} labelled anomalies of {len(order)}"
    check_count(asked.anomalies, len(order) - 1, found, "one at least must be left to test")
    labelled = order[: asked.anomalies]
    return Drawn(labelled, NONE, labelled, order)


def open_set(images: Images, asked: Asked) -> Drawn:
    """Some anomalies of one class are labelled, its others left out, all other classes tested."""
    anomalous, known = images.anomalous, asked.parameter
    defects = images.defect[anomalous]
    if known not in defects:
        raise unknown("anomaly class", known, set(defects.tolist()))
    if (defects == known).all():
        raise TooSmall(f"open-set:{known}: it is the only class of anomalies, so that none is left to test")
    order = drawn_order(anomalous[defects == known], images, asked)
    found = f"{asked.anomalies} labelled anomalies of the class {known}"
    check_count(asked.anomalies, len(order), found, f"it has {len(order)}")
    labelled = order[: asked.anomalies]
    return Drawn(labelled, NONE, labelled, anomalous[defects != known])


def budget(images: Images, asked: Asked) -> Drawn:
    """The first anomalies of a pool are labelled, its others left out, all outside it tested."""
    order, most = drawn_order(images.anomalous, images, asked), asked.parameter
    if most >= len(order):
        possible = f"choose a budget of 1 to {len(order) - 1}" if len(order) > 1 else "no budget is possible"
        raise TooSmall(f"budget:{most} of {len(order)} anomalies: one at least must be left to test; {possible}")
    check_count(asked.anomalies, most, f"{asked.anomalies} labelled anomalies", f"the budget is {most}")
    return Drawn(order[: asked.anomalies], NONE, order[:most], order)


def polluters(normals: int, share: float) -> int:
    """How many anomalies beside so many normals make up a share of both together, rounded down."""
    return int(normals / (1 - share) * share)


def contamination(images: Images, asked: Asked) -> Drawn:
    """Some anomalies are labelled; of the others the first of a pool pollute the training normals, the rest of the
    pool is left out, and all outside it are tested. A polluter shares no group with a labelled anomaly."""
    labelled, anomalous = general(images, asked).labelled, images.anomalous
    candidates = apart(drawn_order(anomalous, images, asked, "polluters"), labelled, images.group)
    most = polluters(asked.normals, asked.parameter)
    if most >= len(candidates):
        raise too_contaminated(asked, most, len(candidates))
    pool = candidates[:most]
    polluting = pool[: polluters(asked.normals, asked.contamination)]
    return Drawn(labelled, polluting, np.r_[labelled, pool], anomalous)


def too_contaminated(asked: Asked, needed: int, candidates: int) -> TooSmall:
    """The error for a pool that leaves no anomaly to test; names the largest share that does."""
    # As many polluters as candidates would leave none: the share must stay below candidates / (normals + candidates).
    thousandths = (1000 * candidates - 1) // (asked.normals + candidates)
    possible = f"choose a largest share of at most {thousandths / 1000} or " if candidates > 1 else "choose "
    return TooSmall(
        f"contamination:{asked.parameter} needs {needed} anomalies beside {asked.normals} training normals, and one to "
        f"test; {asked.anomalies} labelled ones leave {candidates}: {possible}fewer labelled anomalies"
    )


class Protocol(NamedTuple):
    """A protocol: how its parameter is written and read (ValueError for what it is not), and what it draws."""

    form: str
    example: str
    read: Callable[[str], Any]
    draw: Callable[[Images, Asked], Drawn]


def whole(text: str) -> int:
    """A number of at least 1 in its plain form, so that one protocol has one name."""
    if str(int(text)) != text or int(text) < 1:
        raise ValueError(text)
    return int(text)


def share(text: str) -> float:
    """A number between 0 and 1 in its plain form."""
    if str(float(text)) != text or not 0 < float(text) < 1:
        raise ValueError(text)
    return float(text)


PROTOCOLS = {
    "general": Protocol("", "", str, general),
    "open-set": Protocol(":<class>", ":hole", str, open_set),
    "budget": Protocol(":<max>", ":40", whole, budget),
    "contamination": Protocol(":<max share>", ":0.2", share, contamination),
}
GROUPED = "-grouped"
FAMILIES = [kind + suffix for kind in PROTOCOLS for suffix in ("", GROUPED)]
FORMS = [family + PROTOCOLS[family.removesuffix(GROUPED)].form for family in FAMILIES]


class Named(NamedTuple):
    """A protocol as it was asked for."""

    kind: str  # of PROTOCOLS
    parameter: Any
    grouped: bool
    plain: str  # its name without the groups: what generators derive from


def read_protocol(name: str, contamination: float = 0.0) -> Named:
    """The protocol that a name such as `open-set-grouped:hole` asks for.

    Raises Misuse for an unknown one, for a parameter that does not fit, and for a contamination outside its range.
    """
    family, colon, text = name.partition(":")
    kind = family.removesuffix(GROUPED)
    if kind not in PROTOCOLS:
        raise unknown("protocol", family, FAMILIES)
    form, example, read, _ = PROTOCOLS[kind]
    try:
        if bool(text) != bool(form) or bool(colon) != bool(form):
            raise ValueError(name)
        parameter = read(text)
    except ValueError:
        such_as = f", such as {family}{example}" if form else ""
        raise Misuse(f"protocol {name!r}: expected {family}{form}{such_as}") from None
    check_contamination(name, kind, parameter, contamination)
    return Named(kind, parameter, family != kind, kind + colon + text)


def check_contamination(name: str, kind: str, parameter: Any, asked: float) -> None:
    """Misuse for a share that the protocol does not take."""
    if kind == "contamination" and not 0 <= asked <= parameter:
        raise Misuse(f"contamination {asked}: the protocol {name} takes 0 to {parameter}")
    if kind != "contamination" and asked != 0:
        raise Misuse(f"contamination {asked}: {name} takes none; choose a protocol such as contamination:0.2")


def open_set_classes(table: Any, anomalies: int = 10) -> list[str]:
    """The classes, sorted, from which so many anomalies can be labelled under `open-set:<class>`; none where there is
    one class only."""
    images = images_of(table, grouped=False)
    classes, sizes = np.unique(images.defect[images.anomalous], return_counts=True)
    return classes[sizes >= anomalies].tolist() if len(classes) > 1 else []


def draw_partition(
    table: Any,
    *,
    dataset: str,
    reading: str,
    protocol: str = "general",
    anomalies: int = 10,
    contamination: float = 0.0,
    split: int = 0,
    draw: int = 0,
) -> Partition:
    """The partition of an image table (columns `id`, `label`, `defect`, and where they matter `split`, `group`) that
    the numbers name.

    Raises Misuse for an unknown protocol, for more anomalies than there are, and where nothing is left to train or
    one class only to test.
    """
    kind, parameter, grouped, plain = read_protocol(protocol, contamination)
    images = images_of(table, grouped)
    train, normal = divide_normals(images, split)

    def generator(purpose: str) -> np.random.Generator:
        return np.random.default_rng(derived_seed(dataset, reading, plain, purpose, draw))

    asked = Asked(parameter, anomalies, contamination, len(train), generator)
    drawn = PROTOCOLS[kind].draw(images, asked)
    test = apart(np.r_[normal, drawn.tested], np.r_[train, drawn.held], images.group)
    check_sides(len(train), images.label[test], grouped)
    made_of = {
        "dataset": dataset,
        "reading": reading,
        "protocol": protocol,
        "anomalies": anomalies,
        "split": split,
        "draw": draw,
    }
    made_of |= {"contamination": float(contamination)} if kind == "contamination" else {}
    test = np.sort(test)
    lists = (images.ids[np.sort(part)] for part in (train, drawn.labelled, drawn.polluting, test))
    columns = (*lists, images.label[test], images.defect[test])
    return Partition(made_of, *(tuple(column.tolist()) for column in columns))


def check_sides(train: int, test_label: np.ndarray, grouped: bool) -> None:
    """Misuse unless a normal trains and both classes are tested."""
    normal, anomalous = (test_label == 0).sum(), (test_label == 1).sum()
    if not (train and normal and anomalous):
        mend = "choose fewer labelled anomalies or the protocol without groups" if grouped else "bring more images"
        found = f"{train} normals to train, {normal} normals and {anomalous} anomalies to test"
        raise TooSmall(f"{found}: one of each at least is needed; {mend}")


def shuffled(partition: Partition) -> Partition:
    """The same partition with as many training normals, drawn anew for each draw, in the place of the labelled
    anomalies.

    The test set stays as it is, so that results can be paired; the true labelled anomalies are not used at all.
    """
    made_of = partition.made_of
    rng = np.random.default_rng(
        derived_seed(made_of["dataset"], made_of["reading"], made_of["protocol"], "shuffled", made_of["draw"])
    )
    drawn = set(rng.choice(partition.train, size=len(partition.labelled), replace=False).tolist())
    train = tuple(row_id for row_id in partition.train if row_id not in drawn)
    return replace(partition, made_of=made_of | {"treatment": "shuffled"}, train=train, labelled=tuple(sorted(drawn)))
