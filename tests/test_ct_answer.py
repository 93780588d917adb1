"""From networks to findings on CT, with the simulator's truth for networks and faults put into it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbering.anatomy import Level
from numbering.dicom.objects import codes, content
from numbering.errors import ReasonCode
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.pipeline import conclude
from numbering.pipelines.ct.reading.answer import BOTH, Answer, Reader
from numbering.record.basis import COUNTED_FROM
from numbering.result import Findings, Status
from numbering.stack import Stack
from tests.true_ct import MARROW_HU, Spine, TrueEyes, scan, spine

POINT = OperatingPoint()
T10, T11, T12, T13 = Level.T10, Level.T11, Level.T12, Level.T13
L1, L2, L3, L4, L5, L6 = Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.L6


def answer(stack: Stack, eyes: TrueEyes, point: OperatingPoint = POINT, ways=BOTH) -> Answer:
    found = Reader(eyes, point, ways).answer(stack)
    assert isinstance(found, Answer)
    return found


def findings(stack: Stack, eyes: TrueEyes, point: OperatingPoint = POINT, ways=BOTH) -> Findings:
    return conclude(answer(stack, eyes, point, ways), point)


def named(found: Findings) -> list[str]:
    return [one.level for one in found.vertebrae]


def truly_named(found: Findings, of: Spine) -> bool:
    """Whether every name lies at the body that truly has it."""
    centres = {str(level): of.centre(level) for level in of.levels}
    nearest = [min(centres, key=lambda name: np.linalg.norm(centres[name] - one.centre_mm)) for one in found.vertebrae]
    return bool(nearest) and nearest == named(found)


@pytest.fixture(scope="module")
def usual() -> Spine:
    return spine(3)


@pytest.fixture(scope="module")
def lumbar(usual) -> Stack:
    return scan(usual, T11, L5)


@pytest.fixture(scope="module")
def whole(usual, lumbar) -> Findings:
    """What is said without any fault."""
    return findings(lumbar, TrueEyes(usual))


def test_a_series_gets_true_names_centres_and_the_measurements_of_l1(usual, whole) -> None:
    assert whole.status is Status.NUMBERED, whole.reason
    assert named(whole)[-7:] == ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    assert truly_named(whole, usual)
    (first,) = [one for one in whole.vertebrae if one.level == "L1"]
    np.testing.assert_allclose(first.centre_mm, usual.centre(L1), atol=1.0)
    attenuation, position = whole.measurements[:2]
    assert (attenuation.name, attenuation.unit) == ("trabecular-attenuation-l1", "HU")
    assert attenuation.value == pytest.approx(MARROW_HU, abs=1)
    assert attenuation.volume_mm3 > 4000
    assert position.value == pytest.approx(usual.centre(L1)[2], abs=1.0)
    assert position.sop_instance_uid == first.sop_instance_uid == whole.key_images[0].sop_instance_uid


def test_everything_that_is_measured_has_a_code_and_a_unit_for_the_report(whole) -> None:
    for one in whole.measurements:
        assert codes.measurement(one.name)
        assert one.unit in content.UNITS


def test_the_basis_says_what_was_seen_in_words_that_the_record_knows(whole) -> None:
    basis = whole.basis
    assert basis.counted_from.casefold() in COUNTED_FROM
    assert basis.anchors_in_view == ("last rib", "sacrum")
    assert (basis.last_rib, basis.lowest_disc, basis.lumbar_type_count) == ("T12", "L5-S1", 5)
    assert "Last rib at T12. Sacrum seen." in basis.statement
    assert basis.statement.endswith("AI result, not verified. Research use only.")


def test_labels_lie_on_the_source_slices_where_the_truth_is(usual, lumbar, whole) -> None:
    planes = {(plane.sop_instance_uid, plane.frame): plane for plane in lumbar.planes}
    shared = total = 0
    first = whole.segmentation.value_of("L1")
    number = usual.levels.index(L1) + 1
    for where, labels in whole.segmentation.labels():
        plane = planes[where]
        xy = np.stack(np.meshgrid(np.arange(plane.columns), np.arange(plane.rows)), -1)
        true = usual.at(plane.to_mm(xy))[0] == number
        shared += np.count_nonzero(true & (labels == first))
        total += np.count_nonzero(true) + np.count_nonzero(labels == first)
    assert 2 * shared / total > 0.85


STACKS = {
    "gantry tilt, feet first": {"tilt": 14.0, "feet_first": True},
    "oblique": {"tilt": -11.0, "oblique": True},
    "five millimetres, slices missing": {"step_mm": 5.0, "missing": (9, 17)},
}


@pytest.mark.parametrize("of", STACKS.values(), ids=STACKS)
def test_names_and_places_do_not_depend_on_how_the_slices_lie(usual, of) -> None:
    stack = scan(usual, T11, L5, **of)
    found = findings(stack, TrueEyes(usual))
    assert found.status is Status.NUMBERED, found.reason
    assert truly_named(found, usual)
    (first,) = [one for one in found.vertebrae if one.level == "L1"]
    np.testing.assert_allclose(first.centre_mm, usual.centre(L1), atol=2.0)
    (plane,) = [one for one in stack.planes if one.sop_instance_uid == first.sop_instance_uid]
    assert abs(plane.off_mm(usual.centre(L1))) <= 2.6
    x, y = plane.to_pixel(usual.centre(L1))
    x0, y0, x1, y1 = first.box
    assert x0 < x < x1
    assert y0 < y < y1
    assert found.measurements[0].value == pytest.approx(MARROW_HU, abs=15)


@pytest.mark.parametrize("way", ["down", "up"])
def test_one_walk_alone_finds_the_same_spine(usual, lumbar, whole, way) -> None:
    assert named(findings(lumbar, TrueEyes(usual), ways=(way,)))[-6:] == named(whole)[-6:]


def test_a_vertebra_that_one_walk_missed_is_the_other_ones(usual, lumbar, whole) -> None:
    eyes = TrueEyes(usual, blind=[L3], only="down")
    assert named(findings(lumbar, eyes)) == named(whole)


def test_a_vertebra_that_both_walks_missed_leaves_a_gap_and_shifts_no_name(usual, lumbar) -> None:
    found = findings(lumbar, TrueEyes(usual, blind=[L3]))
    assert "L3" not in named(found)
    assert truly_named(found, usual)
    assert any("L3 was not found between L2 and L4" in words for words in found.quality)


def test_l1_that_was_missed_between_others_is_no_numbering(usual, lumbar) -> None:
    found = findings(lumbar, TrueEyes(usual, blind=[L1], direct=None))
    assert found.status is Status.ABSTAINED


def test_two_vertebrae_taken_for_one_by_one_walk_are_two(usual, lumbar) -> None:
    found = findings(lumbar, TrueEyes(usual, joined=[L2], only="down"))
    assert found.status is Status.ABSTAINED or truly_named(found, usual)
    assert any("cut otherwise" in words for words in found.quality)


def test_what_only_the_network_sees_beside_the_spine_gets_no_name(usual, lumbar, whole) -> None:
    ghost = usual.centre(L5) + [0, 0, -32.0]
    found = findings(lumbar, TrueEyes(usual, ghosts=[(ghost, 24.6)]))
    assert found.status is Status.ABSTAINED or named(found) == named(whole)


def test_levels_that_are_all_off_by_one_are_put_right_or_not_given(usual, lumbar) -> None:
    for shift in (-1.0, 1.0):
        found = findings(lumbar, TrueEyes(usual, shift=shift))
        assert found.status is Status.ABSTAINED or truly_named(found, usual)


def test_both_ways_wrong_together_with_nothing_against_them_are_still_not_believed(usual) -> None:
    """Levels and the direct network are off by one; the ribs say so."""
    stack = scan(usual, T10, L4)
    found = findings(stack, TrueEyes(usual, shift=1.0, direct=T12))
    assert found.status is Status.ABSTAINED or truly_named(found, usual)


def test_disagreement_between_the_direct_search_and_the_count_is_told_and_costs_belief(usual, lumbar) -> None:
    agreed = answer(lumbar, TrueEyes(usual, spread=0.8))
    at_odds = answer(lumbar, TrueEyes(usual, spread=0.8, direct=T12))
    assert agreed.disagreement is None
    assert at_odds.disagreement == "the direct search found L1 at the vertebra named T12"
    assert at_odds.probabilities[L1] < agreed.probabilities[L1]
    assert any("at the vertebra named T12" in words for words in conclude(at_odds, POINT).quality)
    silent = answer(lumbar, TrueEyes(usual, direct=None))
    assert silent.disagreement == "the direct search for L1 found none"


def test_a_scan_without_l1_is_not_numbered_and_says_what_is_seen(usual) -> None:
    found = findings(scan(usual, Level.T5, Level.T9, step_mm=5.0), TrueEyes(usual))
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert "L1 is not in view: what is seen looks like T" in found.reason.text
    assert found.candidates


def test_l1_that_the_scan_cuts_is_not_numbered(usual) -> None:
    high = float(usual.centre(L1)[2])
    found = findings(scan(usual, high, L5, beyond_mm=(3.0, 20.0)), TrueEyes(usual))
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert "L1 is cut by the end of the scan" in found.reason.text


def test_a_scan_without_anything_to_count_from_is_not_numbered(usual) -> None:
    found = findings(scan(usual, L1, L3, beyond_mm=(17.0, 17.0)), TrueEyes(usual))
    assert found.status is Status.ABSTAINED
    assert found.reason.code in (ReasonCode.TARGET_NOT_IN_VIEW, ReasonCode.AMBIGUOUS, ReasonCode.LOW_CONFIDENCE)


def test_what_is_no_spine_is_not_numbered(usual, lumbar) -> None:
    found = findings(lumbar, TrueEyes(usual, blind=usual.levels, direct=None))
    assert found.status is Status.ABSTAINED
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    air = Stack.of_array(np.full((30, 20, 20), -1000, np.int16), np.diag([3.0, 3.0, 3.0, 1.0])[[2, 1, 0, 3]])
    assert findings(air, TrueEyes(usual)).reason.code is ReasonCode.TARGET_NOT_IN_VIEW


def test_a_series_of_three_slices_is_too_short_for_anything(usual) -> None:
    stack = scan(usual, L1, L1, beyond_mm=(4.0, 4.0))
    found = conclude(Reader(TrueEyes(usual), POINT).answer(stack), POINT)
    assert found.reason.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert "expected at least 40 mm" in found.reason.text


@pytest.mark.parametrize(("anomaly", "last"), [("L6", L6), ("L4", L4)])
def test_another_number_of_lumbar_vertebrae_is_counted_between_ribs_and_sacrum(anomaly, last) -> None:
    of = spine(3, anomaly)
    found = findings(scan(of, T11, last), TrueEyes(of))
    assert found.status is Status.NUMBERED, found.reason
    assert truly_named(found, of)
    assert named(found)[-1] == str(last)
    assert any("lumbar-type vertebrae suspected" in words for words in found.anomalies)
    assert len(found.alternative.levels) == len(found.vertebrae)


@pytest.mark.parametrize("draw", range(6))
def test_several_faults_at_once_give_true_names_or_none(usual, lumbar, draw) -> None:
    rng = np.random.default_rng([draw, 8])
    levels = usual.levels[usual.levels.index(T10) :]
    eyes = TrueEyes(
        usual,
        levels={level: float(rng.laplace(0, 0.6)) for level in levels},
        shift=float(rng.choice([-1.0, 0.0, 0.0, 1.0])),
        spread=0.6,
        ribs={level: float(rng.uniform(0.2, 0.8)) for level in rng.choice(levels, 2)},
        blind=list(rng.choice(levels, 1)),
        halved=list(rng.choice(levels, 1)),
        only=("down", "up", None)[draw % 3],
        direct=(L1, T12, L2, None, L1, L1)[draw],
    )
    found = findings(lumbar, eyes)
    assert found.status is Status.ABSTAINED or truly_named(found, usual)


def test_metal_in_l1_leaves_its_attenuation_out(usual, lumbar) -> None:
    centre = usual.centre(L1)

    def with_metal(plane):
        pixels = lumbar.decode(plane).copy()
        xy = np.stack(np.meshgrid(np.arange(plane.columns), np.arange(plane.rows)), -1)
        pixels[np.linalg.norm(plane.to_mm(xy) - centre, axis=-1) < 6] = 2500
        return pixels

    found = findings(Stack.of(lumbar.planes, with_metal), TrueEyes(usual))
    assert found.measurements[0].value is None
    assert "metal" in found.measurements[0].reason


def test_a_higher_threshold_makes_an_abstention_of_an_answer(usual, lumbar) -> None:
    eyes = TrueEyes(usual, spread=1.5, direct=T12)
    sure = findings(lumbar, eyes, replace(POINT, answer=0.9999))
    assert sure.status is Status.ABSTAINED
    assert sure.reason.code in (ReasonCode.LOW_CONFIDENCE, ReasonCode.AMBIGUOUS)


def test_the_same_series_gives_the_same_findings(usual, lumbar, whole) -> None:
    assert findings(lumbar, TrueEyes(usual)) == whole
