"""The level check over concluded records: the same question as more becomes known of a patient."""

from __future__ import annotations

import pytest

from numbering.anatomy import USUAL, Variant
from numbering.levelcheck import Check, Mark, Policy, Verdict, judge, parse_plan
from numbering.levelcheck.answer import Place, Why
from numbering.record import Correction, Filed, conclude
from numbering.record.model import BasisKind
from tests.patients import SACRUM, ap_lumbar, correction, film, lumbar

SIX = Variant(12, 6)
AP, LUMBAR, WHOLE = "1.2.3", "1.2.4", "1.2.5"


def asked(
    plan: str, series: str, *names: str, filed: list[Filed], corrections: tuple[Correction, ...] = (), **policy: object
) -> Check:
    """A check at the middle of what this series itself calls by these names, or of the disc between two of them."""
    (result,) = (one.result for one in filed if one.series_instance_uid == series)
    assert result is not None
    boxes = [one.box for one in result.findings.vertebrae if one.level in names]
    assert len(boxes) == len(names)
    lowest, highest = max(box[1] for box in boxes), min(box[3] for box in boxes)
    x = (boxes[0][0] + boxes[0][2]) / 2
    place = Place(sop_instance_uid=f"{series}.1", frame=None, x=x, y=(lowest + highest) / 2)
    record = conclude(filed, corrections)
    return judge(parse_plan(plan), Mark(place=place), record, Policy(**policy))  # type: ignore[arg-type]


def test_a_presumed_l5_cannot_be_confirmed_whatever_the_plan() -> None:
    for plan in ("L5", "L4", "L6"):
        check = asked(plan, AP, "L5", filed=[ap_lumbar(AP, SIX)])
        assert (check.verdict, check.reason) == (Verdict.CANNOT_CONFIRM, Why.BASIS_NOT_CONFIRMED)


@pytest.mark.parametrize(
    ("spine", "plan"), [(USUAL, "L5"), (SIX, "L6"), (Variant(11, 5), "L5"), (Variant(12, 4), "L4")]
)
def test_on_a_counted_whole_spine_the_verdict_follows_the_count(spine: Variant, plan: str) -> None:
    filed = [film(WHOLE, spine, probability=0.98)]
    assert asked(plan, WHOLE, plan, filed=filed).verdict is Verdict.AGREES
    assert asked("L2", WHOLE, plan, filed=filed).verdict is Verdict.DISAGREES


def test_the_lowest_disc_of_six_lumbar_vertebrae_is_not_l5_s1() -> None:
    before = [lumbar(LUMBAR, SIX)]
    whole = film(WHOLE, SIX, study="1.2.9", probability=0.99)
    first = asked("L5-S1", LUMBAR, "L5", "S1", filed=before)
    assert first.verdict is Verdict.CANNOT_CONFIRM
    after = asked("L5-S1", LUMBAR, "L5", "S1", filed=[*before, whole])
    assert after.verdict is Verdict.CANNOT_CONFIRM
    assert after.found is not None
    assert after.found.name == "L6-S1"
    assert after.reason is Why.BASIS_NOT_CONFIRMED
    widened = asked("L5-S1", LUMBAR, "L5", "S1", filed=[*before, whole], probability=0.9, widened_by=(BasisKind.PRIOR,))
    assert (widened.verdict, widened.reason) == (Verdict.DISAGREES, Why.ANOTHER_LEVEL)
    counted = asked("L5-S1", WHOLE, "L6", "S1", filed=[*before, whole])
    assert (counted.verdict, counted.reason) == (Verdict.DISAGREES, Why.ANOTHER_LEVEL)


def test_a_verified_correction_confirms_the_film_that_it_was_made_on() -> None:
    filed = [lumbar(LUMBAR, SIX)]
    told = correction(filed[0], "L5", "L6")
    assert asked("L6", LUMBAR, "L5", filed=filed, corrections=(told,)).verdict is Verdict.AGREES
    assert asked("L5", LUMBAR, "L5", filed=filed, corrections=(told,)).verdict is Verdict.DISAGREES
    unverified = correction(filed[0], "L5", "L6", verified=False)
    assert asked("L6", LUMBAR, "L5", filed=filed, corrections=(unverified,)).verdict is Verdict.CANNOT_CONFIRM


def test_a_count_with_a_vertebra_missed_confirms_nothing_below_the_gap() -> None:
    filed = [film(WHOLE, missed=(15,), probability=0.98)]
    assert asked("L4", WHOLE, "L4", filed=filed).verdict is Verdict.CANNOT_CONFIRM


def test_two_counts_that_differ_confirm_nothing() -> None:
    filed = [film(WHOLE, SIX, probability=0.98), film("1.2.6", USUAL, study="1.2.9", probability=0.98)]
    check = asked("L4", WHOLE, "L4", filed=filed)
    assert (check.verdict, check.reason) == (Verdict.CANNOT_CONFIRM, Why.CONTRADICTED)


def test_within_a_frame_of_reference_a_count_confirms_the_lumbar_series() -> None:
    whole = film(WHOLE, SIX, modality="CT", view=None, space="1.9", probability=0.98)
    block = lumbar(LUMBAR, SIX, SACRUM, modality="CT", view=None, space="1.9", probability=0.98)
    filed = [whole, block]
    assert asked("L6", LUMBAR, "L5", filed=filed).verdict is Verdict.AGREES
    assert asked("L5", LUMBAR, "L5", filed=filed).verdict is Verdict.DISAGREES
