"""Protocols: what each labels, hides, leaves out and tests; nested requests; groups that are never torn."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from devnetlib.data.manifests import MANIFESTS, read_as, read_table
from devnetlib.data.prepare import rows_of
from devnetlib.data.splits import (
    FAMILIES,
    Partition,
    draw_partition,
    open_set_classes,
    polluters,
    read_protocol,
    shuffled,
)
from devnetlib.errors import Misuse

CLASSES = ["crack", "hole", "stain"]
PLAIN = ["general", "open-set:hole", "budget:8", "contamination:0.2"]
ALL = [*PLAIN, "general-grouped", "open-set-grouped:hole", "budget-grouped:8", "contamination-grouped:0.2"]
PROPERTY = settings(max_examples=80, deadline=None, derandomize=True)


def table_of(defects: list[str], groups: list[str] | None = None, division: list[str] | None = None) -> pd.DataFrame:
    """One image a defect, normal where it is empty; ids in another order than rows."""
    count = len(defects)
    ids = [f"{number:03d}" for number in np.random.default_rng(0).permutation(count)]
    table = pd.DataFrame({"id": ids, "label": [int(defect != "") for defect in defects], "defect": defects})
    return table.assign(group=groups or [""] * count, split=division or [""] * count)


def example() -> pd.DataFrame:
    """40 normals, 14 cracks, 11 holes and 5 stains, in groups of three consecutive rows: one holds a normal and two
    cracks."""
    defects = [""] * 40 + ["crack"] * 14 + ["hole"] * 11 + ["stain"] * 5
    return table_of(defects, [f"strip{row // 3:02d}" for row in range(len(defects))])


def drawn(table, protocol: str, **axes) -> Partition:
    return draw_partition(table, dataset="some", reading="all", protocol=protocol, **axes)


def attempt(table, protocol: str, **axes) -> Partition:
    """The partition; an example that the table is too small for is not one."""
    try:
        return drawn(table, protocol, **axes)
    except Misuse:
        reject()


@st.composite
def tables(draw) -> pd.DataFrame:
    """4 to 24 normals and 8 to 24 anomalies of up to three classes, in groups of any size that may hold both kinds."""
    defects = [""] * draw(st.integers(4, 24))
    defects += draw(st.lists(st.sampled_from(CLASSES), min_size=8, max_size=24))
    group = st.sampled_from(["", *(f"strip{number}" for number in range(draw(st.integers(1, 30))))])
    groups = draw(st.lists(group, min_size=len(defects), max_size=len(defects)))
    mixed = draw(st.booleans())
    kinds = ["" if mixed or not name else str(defect == "") for name, defect in zip(groups, defects, strict=True)]
    return table_of(defects, [name + kind for name, kind in zip(groups, kinds, strict=True)])


families = st.sampled_from([("general", ""), *(("open-set", f":{name}") for name in CLASSES), ("budget", ":4")])
families |= st.sampled_from([("contamination", ":0.1"), ("contamination", ":0.3")])
plain_protocols = families.map("".join)
grouped_protocols = families.map("-grouped".join)
numbers = st.integers(0, 2**31)
counts = st.integers(0, 4)


def most_contaminated(protocol: str) -> float:
    return float(protocol.split(":")[1]) if protocol.startswith("contamination") else 0.0


def groups_of(table: pd.DataFrame, ids) -> set[str]:
    """The groups of these ids; an image without one is its own."""
    own = table["group"].where(table["group"] != "", table["id"])
    return set(own[table["id"].isin(list(ids))])


def on_test(partition: Partition, label: int) -> set[str]:
    return {i for i, y in zip(partition.test, partition.test_label, strict=True) if y == label}


@PROPERTY
@given(tables(), plain_protocols | grouped_protocols, counts, st.floats(0, 1), numbers, numbers)
def test_no_image_is_in_two_places_and_each_is_what_its_place_says(table, protocol, count, part, split, draw):
    share = part * most_contaminated(protocol)
    one = attempt(table, protocol, anomalies=count, contamination=share, split=split, draw=draw)
    places = [one.train, one.labelled, one.polluting, one.test]
    assert all(list(ids) == sorted(ids) for ids in places)
    listed = [i for ids in places for i in ids]
    assert len(set(listed)) == len(listed) and set(listed) <= set(table["id"])
    rows = table.set_index("id")
    assert not rows.loc[list(one.train), "label"].any() and rows.loc[[*one.labelled, *one.polluting], "label"].all()
    assert one.test_label == tuple(rows.loc[list(one.test), "label"]) and set(one.test_label) == {0, 1}
    assert one.test_defect == tuple(rows.loc[list(one.test), "defect"])
    assert len(one.labelled) == count and len(one.polluting) == polluters(len(one.train), share) and one.train


@PROPERTY
@given(tables(), plain_protocols, counts, st.floats(0, 1))
def test_without_groups_only_what_the_protocol_names_is_left_out(table, protocol, count, part):
    share = part * most_contaminated(protocol)
    one = attempt(table, protocol, anomalies=count, contamination=share)
    left_out = set(table["id"]) - {*one.train, *one.labelled, *one.polluting, *one.test}
    kind, _, parameter = protocol.partition(":")
    if kind == "open-set":
        assert left_out == set(table.loc[table["defect"] == parameter, "id"]) - set(one.labelled)
    pool = {"general": 0, "budget": 4 - count}
    pool["contamination"] = polluters(len(one.train), most_contaminated(protocol)) - len(one.polluting)
    assert kind == "open-set" or (
        len(left_out) == pool[kind] and table.set_index("id").loc[list(left_out), "label"].all()
    )
    assert len(on_test(one, 0)) == -(-(table["label"] == 0).sum() // 4)


@PROPERTY
@given(tables(), grouped_protocols, counts, st.floats(0, 1), numbers, numbers)
def test_no_group_is_both_trained_and_tested(table, protocol, count, part, split, draw):
    share = part * most_contaminated(protocol)
    one = attempt(table, protocol, anomalies=count, contamination=share, split=split, draw=draw)
    trained = groups_of(table, [*one.train, *one.labelled, *one.polluting])
    assert not trained & groups_of(table, one.test)
    assert not groups_of(table, one.labelled) & groups_of(table, one.polluting)
    normals = table.loc[table["label"] == 0, "id"]
    shared = groups_of(table, one.train)
    assert {i for i in normals if groups_of(table, [i]) <= shared} == set(one.train)  # groups of normals train whole


@PROPERTY
@given(tables(), families, counts, numbers, numbers)
def test_where_every_image_is_its_own_group_a_grouped_partition_is_the_plain_one(table, family, count, split, draw):
    alone = table.assign(group=table["id"])
    axes = {"anomalies": count, "split": split, "draw": draw, "contamination": most_contaminated("".join(family)) / 2}
    plain, grouped = attempt(alone, "".join(family), **axes), attempt(alone, "-grouped".join(family), **axes)
    assert grouped.as_json() | {"made_of": 0} == plain.as_json() | {"made_of": 0} and grouped.digest != plain.digest


@PROPERTY
@given(tables(), plain_protocols | grouped_protocols, counts, st.permutations([0, 1, 2]))
def test_the_draw_never_moves_the_normals_and_the_split_never_the_labels(table, protocol, count, values):
    share = most_contaminated(protocol)
    axes = {"anomalies": count, "contamination": share}
    one = attempt(table, protocol, split=values[0], draw=values[0], **axes)
    redrawn = attempt(table, protocol, split=values[0], draw=values[1], **axes)
    resplit = attempt(table, protocol, split=values[2], draw=values[0], **axes)
    assert redrawn.train == one.train and resplit.labelled == one.labelled
    if "grouped" not in protocol:
        assert on_test(redrawn, 0) == on_test(one, 0) and on_test(resplit, 1) == on_test(one, 1)
        assert resplit.polluting == one.polluting
    fewer, more = sorted((set(one.polluting), set(resplit.polluting)), key=len)
    assert fewer <= more  # with groups the number of training normals, and so of polluters, may differ


@PROPERTY
@given(tables(), st.sampled_from(["budget:4", "budget-grouped:4"]), numbers, st.tuples(counts, counts).map(sorted))
def test_fewer_labels_of_a_budget_are_among_the_more_and_the_test_set_stays(table, protocol, draw, pair):
    fewer, more = (attempt(table, protocol, anomalies=count, draw=draw) for count in pair)
    assert set(fewer.labelled) <= set(more.labelled)
    assert (fewer.train, fewer.test) == (more.train, more.test)


@PROPERTY
@given(tables(), st.sampled_from(["", "-grouped"]), numbers, st.lists(st.floats(0, 0.3), min_size=2, max_size=2))
def test_fewer_polluters_are_among_the_more_and_nothing_else_moves(table, suffix, draw, shares):
    less, more = (
        attempt(table, f"contamination{suffix}:0.3", anomalies=3, contamination=share, draw=draw)
        for share in sorted(shares)
    )
    assert set(less.polluting) <= set(more.polluting)
    assert (less.train, less.labelled, less.test) == (more.train, more.labelled, more.test)


@PROPERTY
@given(tables(), plain_protocols | grouped_protocols, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_without_a_say_change_nothing(table, protocol, rng):
    axes = {"anomalies": 2, "contamination": most_contaminated(protocol)}
    one = attempt(table, protocol, **axes)
    order = list(range(len(table)))
    rng.shuffle(order)
    other = table.iloc[order].assign(file="f", sha256="0", mask=[rng.choice("ab") for _ in order], width="7")
    other = other if "grouped" in protocol else other.assign(group=[rng.choice("ab") for _ in order])
    assert drawn(other, protocol, **axes).digest == one.digest
    assert drawn(table.to_dict("list"), protocol, **axes).digest == one.digest


@pytest.mark.parametrize("protocol", ALL)
def test_data_set_and_reading_move_the_labels_and_never_the_normals(protocol):
    one, *others = (
        draw_partition(example(), dataset=dataset, reading=reading, protocol=protocol, anomalies=6)
        for dataset, reading in (("some", "all"), ("other", "all"), ("some", "few"))
    )
    assert all(other.train == one.train and other.labelled != one.labelled for other in others)


def test_draws_and_splits_differ_from_one_another():
    for protocol in ALL:
        assert len({drawn(example(), protocol, anomalies=6, draw=draw).labelled for draw in range(5)}) > 1
        assert len({drawn(example(), protocol, anomalies=6, split=split).train for split in range(5)}) == 5


def test_polluters_are_drawn_apart_from_the_labels_and_from_all_anomalies():
    several = [drawn(example(), "contamination:0.2", contamination=0.2, draw=draw).polluting for draw in range(40)]
    assert {len(ids) for ids in several} == {7} and len(set().union(*several)) == 30
    fewer, more = (drawn(example(), "contamination:0.2", anomalies=n, contamination=0.2).polluting for n in (2, 3))
    assert len(set(fewer) & set(more)) >= 6  # one may have been labelled instead
    unlabelled = drawn(example(), "contamination:0.2", anomalies=0, contamination=0.2)
    assert set(unlabelled.polluting) != set(drawn(example(), "contamination:0.2", anomalies=7).labelled)


def test_a_polluter_shares_no_group_with_a_labelled_anomaly():
    table = table_of([""] * 20 + ["crack"] * 20, [*map(str, range(20)), *(f"pair{row // 2}" for row in range(20))])
    for draw in range(20):
        one = drawn(table, "contamination-grouped:0.2", anomalies=3, contamination=0.2, draw=draw)
        assert len(one.polluting) == 3 and not groups_of(table, one.labelled) & groups_of(table, one.polluting)


@pytest.mark.parametrize(
    ("normals", "share", "expected"),
    [(1131, 0.2, 282), (73, 0.2, 18), (75, 0.2, 18), (2021, 0.2, 505), (857, 0.025, 21)],
)
def test_a_share_counts_all_that_is_trained_as_normal(normals, share, expected):
    assert polluters(normals, share) == expected <= share * (normals + expected) + 1e-9
    assert expected + 1 > share * (normals + expected + 1) and polluters(normals, 0) == 0


def test_an_open_set_labels_one_class_and_tests_only_the_others():
    one = drawn(example(), "open-set:hole", anomalies=10)
    rows = example().set_index("id")
    assert set(rows.loc[list(one.labelled), "defect"]) == {"hole"} and len(one.labelled) == 10
    assert Counter(one.test_defect) == {"": 10, "crack": 14, "stain": 5}
    assert drawn(example(), "open-set:hole", anomalies=11).test == one.test


def test_the_classes_that_qualify_have_as_many_anomalies_as_are_labelled():
    assert open_set_classes(example()) == ["crack", "hole"]
    assert open_set_classes(example(), 5) == CLASSES and open_set_classes(example(), 15) == []
    assert open_set_classes(table_of([""] * 4 + ["crack"] * 20)) == []  # none would be left to test
    for name in open_set_classes(example()):
        assert len(drawn(example(), f"open-set:{name}").labelled) == 10


def test_elpv_has_the_two_open_sets_of_table_3(elpv):
    assert open_set_classes(elpv) == ["mono", "poly"]
    assert Counter(elpv_partition(elpv, "open-set:mono").test_defect) == {"": 377, "poly": 402}
    assert Counter(elpv_partition(elpv, "open-set:poly").test_defect) == {"": 377, "mono": 313}


def test_a_group_larger_than_the_labels_still_wanted_gives_its_first_and_is_not_tested():
    table = table_of([""] * 8 + ["crack"] * 9, [*map(str, range(8)), *["strip"] * 6, "a", "b", "c"])
    strip = set(table.loc[table["group"] == "strip", "id"])
    for draw in range(20):
        one = drawn(table, "general-grouped", anomalies=4, draw=draw)
        taken = strip & set(one.labelled)
        assert len(one.labelled) == 4 and (strip <= set(one.test) if not taken else not strip & set(one.test))


def test_groups_are_labelled_one_after_another():
    table = table_of([""] * 8 + ["crack"] * 20, [*map(str, range(8)), *(f"pair{row // 2}" for row in range(20))])
    for draw in range(10):
        labelled = drawn(table, "general-grouped", anomalies=6, draw=draw).labelled
        assert len(groups_of(table, labelled)) == 3


def test_a_group_larger_than_the_normals_still_wanted_for_the_test_is_tested_whole():
    table = table_of([""] * 8 + ["crack"] * 4, [*["strip"] * 5, "a", "b", "c", *"defg"])
    sizes = {len(on_test(drawn(table, "general-grouped", anomalies=1, split=split), 0)) for split in range(20)}
    assert sizes == {2, 5, 6}  # two single ones, the strip alone, or one before it


def test_what_shares_a_group_with_a_training_image_is_not_tested():
    groups = ["part1", "part2", "part3", "part4", "part1", "part2", "part3", "part4", "own5", "own6"]
    table = table_of([""] * 4 + ["crack"] * 6, groups)
    for split in range(4):
        one = drawn(table, "general-grouped", anomalies=0, split=split)
        (part,) = groups_of(table, on_test(one, 0))
        assert groups_of(table, on_test(one, 1)) == {part, "own5", "own6"}


def test_a_release_that_divides_its_images_is_taken_as_it_is():
    table = example()
    sides = np.where(np.arange(len(table)) % 5 < 2, "train", "test")
    table["split"] = np.where(table["label"] == 1, "test", sides)
    train = table.loc[table["split"] == "train", "id"]
    for protocol in PLAIN:
        one = drawn(table, protocol, anomalies=6)
        assert set(one.train) == set(train) and len(on_test(one, 0)) == 40 - len(train)
    grouped = drawn(table, "general-grouped", anomalies=6)
    assert set(grouped.train) == set(train) and not groups_of(table, train) & groups_of(table, grouped.test)


def test_another_split_of_a_release_that_divides_its_images_is_refused_in_one_line():
    table = table_of([""] * 4 + ["crack"] * 4, division=["train", "train", "test", "test"] + ["test"] * 4)
    assert drawn(table, "general", anomalies=1, split=0).made_of["split"] == 0
    with pytest.raises(Misuse, match=r"split 3: the release divides these images itself; choose split 0"):
        drawn(table, "general", anomalies=1, split=3)
    table.loc[0, "split"] = ""
    with pytest.raises(Misuse, match="1 of 4 normals are neither train nor test; prepare the data set again"):
        drawn(table, "general", anomalies=1)


@pytest.mark.parametrize(
    ("protocol", "axes", "message"),
    [
        ("general", {"anomalies": 30}, "30 labelled anomalies of 30: one at least .* choose 0 to 29"),
        ("open-set:stain", {}, "10 labelled anomalies of the class stain: it has 5; choose 0 to 5"),
        ("open-set:hol", {}, r"unknown anomaly class 'hol' \(did you mean 'hole'\?\): valid are crack, hole, stain"),
        ("budget:30", {}, "budget:30 of 30 anomalies: one at least .* choose a budget of 1 to 29"),
        ("budget:8", {"anomalies": 9}, "9 labelled anomalies: the budget is 8; choose 0 to 8"),
        ("budget:8", {"anomalies": -1}, "-1 labelled anomalies: .*choose 0 to 8"),
        (
            "contamination:0.5",
            {},
            r"needs 30 anomalies beside 30 .* leave 20: choose a largest share of at most 0.399 or",
        ),
        ("contamination:0.2", {"contamination": 0.3}, "contamination 0.3: .* contamination:0.2 takes 0 to 0.2"),
        ("contamination:0.2", {"contamination": -0.1}, "contamination -0.1: .* takes 0 to 0.2"),
        ("contamination:0.2", {"contamination": float("nan")}, "contamination nan: .* takes 0 to 0.2"),
        ("general", {"contamination": 0.1}, "contamination 0.1: general takes none; .* such as contamination:0.2"),
        ("budget-grouped:8", {"contamination": 0.1}, "contamination 0.1: budget-grouped:8 takes none"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line_with_what_can(protocol, axes, message):
    with pytest.raises(Misuse, match=message) as refusal:
        drawn(example(), protocol, **axes)
    assert "\n" not in str(refusal.value)


def test_the_largest_share_that_a_refusal_names_can_be_drawn():
    with pytest.raises(Misuse, match=r"at most 0\.399"):
        drawn(example(), "contamination:0.4")
    assert len(on_test(drawn(example(), "contamination:0.399"), 1)) >= 1


def test_a_share_that_no_number_can_make_possible_asks_for_fewer_labels():
    with pytest.raises(Misuse, match=r"leave 1: choose fewer labelled anomalies$"):
        drawn(example(), "contamination:0.2", anomalies=29)


def test_the_only_class_is_no_open_set():
    with pytest.raises(Misuse, match="open-set:crack: it is the only class of anomalies, so that none is left to test"):
        drawn(table_of([""] * 8 + ["crack"] * 20), "open-set:crack")


@pytest.mark.parametrize(
    ("defects", "groups", "message"),
    [
        ([""] + ["crack"] * 4, None, "0 normals to train, 1 normals and 3 anomalies to test: .* bring more images"),
        (
            [""] * 4 + ["crack"] * 3,
            ["a"] * 7,
            "0 normals to train, 0 normals and 0 anomalies to test: .*without groups",
        ),
        (["crack"] * 4, None, "0 normals to train, 0 normals and 3 anomalies to test"),
    ],
)
def test_a_table_that_leaves_nothing_to_train_or_one_class_to_test_is_refused(defects, groups, message):
    with pytest.raises(Misuse, match=message):
        drawn(table_of(defects, groups), "general-grouped" if groups else "general", anomalies=1)


def test_a_table_without_anomalies_is_refused():
    with pytest.raises(Misuse, match=r"0 labelled anomalies of 0: .* no number is possible"):
        drawn(table_of([""] * 8), "general", anomalies=0)


@pytest.mark.parametrize(
    "name",
    [
        "general:",
        "general:5",
        "open-set",
        "open-set:",
        "budget",
        "budget:",
        "budget:x",
        "budget:0",
        "budget:-3",
        "budget:040",
        "budget:4.0",
        "contamination",
        "contamination:0",
        "contamination:1",
        "contamination:.2",
        "contamination:0.20",
        "contamination:nan",
        "contamination:20%",
        "budget-grouped:0",
        "budget:1_0",
    ],
)
def test_a_parameter_that_does_not_fit_or_is_not_in_its_plain_form_shows_the_form(name):
    family = name.split(":")[0]
    with pytest.raises(Misuse, match=f"protocol '{name}': expected {family}"):
        read_protocol(name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("genral", "general"),
        ("general-groupd", "general-grouped"),
        ("opn-set:hole", "open-set"),
        ("bugdet:40", "budget"),
        ("contaminaton:0.2", "contamination"),
    ],
)
def test_an_unknown_protocol_lists_every_one_and_the_nearest(name, nearest):
    with pytest.raises(Misuse) as refusal:
        read_protocol(name)
    assert f"did you mean '{nearest}'?" in str(refusal.value)
    assert str(refusal.value).endswith(", ".join(sorted(FAMILIES))) and len(FAMILIES) == 8


def test_the_class_of_an_open_set_may_bear_any_name():
    table = table_of([""] * 8 + ["edge cases: 1/3"] * 4 + ["other"] * 3)
    assert set(drawn(table, "open-set:edge cases: 1/3", anomalies=3).test_defect) == {"", "other"}


def test_only_a_partition_with_contamination_says_so():
    for protocol in ALL:
        made_of = drawn(example(), protocol, anomalies=6).made_of
        assert ("contamination" in made_of) == protocol.startswith("contamination")
    assert drawn(example(), "contamination:0.2", contamination=0).digest == drawn(example(), "contamination:0.2").digest


@pytest.mark.parametrize("protocol", ALL)
def test_shuffling_moves_neither_the_polluters_nor_the_test_set(protocol):
    axes = {"anomalies": 5, "contamination": most_contaminated(protocol)}
    true = drawn(example(), protocol, **axes)
    control = shuffled(true)
    assert (control.polluting, control.test) == (true.polluting, true.test)
    assert sorted(control.train + control.labelled) == sorted(true.train) and len(control.labelled) == 5


@pytest.fixture(scope="module")
def elpv() -> pd.DataFrame:
    return read_as(read_table(MANIFESTS / "elpv.csv"))


def elpv_partition(table: pd.DataFrame, protocol: str, **axes) -> Partition:
    return draw_partition(table, dataset="elpv", reading="certain", protocol=protocol, split=42, draw=3, **axes)


def test_elpv_with_a_fifth_of_contamination_hides_282_anomalies(elpv):
    one = elpv_partition(elpv, "contamination:0.2", contamination=0.2)
    assert (len(one.train), len(one.polluting), len(on_test(one, 1))) == (1131, 282, 715 - 10 - 282)


PINNED = {
    "general": "4b48fea792933e6d",
    "open-set:hole": "d043db0c46a0a12b",
    "budget:8": "6426f603b3712f6e",
    "contamination:0.2": "4f951a315ea4e2a6",
    "general-grouped": "3932cb8a94c92e27",
    "open-set-grouped:hole": "81168be81f7adae3",
    "budget-grouped:8": "6d65efd3ef93d6c8",
    "contamination-grouped:0.2": "c0f1340b24360835",
}
PINNED_ELPV = {
    "general": "684df3e304fb9660",
    "open-set:mono": "1c3cc9c6224127f0",
    "open-set:poly": "a577a27822d05ecb",
    "budget:40": "af4cfa3a634e1c3e",
    "contamination:0.2": "e6c14b4f96b7c82d",
    "general-grouped": "be29feea1b994524",
}


@pytest.mark.parametrize("protocol", ALL)
def test_every_protocol_is_pinned_on_a_hand_made_table(protocol):
    axes = {"anomalies": 6, "contamination": most_contaminated(protocol) / 2, "split": 42, "draw": 3}
    assert drawn(example(), protocol, **axes).digest == PINNED[protocol]


@pytest.mark.parametrize("protocol", PINNED_ELPV)
def test_every_protocol_is_pinned_on_elpv_so_that_stored_scores_keep_their_meaning(elpv, protocol):
    axes = {"contamination": most_contaminated(protocol)}
    assert elpv_partition(elpv, protocol, **axes).digest == PINNED_ELPV[protocol]


PINNED_OTHERS = {
    ("kolektorsdd", "code", "general", 42): "7f54cc57b752f20c",
    ("kolektorsdd", "code", "general-grouped", 42): "61799e035d48b92b",
    ("kolektorsdd", "code", "budget:20", 42): "a3fcdd91e7ab344b",
    ("kolektorsdd", "table1", "general", 0): "ac06dc33f3cda78c",
    ("brainmri", "all", "general", 42): "b31f7535c991fde0",
    ("brainmri", "all", "general-grouped", 42): "153bf5a3d2ad1fc9",
    ("brainmri", "all", "contamination:0.2", 42): "8dae5b0de092eac8",
    ("brainmri", "official_loader", "general", 42): "aca994743560c7f4",
    ("brainmri", "official_loader", "general-grouped", 42): "21ffbb8b6e68b038",
    ("headct", "all", "general", 42): "28a38f9795bdb5c6",
    ("headct", "all", "general-grouped", 42): "b175c82a11bcb339",
    ("headct", "all", "contamination:0.2", 42): "13bb0875998692f0",
}


@pytest.mark.parametrize(("dataset", "reading", "protocol", "split"), PINNED_OTHERS)
def test_the_same_numbers_give_the_same_partition_of_every_committed_table(dataset, reading, protocol, split):
    table = rows_of(dataset, reading, read_table(MANIFESTS / f"{dataset}.csv"))
    axes = {"split": split, "draw": 3, "contamination": most_contaminated(protocol)}
    one = draw_partition(table, dataset=dataset, reading=reading, protocol=protocol, **axes)
    assert one.digest == PINNED_OTHERS[dataset, reading, protocol, split]
