"""What is asked: the rows of each question's table, and the settings under which they run (standard library only)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from devnetlib.errors import unknown
from devnetlib.study.runs import DRAWS, splits_of


@dataclass(frozen=True)
class Setting:
    """Under which protocol a question is asked, with how many labels and how much contamination: a column of a table,
    or a point of a curve."""

    title: str
    protocol: str = "general"
    anomalies: int = 10
    contamination: float = 0.0


@dataclass(frozen=True)
class Row:
    """A row of a question's table: a method or control, with options that depart from the profile's."""

    method: str
    title: str
    tells: str  # what the row is there to tell
    options: Mapping[str, Any] = field(default_factory=dict)
    splits: tuple[int, ...] = ()  # those that are published; empty: all of the data set's
    draws: tuple[int, ...] = tuple(DRAWS)
    printed: bool = True  # whether the paper's number for the method stands beside it, where there is one
    missing: str = ""  # why no score of it is published
    labels: bool = True  # whether it sees the labelled anomalies
    anomalies: tuple[int, ...] = ()  # the numbers of labels under which it is asked; empty: all of the question's


TEN_LABELS = Setting("ten labelled anomalies")
GROUPED = Setting("ten labelled anomalies, nothing of one group on two sides", "general-grouped")


@dataclass(frozen=True)
class Question:
    """One question of the paper: the rows of its table, our reference points and the controls beside them, and the
    settings under which all of them run."""

    title: str
    table: int | None  # of the paper; None where it prints a figure alone
    rows: tuple[Row, ...]
    references: tuple[Row, ...] = ()
    sweep: tuple[Row, ...] = ()  # one option, varied
    controls: tuple[Row, ...] = ()
    settings: tuple[Setting, ...] = (TEN_LABELS,)
    own_settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)  # by data set: in place of the others
    most_splits: int = 10  # published of a data set, and no more than it has
    draws: range = DRAWS
    pixels: bool = False  # whether its runs are explained: asked of data sets with masks alone, see `asking`

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """Every row, in the order of the table."""
        return self.rows + self.references + self.sweep + self.controls

    def rows_at(self, setting: Setting) -> tuple[Row, ...]:
        """The rows that are asked under a setting."""
        return tuple(row for row in self.all_rows if setting.anomalies in (row.anomalies or (setting.anomalies,)))

    def settings_of(self, dataset: str) -> tuple[Setting, ...]:
        """The settings on a data set `NAME` or `NAME:READING`; none where the question cannot be asked of it or, if it
        is asked of masks, names another set."""
        return self.own_settings.get(dataset.partition(":")[0], () if self.pixels else self.settings)

    def splits_of(self, dataset: str, reading: str | None = None) -> range:
        """The splits that are published of the question on a data set, in a reading."""
        return splits_of(dataset, reading)[: self.most_splits]

    def places_of(self, row: Row, dataset: str, reading: str | None = None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The splits and the draws that are published of a row on a data set, in a reading."""
        splits = [split for split in self.splits_of(dataset, reading) if split in (row.splits or (split,))]
        return tuple(splits), tuple(draw for draw in self.draws if draw in row.draws)


REFERENCE_ROWS = (
    Row("bce", "Cross-entropy", "DevNet's head as a plain classifier"),
    Row("logistic", "Logistic regression", "a classifier on the pooled map"),
    Row("lda", "Linear discriminant", "the covariance of the normals, and ten labels"),
    Row("mahalanobis", "Mahalanobis, no labels", "the same covariance; sees no label", labels=False),
    Row("nearest", "Nearest patch, no labels", "distance to the normal patches; sees no label", labels=False),
)
CONTROL_ROWS = (
    Row("grey", "Mean grey level", "one number an image, nothing learned"),
    Row("size", "Image size", "pixels of the file"),
    Row("order", "File number", "the number in the image's file name"),
    Row("border", "DevNet, border only", "reads the outer ring of cells alone"),
    Row("untrained", "DevNet, untrained head", "the head as it was initialised"),
    Row("shuffled", "DevNet, shuffled labels", "ten normal images labelled as anomalies"),
)
NO_WEIGHTS = "no pretrained weights at hand, and random ones would say nothing"
ONCE_A_SPLIT = {
    "splits": (0, 1, 2),
    "draws": (0,),
    "labels": False,
}  # networks of their own, minutes a run, which see no label
TABLE_2_ROWS = (
    Row("devnet", "DevNet", "the paper's method, |score| as released"),
    Row("devnet", "DevNet, signed", "as the paper writes it", {"signed": True}, printed=False),
    Row("flos", "FLOS", "the same network, focal loss"),
    Row("flos", "FLOS, signed", "without the absolute value", {"signed": True}, printed=False),
    Row("minns", "MINNS", "classifiers on the pooled cells of two stages"),
    Row("deepsad", "Deep SAD", "distance to a centre, anomalies pushed away"),
    Row("deepsvdd", "Deep SVDD", "distance to a centre; sees no label", **ONCE_A_SPLIT),
    Row(
        "kdad",
        "KDAD, ResNet-18 teacher",
        "a student imitates it; sees no label (the paper's teacher is VGG-16)",
        {"teacher": "resnet18"},
        **ONCE_A_SPLIT,
    ),
)
TABLE_3_ROWS = tuple(
    replace(row, splits=(0,)) if row.method == "kdad" else row for row in TABLE_2_ROWS if row.method != "deepsvdd"
)
TABLE_4_ROWS = tuple(
    row
    for row in TABLE_2_ROWS
    if row.method in ("devnet", "minns", "kdad") or (row.method == "flos" and not row.options)
)
# The paper's curves (Figs. 7 and 8): its detectors that use labels, and ours that share DevNet's head or see no label.
# Those that are not trained side by side, and so take seconds a run, are drawn twice.
CURVE_ROWS = tuple(
    replace(row, draws=(0, 1)) if row.method in ("minns", "deepsad") else row
    for row in TABLE_2_ROWS
    if row.labels and not row.options
)
CURVE_REFERENCES = tuple(row for row in REFERENCE_ROWS if row.method in ("bce", "mahalanobis"))
SHARES = (0.01, 0.05, 0.2, 0.5, 1.0)


