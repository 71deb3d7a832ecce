"""What the page on the data says of copies holds in the committed census, and its tables show all of it."""

import re

import pytest

from devnetlib.evidence import census_page, near_images
from devnetlib.evidence.census import committed, committed_table, effect
from devnetlib.study.results import REPOSITORY

COMMITTED = {census.name: census for census in committed()}


def test_two_commutators_of_sdd_are_the_same_third_by_third():
    names = COMMITTED["kolektorsdd"].groups
    assert sum(name.startswith(("kos38_", "kos39_")) for name in names) == 2 * 24


def test_many_cells_of_elpv_have_a_partner_whose_number_is_just_as_far_away():
    gap, pairs = census_page.commonest_gap(COMMITTED["elpv"])
    far = sum(abs(int(a[4:]) - int(b[4:])) > census_page.FAR for a, b, _ in COMMITTED["elpv"].near)
    assert pairs > 30 and pairs > 0.7 * far and gap > 500


@pytest.mark.parametrize("name", ["headct", "brainmri", "kolektorsdd"])
def test_the_column_group_joins_every_pair_of_the_census(name):
    census = next(one for one in COMMITTED.values() if one.dataset == name)
    group = committed_table(name, census.reading).set_index("id")["group"]
    assert all(group[a] == group[b] for a, b, _ in census.near) and census.near


def test_the_limit_of_every_counted_data_set_stands_in_its_census():
    assert {one.dataset: one.within for one in COMMITTED.values()} == near_images.WITHIN


def test_tables_of_the_page_have_a_line_for_every_data_set_and_a_cell_for_every_column():
    table, changes = census_page.leaks_table_html(), census_page.effect_table_html()
    rows = [part for part in table.split("<tr>") if "<td>" in part]
    assert len(rows) == len(COMMITTED) and all(row.count("<td>") == 10 for row in rows)
    assert all(f'<th scope="row">{name}</th>' in table for name in COMMITTED)
    assert f"{effect(COMMITTED['headct'], 'devnet').everything:.3f}" in changes and "table1" not in changes


def test_the_largest_share_of_torn_normals_is_on_brainmri():
    share = {name: found.normals_partnered / found.normals for name, (_, found) in census_page.counted().items()}
    others = max(value for name, value in share.items() if not name.startswith("brainmri"))
    assert min(share["brainmri"], share["brainmri:official_loader"]) > 2 * others


def test_most_other_pairs_of_elpv_are_of_near_numbers():
    gap, _ = census_page.commonest_gap(COMMITTED["elpv"])
    gaps = [abs(int(a[4:]) - int(b[4:])) for a, b, _ in COMMITTED["elpv"].near]
    others = [one for one in gaps if one != gap]
    assert sum(one <= 10 for one in others) > 0.5 * len(others)


def test_every_number_that_the_page_quotes_of_the_census_is_computed():
    page = (REPOSITORY / "book" / "data.md").read_text()
    quoted = set(re.findall(r"{{ (census_\w+) }}", page))
    assert len(quoted) > 8 and quoted <= set(census_page.numbers())
