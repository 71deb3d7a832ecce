"""Of which data sets a question can be asked here: of those that it names and, where maps are held against masks, of
every set at hand whose images have some."""

from collections.abc import Iterable
from pathlib import Path

from devnetlib.data.manifests import in_reading
from devnetlib.data.masks import has_masks
from devnetlib.data.prepare import prepare
from devnetlib.errors import Incomplete, Misuse
from devnetlib.study.questions import Question, Setting


def settings_here(question: Question, dataset: str, data_root: Path | None = None) -> tuple[Setting, ...]:
    """The settings of a question on a data set `NAME` or `NAME:READING`.

    Raises Misuse with the reason where it cannot be asked of it, and as `prepare` does where images are not at hand.
    """
    if found := question.settings_of(dataset):
        return found
    name, reading = in_reading(dataset)
    if not question.pixels:
        only = ", ".join(question.own_settings)
        raise Misuse(f"{question.title} This cannot be asked of {dataset}, only of {only}")
    if not has_masks(prepare(name, reading, data_root).table):
        raise Misuse(f"{question.title} This cannot be asked of {dataset}: no anomalous image of it has a mask")
    return question.settings


def unasked(question: Question, datasets: Iterable[str], data_root: Path | None = None) -> dict[str, str]:
    """Those of the data sets of which a question cannot be asked here, each with the reason; Misuse for an unknown
    one."""
    found = {}
    for dataset in datasets:
        in_reading(dataset)
        try:
            settings_here(question, dataset, data_root)
        except (Misuse, Incomplete) as error:
            found[dataset] = str(error)
    return found
