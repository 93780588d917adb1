from __future__ import annotations

from pathlib import Path

import pytest

from numbering.demo import PATIENTS, Shown, demonstrate


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return demonstrate(tmp_path_factory.mktemp("demo"))


def rows(shown: Shown, sent: str) -> list[tuple[str, ...]]:
    """The table's lines of one kind of image."""
    return [row for row in shown.rows if row[1].endswith(sent)]


def test_every_film_comes_back_to_the_archive_with_report_and_presentation_state(shown: Shown) -> None:
    assert shown.complete
    assert [row[2] for row in rows(shown, "AP film")] == ["2 objects"] * len(PATIENTS)


def test_views_without_a_pipeline_are_received_and_listed_with_the_reason(shown: Shown) -> None:
    others = rows(shown, "lateral film")
    assert {(row[2], row[4]) for row in others} == {("0 objects", "no-pipeline-installed")}


def test_usual_spines_are_numbered_right_or_not_at_all_and_a_sixth_vertebra_is_never_called_right(shown: Shown) -> None:
    films = rows(shown, "AP film")
    assert {row[3] for row in films[:3]} == {"L5"}
    assert {row[7] for row in films[:3]} <= {"right", "abstained"}
    assert films[0][7] == "right"
    assert films[3][3] == "L6"
    assert films[3][7] in ("justified", "abstained")  # presumed L5: the table says that this is not its name


def test_each_film_that_was_read_has_a_picture(shown: Shown) -> None:
    read = [row for row in shown.rows if row[2] != "0 objects"]
    assert len(list(Path(shown.pictures).glob("*.png"))) == len(read) >= len(PATIENTS)
