"""The digest that is kept beside the published scores."""

import pytest

from devnetlib.study.digest import FILE, as_published, renew, verdict
from devnetlib.study.results import PUBLISHED, scores_digest

SCORES = "devnet-general-n10-split{}-draw0-seed0-0123456789ab.json"  # the name of a scores file


@pytest.fixture
def published(tmp_path):
    """A results folder of one scores file, with its digest."""
    (tmp_path / "quick" / "toy").mkdir(parents=True)
    (tmp_path / "quick" / "toy" / SCORES.format(0)).write_text("{}")
    renew(tmp_path)
    return tmp_path


def test_the_committed_digest_is_that_of_the_published_scores():
    assert as_published(PUBLISHED, scores_digest(PUBLISHED)), f"{FILE} is stale: digest.renew(PUBLISHED) writes it"


def test_scores_are_as_published_until_one_is_changed_or_added(published):
    assert as_published(published, scores_digest(published))
    assert "as published" in verdict(published, scores_digest(published))
    (published / "quick" / "toy" / SCORES.format(1)).write_text("{}")
    assert as_published(published, scores_digest(published)) is False
    assert "it differs from DIGEST" in verdict(published, scores_digest(published))


def test_a_folder_or_a_broken_link_in_the_place_of_scores_changes_the_digest(published):
    place = published / "quick" / "toy" / SCORES.format(0)
    place.unlink()
    place.mkdir()
    assert as_published(published, scores_digest(published)) is False
    place.rmdir()
    place.symlink_to(published / "nowhere")
    assert as_published(published, scores_digest(published)) is False


def test_where_no_digest_is_kept_there_is_nothing_to_hold_against(published):
    (published / FILE).unlink()
    assert as_published(published, scores_digest(published)) is None
    assert "nothing is kept" in verdict(published, scores_digest(published))
