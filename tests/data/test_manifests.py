"""Cards and image tables: every card validates, every file of ELPV is the recorded one, damage is found by name."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from devnetlib.data import manifests
from devnetlib.data.layouts import LAYOUTS
from devnetlib.data.manifests import COLUMNS, datasets, load_card, read_as, read_table, table_digest, write_table
from devnetlib.data.prepare import counts, overview, prepare, verify
from devnetlib.errors import Misuse


@pytest.fixture
def own_toy(toy, tmp_path):
    """A copy of the toy's files that a test may damage."""
    root = tmp_path / "toy"
    shutil.copytree(toy.root, root)
    return replace(toy, root=root)


@pytest.mark.parametrize("name", datasets())
def test_every_card_validates_has_a_reader_and_counts_each_of_its_readings(name):
    card = load_card(name)
    assert name in LAYOUTS
    assert set(card.facts["counts"]) == set(card.readings)


@pytest.mark.parametrize("name", ["elpv", "toy"])
def test_a_data_set_has_as_many_images_as_its_card_says(name):
    data = prepare(name)
    assert counts(data.table) == data.card.facts["counts"][data.reading]


def test_every_file_of_elpv_has_the_recorded_hash():
    assert verify(prepare("elpv")) == []


def test_the_committed_table_of_elpv_is_what_its_reader_makes_of_the_release(tmp_path):
    layout = LAYOUTS["elpv"]
    write_table(layout.read(layout.locate(tmp_path)), tmp_path / "elpv.csv")
    assert (tmp_path / "elpv.csv").read_bytes() == (manifests.MANIFESTS / "elpv.csv").read_bytes()


def test_an_untouched_copy_verifies(own_toy):
    assert verify(own_toy) == []


@pytest.mark.parametrize("file", ["hole/003.pgm", "masks/hole/003.pgm"])
def test_a_flipped_byte_is_found_and_its_file_named(own_toy, file):
    damaged = own_toy.root / file
    content = bytearray(damaged.read_bytes())
    content[40] ^= 1
    damaged.write_bytes(content)
    (fault,) = verify(own_toy)
    assert fault.startswith(f"{file}: found sha256") and "expected" in fault


def test_a_missing_file_is_found_and_named(own_toy):
    (own_toy.root / "good" / "011.pgm").unlink()
    assert verify(own_toy) == ["good/011.pgm: missing"]


def test_an_unknown_data_set_and_an_unknown_reading_list_the_valid_ones():
    with pytest.raises(Misuse, match=r"'elvp' \(did you mean 'elpv'\?\): valid are .*toy"):
        load_card("elvp")
    with pytest.raises(Misuse, match=r"'certian' \(did you mean 'certain'\?\)"):
        load_card("elpv").reading("certian")


def test_a_card_that_breaks_the_schema_is_refused_with_the_place(tmp_path, monkeypatch):
    shutil.copy(manifests.MANIFESTS / "card.schema.json", tmp_path)
    text = (manifests.MANIFESTS / "toy.yml").read_text()
    (tmp_path / "broken.yml").write_text(re.sub(r"test_anomaly: \d+", "test_anomaly: many", text))
    monkeypatch.setattr(manifests, "MANIFESTS", tmp_path)
    with pytest.raises(Misuse, match=r"card broken\.yml, counts/all/test_anomaly: found 'many', must be integer"):
        load_card("broken")


def test_a_table_is_written_sorted_and_read_back_as_text(tmp_path):
    rows = [{column: "" for column in COLUMNS} | {"id": name, "label": "01"} for name in ("b", "a")]
    write_table(pd.DataFrame(rows), tmp_path / "table.csv")
    table = read_table(tmp_path / "table.csv")
    assert table["id"].tolist() == ["a", "b"] and table["label"].tolist() == ["01", "01"]
    assert b"\r" not in (tmp_path / "table.csv").read_bytes()


@pytest.mark.parametrize("fault", ["columns", "ids"])
def test_a_table_with_other_columns_or_repeated_ids_is_refused(tmp_path, fault):
    columns = COLUMNS[:-1] if fault == "columns" else COLUMNS
    pd.DataFrame([{column: "x" for column in columns}] * 2).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(Misuse, match=r"table\.csv: expected unique ids and the columns"):
        read_table(tmp_path / "table.csv")


def test_rows_without_a_label_take_no_part_in_a_reading():
    whole = read_table(manifests.MANIFESTS / "elpv.csv")
    used = read_as(whole)
    assert len(whole) == 2624 and len(used) == 2223
    assert table_digest(used) != table_digest(used.iloc[:-1])


def test_the_overview_names_every_data_set_with_its_licence(data_root: Path):
    rows = overview(data_root)
    assert [row["name"] for row in rows] == datasets()
    assert all(row["licence"] for row in rows)
