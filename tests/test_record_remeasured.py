"""What becomes of measurements when the record gives vertebrae other names: no value under a name that is not its."""

from __future__ import annotations

from typing import Any

import pytest

from numbering.record import Filed, reissues
from numbering.record.remeasured import remeasured
from numbering.result import Findings, Measurement
from tests.patients import NOON, correction, lumbar
from tests.results import lateral


def angle(name: str, *levels: str, **more: Any) -> Measurement:
    facts: dict[str, Any] = {"value": 12.5, "unit": "deg", "uncertainty": 2.0}
    return Measurement(name=name, levels=levels, **(facts | more))


SLIP = angle("anterolisthesis-l4-l5", "L4", "L5", unit="1", value=0.05)
LORDOSIS = angle("lumbar-lordosis-l1-l5", "L1", "L5")
WEDGE = angle("wedge-ratio-l2", "L2", unit="1", value=0.8)
NOT_GIVEN = angle("sacral-slope", "S1", value=None, uncertainty=None, reason="not given: S1 is not named")


def measured_film(*measurements: Measurement, **texts: Any) -> Filed:
    filed = lumbar("1.2.3")
    assert filed.result is not None
    findings = filed.result.findings.model_copy(update={"measurements": measurements, **texts})
    return filed.model_copy(update={"result": filed.result.model_copy(update={"findings": findings})})


def issued(filed: Filed, was: str, name: str) -> Findings:
    """What is issued when a person says that ``was`` is ``name``."""
    (again,) = reissues([filed], [correction(filed, was, name)], at=NOON)
    return again.result.findings


def test_a_value_between_neighbours_goes_to_their_new_names() -> None:
    slip, wedge = issued(measured_film(SLIP, WEDGE), "L5", "L6").measurements
    assert (slip.name, slip.levels, slip.value) == ("anterolisthesis-l5-l6", ("L5", "L6"), 0.05)
    assert (wedge.name, wedge.levels, wedge.value) == ("wedge-ratio-l3", ("L3",), 0.8)


def test_lordosis_from_what_is_no_longer_l1_is_withheld() -> None:
    (lordosis,) = issued(measured_film(LORDOSIS), "L5", "L6").measurements
    assert (lordosis.value, lordosis.uncertainty, lordosis.lines) == (None, None, ())
    assert lordosis.reason is not None
    assert "L1-L5 corrected to L2-L6" in lordosis.reason


def test_a_correction_that_renames_nothing_changes_no_measurement() -> None:
    given = (LORDOSIS, SLIP, NOT_GIVEN)
    found = issued(measured_film(*given, anomalies=("slip of L4 on L5",)), "L3", "L3")
    assert found.measurements == given
    assert found.anomalies == ("slip of L4 on L5",)


def test_sentences_about_levels_are_marked_as_older_than_the_names() -> None:
    texts = {"anomalies": ("slip of L4 on L5",), "quality": ("the film is upside down",)}
    found = issued(measured_film(SLIP, **texts), "L5", "L6")
    assert found.anomalies == ("before names were corrected: slip of L4 on L5",)
    assert found.quality == ("the film is upside down",)


def test_what_was_not_given_is_not_given_for_another_reason() -> None:
    (slope,) = issued(measured_film(NOT_GIVEN), "L5", "L6").measurements
    assert slope.value is None
    assert slope.reason == "not given: names on this film were corrected, and it was not measured anew"


def test_a_vertebra_that_lost_its_name_is_measured_no_more() -> None:
    own = measured_film(SLIP).result
    assert own is not None
    names = {index: one.level for index, one in enumerate(own.findings.vertebrae) if one.level != "L5"}
    (slip,) = remeasured(own.findings, names)
    assert slip.value is None


@pytest.mark.parametrize("film", ["1.2.3.1", "1.2.3.2"])
def test_films_of_one_series_are_renamed_apart(film: str) -> None:
    first, second = lateral("1.2.3.1"), lateral("1.2.3.2")
    both = first.model_copy(
        update={
            "vertebrae": first.vertebrae + second.vertebrae,
            "measurements": first.measurements + second.measurements,
        }
    )
    names = {
        index: {"L5": "L6", "L4": "L5", "L3": "L4", "L2": "L3", "L1": "L2"}.get(one.level, one.level)
        if one.sop_instance_uid == film
        else one.level
        for index, one in enumerate(both.vertebrae)
    }
    for before, after in zip(both.measurements, remeasured(both, names), strict=True):
        assert (before == after) == (before.sop_instance_uid != film or before.name == "sacral-slope")
