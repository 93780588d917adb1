from __future__ import annotations

from pathlib import Path

import pytest

from numbering.demo import PATIENTS, Shown, demonstrate


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return demonstrate(tmp_path_factory.mktemp("demo"))


def test_every_study_comes_back_to_the_archive_with_report_and_presentation_state(shown: Shown) -> None:
    assert shown.complete
    assert [(row[1], row[2]) for row in shown.rows] == [("1 film", "2 objects")] * len(PATIENTS)


def test_l5_is_found_in_the_usual_spines_and_nothing_is_called_by_a_wrong_name_unnoticed(shown: Shown) -> None:
    usual = [row for row, (_, _, anomaly) in zip(shown.rows, PATIENTS, strict=True) if anomaly != "L6"]
    assert [(row[3], row[4], row[5]) for row in usual] == [("L5", "numbered", "L5")] * 3
    (six,) = [row for row, (_, _, anomaly) in zip(shown.rows, PATIENTS, strict=True) if anomaly == "L6"]
    assert six[3] == "L6"
    assert six[7] == "no"  # presumed L5 or abstained: the table says that neither is the truth


def test_each_study_has_a_picture(shown: Shown) -> None:
    assert len(list(Path(shown.pictures).glob("*.png"))) == len(PATIENTS)