def labels_of(kind: str) -> Setting:
    """Ten labelled anomalies of one class, all other classes tested."""
    return Setting(f"labels of {kind} alone", f"open-set:{kind}")


def budgets(*anomalies: int) -> tuple[Setting, ...]:
    """So many labelled anomalies, the fewer among the more, on the test set of the largest number."""
    return tuple(Setting(f"{n} labelled", f"budget:{anomalies[-1]}", n) for n in anomalies)


def shares_polluted(*shares: float) -> tuple[Setting, ...]:
    """So large shares of anomalies among what is trained as normal, on the test set of the largest share."""
    return tuple(Setting(f"{share:.1%} polluted", f"contamination:{shares[-1]}", 10, share) for share in shares)


QUESTIONS = {
    "q1": Question(
        "How well does DevNet detect known kinds of anomalies from ten labelled ones?",
        table=2,
        rows=TABLE_2_ROWS,
        references=REFERENCE_ROWS,
        controls=CONTROL_ROWS,
        own_settings={name: (TEN_LABELS, GROUPED) for name in ("kolektorsdd", "brainmri")},
    ),
    "q2": Question(
        "Does DevNet find kinds of anomalies of which it has seen no example?",
        table=3,
        rows=TABLE_3_ROWS,
        references=REFERENCE_ROWS,
        controls=CONTROL_ROWS,
        settings=(),
        own_settings={"elpv": tuple(map(labels_of, ("mono", "poly")))},
    ),
    "q3": Question(
        "Do DevNet's explanations find the defects?",
        table=4,
        rows=TABLE_4_ROWS,
        references=REFERENCE_ROWS[:1],
        controls=tuple(row for row in CONTROL_ROWS if row.method == "untrained"),
        own_settings=dict.fromkeys(("kolektorsdd", "toy"), (TEN_LABELS,)),
        most_splits=5,
        draws=range(2),
        pixels=True,
    ),
    "q4": Question(
        "What does each part of DevNet add?",
        table=5,
        rows=(
            Row("devnet", "DevNet", "top-K of the patches (MIL-DS)"),
            Row("ds", "DS", "the mean of the signed patch scores"),
            Row("patch_ds", "Patch-DS", "every patch under its image's label"),
            Row("rep", "Rep", "no score unit: the representation deviates"),
            Row("ds_alexnet", "DS on AlexNet", "another backbone", missing=NO_WEIGHTS),
            Row("ds_resnet50", "DS on ResNet-50", "another backbone", missing=NO_WEIGHTS),
        ),
        references=tuple(row for row in REFERENCE_ROWS if row.method == "mahalanobis"),
        sweep=tuple(
            Row("devnet", f"DevNet, top {share:.0%}", "another share of the patches", {"top_k": share}, printed=False)
            for share in SHARES
        ),
    ),
    "q5": Question(
        "How many labelled anomalies does DevNet need?",
        table=None,
        rows=CURVE_ROWS,
        references=CURVE_REFERENCES,
        controls=tuple(replace(row, anomalies=(40,)) for row in CONTROL_ROWS if row.method in ("grey", "shuffled")),
        settings=budgets(1, 3, 5, 10, 20, 40),
        own_settings={"kolektorsdd": budgets(1, 3, 5, 10, 20)},
        most_splits=5,
    ),
    "q6": Question(
        "What do undetected anomalies among the training images do to DevNet?",
        table=None,
        rows=CURVE_ROWS,
        references=CURVE_REFERENCES,
        settings=shares_polluted(0.0, 0.02, 0.05, 0.1, 0.2),
        own_settings={"kolektorsdd": shares_polluted(0.0, 0.025)},
        most_splits=5,
    ),
}


@dataclass(frozen=True)
class Share:
    """A share of a question: of each method its first row, on few splits and draws of the data sets that are asked for,
    and of its own."""

    question: str
    methods: tuple[str, ...]
    splits: range = range(5)
    draws: range = range(1)
    datasets: tuple[str, ...] = ()


# What `make study` runs: every question, in minutes on two cores.
SHORT = (
    Share("q1", ("devnet", "flos", "bce", "minns", "deepsad", "mahalanobis", "grey", "shuffled"), draws=DRAWS),
    Share("q1", ("size", "order", "untrained", "border")),
    Share("q1", ("deepsvdd", "kdad"), splits=range(1)),
    Share("q2", ("devnet", "flos", "mahalanobis")),
    Share("q3", ("kdad", "untrained", "minns", "devnet", "flos", "bce"), splits=range(1), datasets=("toy",)),
    Share("q4", ("ds", "patch_ds", "rep")),
    Share("q5", ("devnet", "flos", "mahalanobis")),
    Share("q6", ("devnet", "flos", "mahalanobis")),
)


def short_questions(datasets: Iterable[str]) -> dict[str, list[str]]:
    """The data sets of which `SHORT` asks each of its questions: those named, and its own."""
    named = list(datasets)
    found = {share.question: list(named) for share in SHORT}
    for share in SHORT:
        found[share.question] += [name for name in share.datasets if name not in found[share.question]]
    return found


def asked(name: str) -> Question:
    """A question by its name; Misuse lists the valid ones."""
    if name not in QUESTIONS:
        raise unknown("question", name, QUESTIONS)
    return QUESTIONS[name]
