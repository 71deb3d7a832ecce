"""What may happen to stored scores: altered, cut, relabelled, copied, put on another partition."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from devnetlib.data.splits import Partition, shuffled
from tests.stress.published_run import Stored, partitions

Rng = np.random.Generator
ODD: list[Any] = [None, "", -1, 0, 1, 1e308, float("nan"), [], {}, True, "x", 2**70, [[]], "general", 3.5, "\ud800"]
DAMAGES: dict[str, Callable[["Stored", Rng], None]] = {}


def damage(function: Callable[[Stored, Rng], None]) -> Callable[[Stored, Rng], None]:
    """Enter a damage under its name."""
    DAMAGES[function.__name__] = function
    return function


def places(value: Any, above: tuple = ()) -> list[tuple]:
    """The way to every entry of a stored document, of lists to the first one alone."""
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    return [way for key, each in inner for way in ((*above, key), *places(each, (*above, key)))]


@damage
def nothing(one: Stored, rng: Rng) -> None:
    pass


@damage
def an_entry_is_gone_or_odd(one: Stored, rng: Rng) -> None:
    ways = [way for way in places(one.scores) if way[0] != "score" or len(way) == 1]
    *above, last = ways[rng.integers(len(ways))]
    holder = one.scores
    for key in above:
        holder = holder[key]
    if rng.random() < 0.3:
        del holder[last]
    else:
        holder[last] = ODD[rng.integers(len(ODD))]
    one.put()


@damage
def an_entry_is_odd_and_the_name_follows(one: Stored, rng: Rng) -> None:
    """But for what only a second execution could tell: seed, weights, valid options and an older revision."""
    run = one.scores["run"]
    name = str(rng.choice([name for name in run if name not in ("seed", "weights", "training")]))
    odd = [value for value in [*ODD[:-1], 11, {"signed": "maybe"}] if type(value) is type(run[name])]
    odd = [value for value in odd if value != {} and (name, value) != ("revision", 1)]
    one.relabel(**{name: odd[rng.integers(len(odd))]})


@damage
def a_score_is_no_number(one: Stored, rng: Rng) -> None:
    place = rng.integers(len(one.scores["score"]))
    odd = [None, float("nan"), float("inf"), "0.5", [0.5], "x", {}, 10**400]
    one.scores["score"][place] = odd[rng.integers(len(odd))]
    one.put()


@damage
def too_many_scores_or_too_few(one: Stored, rng: Rng) -> None:
    score = one.scores["score"]
    one.scores["score"] = [score[:-1], [*score, 0.5], [], score * 2, score[0], [score]][rng.integers(6)]
    one.put()


@damage
def bytes_are_lost(one: Stored, rng: Rng) -> None:
    path = one.path if rng.random() < 0.6 else next((one.root / "partitions").rglob("*.json"))
    content = path.read_bytes()
    kept = rng.integers(len(content))
    path.write_bytes(content[:kept] + (bytes(len(content) - kept) if rng.random() < 0.3 else b""))


@damage
def a_bit_is_flipped(one: Stored, rng: Rng) -> None:
    """Anywhere but in the scores themselves, which any number might be."""
    path = one.path if rng.random() < 0.6 else next((one.root / "partitions").rglob("*.json"))
    content = bytearray(path.read_bytes())
    start = content.find(b'"score":[') if path == one.path else -1
    end = content.find(b"]", start)
    place = rng.integers(len(content))
    while start < place < end:
        place = rng.integers(len(content))
    content[place] ^= 1 << rng.integers(8)
    path.write_bytes(bytes(content))


@damage
def another_encoding(one: Stored, rng: Rng) -> None:
    kind = str(rng.choice(["utf-16", "utf-8-sig", "utf-32", "utf-7"]))
    one.path.write_bytes(one.path.read_text().encode(kind))


@damage
def another_document(one: Stored, rng: Rng) -> None:
    one.path.write_text(["[]", "null", "3", '"x"', "{}", "[[[[", '{"run":{}}', "{}{}"][rng.integers(8)])


@damage
def the_partition_of_another_run(one: Stored, rng: Rng) -> None:
    others = partitions(one.whole.run.dataset)
    other = others[rng.integers(len(others))]
    one.put_partition(Partition.from_json(json.loads(other.read_text())))


@damage
def a_partition_drawn_by_nobody(one: Stored, rng: Rng) -> None:
    """The digest is right, and so are the numbers that it says it is made of, or those of the run."""
    made, (place, other) = one.partition, rng.choice(len(one.partition.test), 2, replace=False)
    labels, ids = list(made.test_label), list(made.test)
    labels[place], labels[other] = 1 - labels[place], labels[place]
    ids[place], ids[other] = ids[other], ids[place]
    changes: list[dict[str, Any]] = [
        {"test_label": tuple(labels)},
        {"test": tuple(ids)},
        {"test": (*made.test[1:], made.train[0])},
        {"test": (made.test[1], *made.test[1:])},
        {"train": made.train[1:]},
        {"train": (*made.train, made.test[0])},
        {"labelled": made.labelled[1:]},
        {"test_defect": ("x", *made.test_defect[1:])},
        {"test_label": tuple(2 * label for label in made.test_label)},
        {"made_of": made.made_of | {"draw": made.made_of["draw"] + 1}},
        {"made_of": made.made_of | {"treatment": str(rng.choice(["shuffled", "other"]))}},
    ]
    one.put_partition(replace(made, **changes[rng.integers(len(changes))]))


@damage
def the_partition_of_another_treatment(one: Stored, rng: Rng) -> None:
    """A method on shuffled labels, or the control on the true ones."""
    made = {name: value for name, value in one.partition.made_of.items() if name != "treatment"}
    if "treatment" not in one.partition.made_of:
        one.put_partition(shuffled(one.partition))
    else:
        one.put_partition(replace(one.partition, made_of=made))


@damage
def the_name_of_another_method(one: Stored, rng: Rng) -> None:
    """A method and the control on shuffled labels trade names, on the partition of either."""
    other = "devnet" if one.whole.run.method == "shuffled" else "shuffled"
    one.relabel(method=other)
    if rng.random() < 0.5:
        one.scores["run"]["method"] = "nobody"
        one.relabel(method="nobody")


@damage
def other_numbers_and_the_partition_follows(one: Stored, rng: Rng) -> None:
    axis = str(rng.choice(["split", "draw", "anomalies"]))
    moved = {axis: one.scores["run"][axis] + int(rng.integers(1, 4))}
    one.relabel(**moved)
    if rng.random() < 0.5:
        one.put_partition(replace(one.partition, made_of=one.partition.made_of | moved))


@damage
def another_training(one: Stored, rng: Rng) -> None:
    training = one.scores["run"]["training"]
    name = str(rng.choice(["updates", "learning_rate", "pixels", "rotation", "weight_decay", "clip"]))
    one.relabel(training=training | {name: 2 * training[name] + 1})


@damage
def scores_of_the_future_or_of_other_options(one: Stored, rng: Rng) -> None:
    options = one.scores["run"]["options"]
    odd = [{"revision": 99}, {"options": options | {"no_such": 1}}, {"profile": "laptop"}, {"profile": "none"}]
    one.relabel(**odd[rng.integers(len(odd))])


@damage
def another_image_table(one: Stored, rng: Rng) -> None:
    origin = one.scores["origin"]
    table = origin.pop("image_table")
    if rng.random() < 0.7:
        origin["image_table"] = [table[::-1], "", None, [table], {}][rng.integers(5)]
    one.put()


STRANGERS = [  # what editors, synchronising services and file managers leave beside the scores
    "HERE/.ipynb_checkpoints/STEM-checkpoint.json",
    "HERE/STEM (conflicted copy).json",
    "HERE/STEM 2.json",
    "HERE/Copy of STEM.json",
    "HERE/STEM.json~",
    "HERE/.STEM.json.swp",
    ".vscode/settings.json",
    "notes.json",
    "quick/desktop.ini",
    "quick/x.json",
]


@damage
def strangers(one: Stored, rng: Rng) -> None:
    here = one.path.parent.relative_to(one.root).as_posix()
    for name in rng.choice(STRANGERS, rng.integers(1, 4), replace=False):
        one.put(name.replace("HERE", here).replace("STEM", one.path.stem))
        if "STEM" not in name or rng.random() < 0.3:
            odd = ["{}", "[]", "", "not json"][rng.integers(4)]
            (one.root / name.replace("HERE", here).replace("STEM", one.path.stem)).write_text(odd)


@damage
def copies_elsewhere(one: Stored, rng: Rng) -> None:
    """Under the name of a run, where that run does not belong."""
    here = one.path.parent.relative_to(one.root)
    one.put(f"{[here / 'old', 'quick/toy', 'laptop/elpv', here.parent][rng.integers(4)]}/{one.path.name}")
