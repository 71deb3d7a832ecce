"""Contact sheets: of what is at hand and may be shown, and of nothing else."""

import pytest
from PIL import Image

from devnetlib.data.manifests import datasets, load_card
from devnetlib.data.toy import DEFECTS
from devnetlib.errors import Misuse
from devnetlib.report.samples import caption, contact_sheet, sample_rows


def test_the_sheet_of_the_toy_shows_every_kind_of_defect_and_is_the_same_each_time(tmp_path):
    told = [contact_sheet("toy", tmp_path / name) for name in ("a.png", "b.png")]
    assert told[0] == told[1] and all(kind in told[0] for kind in ("no defect", *DEFECTS))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(tmp_path / "a.png").height > 100 * len(DEFECTS)


def test_rows_are_normals_first_then_every_class_with_images_of_their_own(toy):
    rows = sample_rows("toy")
    assert list(rows) == ["normal", *sorted(DEFECTS)]
    assert len({image.tobytes() for images in rows.values() for image in images}) == sum(map(len, rows.values())) > 10


@pytest.mark.parametrize("name", [name for name in datasets() if load_card(name).facts["licence"]["name"] == "unknown"])
def test_nothing_is_shown_of_a_data_set_whose_licence_is_not_known(tmp_path, name):
    with pytest.raises(Misuse, match="its licence is unknown"):
        contact_sheet(name, tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_sheet_of_what_is_not_at_hand(tmp_path):
    assert contact_sheet("kolektorsdd", tmp_path / "sheet.png") is None and list(tmp_path.iterdir()) == []


def test_the_caption_names_the_source_and_the_licence():
    assert "zae-bayern/elpv-dataset" in caption("elpv") and "CC BY-NC-SA 4.0" in caption("elpv")
