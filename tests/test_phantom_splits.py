"""Reserved patients never train."""

from __future__ import annotations

import pytest

from numbering.phantom.splits import ReservedPatient, refuse_reserved, reserved, split_of, styles_for
from numbering.phantom.styles import STYLES


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, "train"),
        (799999, "train"),
        (800000, "validation"),
        (899999, "validation"),
        (900000, "test"),
        (999999, "test"),
    ],
)
def test_seed_ranges_end_where_they_are_said_to(seed: int, expected: str) -> None:
    assert split_of(seed) == expected


def test_a_reserved_shape_source_or_style_reserves_whatever_the_seed() -> None:
    assert split_of(5, "morphable") == "test"
    assert split_of(5, "procedural", ["nordwind", "fairhaven-2"]) == "test"


def test_a_loader_is_refused_a_reserved_patient_by_name() -> None:
    refuse_reserved("patient-0001", 1)
    with pytest.raises(ReservedPatient, match=r"patient-0007: simulated patient of seed 900007.*reserved for test"):
        refuse_reserved("patient-0007", 900007)


def test_what_is_reserved_exists_and_is_reserved_once() -> None:
    table = reserved()
    assert {name for names in table.styles.values() for name in names} < set(STYLES)
    (_, end), (start, _) = table.seeds["validation"], table.seeds["test"]
    assert end < start


def test_patients_that_may_train_never_meet_reserved_equipment() -> None:
    assert "fairhaven-2" not in styles_for(1)
    assert "fairhaven-2" in styles_for(900001)
