"""What stored JSON must hold, each field of its kind: ValueError names what does not.

A field that is missing or of another kind may make a key, a table or a comparison say something else than was stored.
"""

from dataclasses import fields
from typing import Any

from devnetlib.data.splits import Partition
from devnetlib.study.runs import Run, Training

ORIGIN = {"device": str, "precision": str, "image_table": str}  # what every origin holds, for tables read it
ORIGIN |= {"torch": str, "threads": int, "seconds": float, "peak_mb": int}
ORIGIN_TOO = {"python": str, "numpy": str, "side_by_side": int, "pixel_seconds": float, "untrained_keys": list}
ORIGIN_TOO |= {"compiler": str, "masks": str}


def check_partition(partition: Partition) -> None:
    """ValueError unless it names each image once, and of every one tested the label, 0 or 1, and the defect."""
    ids = (*partition.train, *partition.labelled, *partition.polluting, *partition.test)
    words = isinstance(partition.made_of, dict) and {type(word) for word in (*ids, *partition.test_defect)} <= {str}
    if not words:
        raise ValueError("its names are no text")
    if len(set(ids)) < len(ids):
        raise ValueError("it names an image twice")
    if not len(partition.test) == len(partition.test_label) == len(partition.test_defect):
        raise ValueError("its columns differ in length")
    if not all(type(label) is int and label in (0, 1) for label in partition.test_label):
        raise ValueError("a label is neither 0 nor 1")


def check_content(run: Run, stored: dict[str, Any]) -> None:
    """ValueError unless the content of a scores file, and the run that was read from it, hold what they should."""
    check_fields(run, stored["run"])
    check_fields(run.training, stored["run"]["training"])
    if not {type(update) for update in run.training.decay_at} <= {int}:
        raise ValueError(f"decay_at {run.training.decay_at!r}, expected numbers of updates")
    if not {type(value) for value in run.options.values()} <= {str, int, float, bool}:
        raise ValueError(f"options {run.options!r}, expected plain values")
    if type(stored["partition"]) is not str or not set(map(type, stored["score"])) <= {int, float}:
        raise ValueError("its partition is no word, or a score no number")
    origin = stored["origin"]
    for name, kind in (ORIGIN | ({"pixel_seconds": float} if "pixels" in stored else {})).items():
        check_kind(name, origin[name], kind)
    for name in ORIGIN_TOO.keys() & origin.keys():
        check_kind(name, origin[name], ORIGIN_TOO[name])


def check_fields(read: Run | Training, stored: dict[str, Any]) -> None:
    """ValueError unless every field is stored, and every word and number of its kind."""
    for one in fields(read):
        if one.name not in stored:
            raise ValueError(f"{one.name} is missing")
        if one.type in (str, int, float, bool):
            check_kind(one.name, getattr(read, one.name), one.type)
            if type(stored[one.name]) is not one.type:  # the key of a run tells 1 from 1.0
                raise ValueError(f"{one.name} {stored[one.name]!r}, expected {one.type.__name__}")


def check_kind(name: str, value: Any, kind: type) -> None:
    """ValueError for a value of another kind, and for a number that is negative or not finite."""
    if type(value) is not kind and (type(value), kind) != (int, float):
        raise ValueError(f"{name} {value!r}, expected {kind.__name__}")
    if kind in (int, float) and not 0 <= value < float("inf"):
        raise ValueError(f"{name} {value!r}, expected a number from 0 on")
