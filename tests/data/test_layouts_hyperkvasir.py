"""Hyper-Kvasir: landmarks of the upper tract against its four pathological classes, and nothing else."""

import shutil

import pytest
from trees import picture, printed_counts

from devnetlib.data.layouts import hyperkvasir
from devnetlib.data.manifests import load_card
from devnetlib.errors import Misuse


@pytest.fixture
def labeled(tmp_path):
    """Two images of each of the seven classes, and a class of the lower tract."""
    root = tmp_path / "labeled-images"
    for kind, classes in hyperkvasir.CLASSES.values():
        for name in classes:
            for number in range(2):
                picture(root / "upper-gi-tract" / kind / name / f"{name[:3]}-{number}.jpg", mode="RGB")
    picture(root / "lower-gi-tract" / "pathological-findings" / "polyps" / "polyp.jpg")
    return root


def test_landmarks_are_normal_and_the_four_findings_anomalous(labeled):
    table = hyperkvasir.read(labeled)
    assert table["label"].value_counts().to_dict() == {"0": 6, "1": 8}
    assert set(table.loc[table["label"] == "1", "defect"]) == set(hyperkvasir.CLASSES["1"][1])
    assert set(table.loc[table["label"] == "0", "defect"]) == {""}
    assert (table[["split", "mask", "x"]] == "").all(axis=None)
    assert table["id"].is_monotonic_increasing and table["id"].is_unique


def test_the_lower_tract_is_not_read(labeled):
    assert not hyperkvasir.read(labeled)["file"].str.contains("lower").any()


def test_a_further_folder_is_not_read_but_reported(labeled):
    picture(labeled / "upper-gi-tract" / "pathological-findings" / "ulcer" / "1.jpg")
    table = hyperkvasir.read(labeled)
    assert len(table) == 14
    assert hyperkvasir.remarks(labeled, table) == [
        "upper-gi-tract/pathological-findings/ulcer: not one of the classes of the study, not read"
    ]


def test_the_same_name_in_two_classes_gives_two_ids(labeled):
    findings = labeled / "upper-gi-tract" / "pathological-findings"
    for name in ("barretts", "esophagitis-a"):
        picture(findings / name / "1.jpg")
    table = hyperkvasir.read(labeled)
    assert {"barretts-1", "esophagitis-a-1"} <= set(table["id"]) and table["id"].is_unique


def test_the_same_picture_as_landmark_and_finding_is_reported_and_shares_a_group(labeled):
    upper = labeled / "upper-gi-tract"
    twin = upper / "pathological-findings" / "esophagitis-a" / "eso-0.jpg"
    shutil.copy(upper / "anatomical-landmarks" / "z-line" / "z-l-0.jpg", twin)
    table = hyperkvasir.read(labeled)
    group = table.set_index("id")["group"]
    assert group["esophagitis-a-eso-0"] == group["z-line-z-l-0"] and group.nunique() == 13
    assert any("normal and anomalous" in line and "z-l-0.jpg" in line for line in hyperkvasir.remarks(labeled, table))


def test_two_images_that_would_be_one_sample_are_refused_by_their_names(labeled):
    image = next(labeled.rglob("barretts/*.jpg"))
    shutil.copy(image, image.with_suffix(".JPG"))
    with pytest.raises(
        Misuse, match=rf"{image.stem}\.JPG and .*{image.name} would both be the sample barretts-{image.stem}"
    ):
        hyperkvasir.read(labeled)


def test_the_folder_is_found_as_the_archive_nests_it(labeled):
    assert hyperkvasir.find(labeled) == hyperkvasir.find(labeled.parent) == labeled
    with pytest.raises(Misuse, match="found nothing, expected upper-gi-tract/"):
        (labeled.parent / "empty").mkdir()
        hyperkvasir.find(labeled.parent / "empty")


def test_a_class_that_is_missing_is_named(labeled):
    shutil.rmtree(labeled / "upper-gi-tract" / "pathological-findings" / "barretts-short-segment")
    with pytest.raises(Misuse, match=r"barretts-short-segment: no \.jpg file"):
        hyperkvasir.read(labeled)


def test_the_card_has_the_counts_of_table_1():
    assert load_card("hyperkvasir").facts["counts"] == {"upper": printed_counts("Hyper-Kvasir")}
    assert "diagnosis" in load_card("hyperkvasir").facts["limits"]
