"""Partitions: the released code's split, three axes that never move one another, nothing on two sides."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnetlib.data.manifests import MANIFESTS, read_as, read_table
from devnetlib.data.splits import Partition, draw_partition, shuffled
from devnetlib.errors import Misuse


def table_of(normals: int, anomalies: int) -> pd.DataFrame:
    labels = [0] * normals + [1] * anomalies
    ids = [f"{number:03d}" for number in np.random.default_rng(0).permutation(len(labels))]
    return pd.DataFrame({"id": ids, "label": labels, "defect": ["crack" * label for label in labels]})


def drawn(table: pd.DataFrame, **axes) -> Partition:
    return draw_partition(table, dataset="some", reading="all", **axes)


@pytest.fixture(scope="module")
def elpv() -> pd.DataFrame:
    return read_as(read_table(MANIFESTS / "elpv.csv"))


def elpv_partition(table: pd.DataFrame, **axes) -> Partition:
    return draw_partition(table, dataset="elpv", reading="certain", **axes)


def test_elpv_is_divided_as_table_1_counts_it(elpv):
    partition = elpv_partition(elpv, split=42)
    labels = np.array(partition.test_label)
    assert len(partition.train) == 1131 and (labels == 0).sum() == 377
    assert (labels == 1).sum() + len(partition.labelled) == 715 and len(partition.labelled) == 10


@pytest.mark.parametrize("split", [0, 42])
def test_a_split_is_scikit_learns_train_test_split_of_the_sorted_normals(elpv, split):
    from sklearn.model_selection import train_test_split

    normals = sorted(elpv.loc[elpv["label"] == 0, "id"])
    train, test = train_test_split(normals, test_size=0.25, random_state=split)
    partition = elpv_partition(elpv, split=split)
    assert partition.train == tuple(sorted(train))
    assert {i for i, label in zip(partition.test, partition.test_label, strict=True) if label == 0} == set(test)


def test_one_partition_of_elpv_is_pinned_so_that_stored_scores_keep_their_meaning(elpv):
    assert elpv_partition(elpv, split=42, draw=3).digest == "684df3e304fb9660"


tables = st.tuples(st.integers(2, 30), st.integers(1, 12)).map(lambda sizes: table_of(*sizes))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tables, st.data())
def test_every_image_is_on_exactly_one_side(table, data):
    count = data.draw(st.integers(0, (table["label"] == 1).sum() - 1))
    split, draw = data.draw(st.integers(0, 2**31)), data.draw(st.integers(0, 2**31))
    partition = drawn(table, anomalies=count, split=split, draw=draw)
    sides = [*partition.train, *partition.labelled, *partition.polluting, *partition.test]
    assert sorted(sides) == sorted(table["id"])
    rows = table.set_index("id")
    assert all(rows.loc[i, "label"] == 0 for i in partition.train)
    assert all(rows.loc[i, "label"] == 1 for i in partition.labelled) and len(partition.labelled) == count
    assert tuple(rows.loc[list(partition.test), "label"]) == partition.test_label
    assert tuple(rows.loc[list(partition.test), "defect"]) == partition.test_defect
    assert set(partition.test_label) == {0, 1}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_the_tables_rows_changes_nothing(table, rng):
    order = list(range(len(table)))
    rng.shuffle(order)
    assert drawn(table, anomalies=0) == drawn(table.iloc[order], anomalies=0)
    assert drawn(table, anomalies=0).digest == drawn(table.iloc[order], anomalies=0).digest


def test_the_draw_moves_the_labels_and_never_the_normals():
    table = table_of(60, 40)
    first, other = drawn(table, draw=0), drawn(table, draw=1)
    assert first.labelled != other.labelled and first.train == other.train
    normal_test = [[i for i, y in zip(p.test, p.test_label, strict=True) if y == 0] for p in (first, other)]
    assert normal_test[0] == normal_test[1]


def test_the_split_moves_the_normals_and_never_the_labels():
    table = table_of(60, 40)
    first, other = drawn(table, split=0), drawn(table, split=1)
    assert first.train != other.train and first.labelled == other.labelled


def test_more_labels_contain_the_fewer_of_the_same_draw():
    table = table_of(20, 40)
    assert set(drawn(table, anomalies=5).labelled) < set(drawn(table, anomalies=10).labelled)


@pytest.mark.parametrize("asked", [12, 13, 500, -1])
def test_more_anomalies_than_can_be_labelled_are_refused_with_the_numbers(asked):
    with pytest.raises(Misuse, match=rf"{asked} labelled anomalies.* 12.*choose 0 to 11"):
        drawn(table_of(20, 12), anomalies=asked)


def test_an_unknown_protocol_names_the_valid_ones():
    with pytest.raises(Misuse, match=r"'genral' \(did you mean 'general'\?\): valid are .*general-grouped"):
        drawn(table_of(20, 12), protocol="genral")


def test_shuffling_labels_normals_and_leaves_the_test_set_alone():
    table = table_of(60, 40)
    true = drawn(table)
    control = shuffled(true)
    assert (control.test, control.test_label) == (true.test, true.test_label)
    assert len(control.labelled) == len(true.labelled) and set(control.labelled) < set(true.train)
    assert sorted(control.labelled + control.train) == sorted(true.train)
    assert control.digest != true.digest
    assert shuffled(drawn(table, draw=1)).labelled != control.labelled


def test_a_partition_survives_being_stored():
    partition = drawn(table_of(20, 12))
    again = Partition.from_json(partition.as_json())
    assert again == partition and again.digest == partition.digest
