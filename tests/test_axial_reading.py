"""Axial MR: one numbering for a whole series, out of slices of which some are wrong, missing or at no disc."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from numbering.anatomy import Disc
from numbering.errors import ReasonCode
from numbering.phantom.imaging.mr.levels import SliceLevel, discs
from numbering.pipelines.axial_mr.classes import NONE
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.answer import Reader
from numbering.pipelines.axial_mr.reading.course import presumed
from numbering.pipelines.axial_mr.reading.look import AT_ONCE
from numbering.pipelines.axial_mr.reading.sightings import sightings
from numbering.result import StatedReason
from numbering.stack import Stack
from tests.true_axial_mr import TrueNetwork, TrueSeries, answered, drawn_sagittal, names_of, true_series

LUMBAR = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]


@pytest.fixture(scope="module")
def stacks() -> TrueSeries:
    """Four slices along each disc."""
    return true_series()


@pytest.fixture(scope="module")
def block() -> TrueSeries:
    """Thirty slices in one direction."""
    return true_series(layout="block", slices=30)


def true_names(series: TrueSeries) -> dict[int, str]:
    return {index: name for index, name in enumerate(series.names) if name}


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_stacks_along_the_discs_get_their_names(seed: int) -> None:
    series = true_series(seed)
    assert names_of(answered(series)) == true_names(series)


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_a_block_gets_them_too_and_bodies_between_stay_without(seed: int) -> None:
    series = true_series(seed, layout="block", slices=30)
    assert names_of(answered(series)) == {
        index: name for index, name in true_names(series).items() if series.classes[index] != NONE
    }


def test_slices_may_be_stored_in_any_order_and_direction(stacks: TrueSeries) -> None:
    series = true_series(turned=True, shuffled=True)
    assert names_of(answered(series)) == names_of(answered(stacks))


def test_one_wrong_slice_is_overruled_by_its_neighbours(stacks: TrueSeries) -> None:
    wrong = stacks.at("L3-L4")[0]
    answer = answered(stacks, says={wrong: 0})
    assert answer.refused is None
    assert names_of(answer) == true_names(stacks)


def test_a_whole_disc_taken_for_its_neighbour_is_overruled_by_the_distances(stacks: TrueSeries) -> None:
    answer = answered(stacks, says=dict.fromkeys(stacks.at("L3-L4"), 1))
    assert names_of(answer) == true_names(stacks)


def test_a_disc_that_the_network_does_not_see_is_counted_all_the_same() -> None:
    series = true_series(keep=lambda level: str(level.disc) != "L3-L4" and str(level.vertebra) not in ("L3", "L4"))
    answer = answered(series)
    assert answer.refused is None
    assert names_of(answer) == true_names(series)


def test_slices_that_show_no_disc_where_one_must_be_are_a_reason_to_refuse(block: TrueSeries) -> None:
    answer = answered(block, says=dict.fromkeys(block.at("L3-L4"), NONE))
    assert answer.refused is not None
    assert answer.refused.code is ReasonCode.LOW_CONFIDENCE
    assert "the slices there show none" in answer.refused.text


def test_disc_names_that_swap_places_are_not_believed(stacks: TrueSeries) -> None:
    says = dict.fromkeys(stacks.at("L1-L2"), 4) | dict.fromkeys(stacks.at("L5-S1"), 0)
    answer = answered(stacks, says=says)
    assert names_of(answer).items() <= true_names(stacks).items()
    assert set(names_of(answer).values()) == {"L2-L3", "L3-L4", "L4-L5"}


def test_a_network_that_knows_nothing_names_nothing(stacks: TrueSeries) -> None:
    answer = answered(stacks, blank=True)
    assert answer.refused is not None


def test_a_series_beside_the_lumbar_discs_is_not_in_view(stacks: TrueSeries) -> None:
    answer = answered(stacks, says=dict.fromkeys(range(len(stacks.stack)), NONE))
    assert answer.refused is not None
    assert answer.refused.code is ReasonCode.TARGET_NOT_IN_VIEW
    assert f"none of the {len(stacks.stack)} slices" in answer.refused.text


def test_one_disc_alone_cannot_be_counted() -> None:
    answer = answered(true_series(keep=lambda level: str(level.nearest) == "L4-L5"))
    assert answer.refused is not None
    assert "one disc is shown (L4-L5 by its looks)" in answer.refused.text


def test_a_network_that_wavers_between_two_levels_is_not_answered_for(stacks: TrueSeries) -> None:
    below = {index: min(said + 1, 4) for index, said in enumerate(stacks.classes) if said != NONE and index % 2}
    answer = answered(stacks, says=below, sure=2.0)
    assert answer.refused is not None
    assert answer.refused.code in (ReasonCode.LOW_CONFIDENCE, ReasonCode.AMBIGUOUS)


@pytest.mark.parametrize("anomaly", ["L4", "L6"])
def test_another_spine_is_counted_from_the_sacrum_too_and_its_names_are_among_the_others(anomaly: str) -> None:
    series = true_series(3, anomaly)
    answer = answered(series)
    assert [one.position for one in answer.slices] == [said for said in series.classes if said != NONE]
    assert set(names_of(answer).values()) <= set(LUMBAR)
    shares = {variant.lumbar: 0.0 for variant in answer.decoded.variants}
    for variant, share in answer.decoded.variants.items():
        shares[variant.lumbar] += share
    assert max(one.probability for one in answer.slices) <= shares[5]


def test_how_likely_six_lumbar_vertebrae_are_is_how_common_they_are(stacks: TrueSeries) -> None:
    answer = answered(stacks, OperatingPoint(shifted=1e-9))
    assert answer.decoded.alternative is not None
    assert str(answer.decoded.alternative[-1]) == "L6-S1"
    assert answer.decoded.alternative_probability == pytest.approx(0.039, abs=0.002)
    assert max(answer.decoded.probabilities) == pytest.approx(0.933, abs=0.002)


def test_that_all_may_be_off_by_one_lowers_every_name_where_the_discs_leave_room_for_it() -> None:
    series = true_series(keep=lambda level: str(level.nearest) in ("L2-L3", "L3-L4", "L4-L5"))
    sure, unsure = (answered(series, OperatingPoint(shifted=shifted)).confidence for shifted in (1e-9, 0.1))
    assert unsure < sure - 0.05


def test_a_network_off_by_one_on_the_whole_series_is_never_told_for_sure(stacks: TrueSeries) -> None:
    answer = answered(stacks, shift=-1)
    assert answer.confidence < 0.95
    assert answer.decoded.alternative is not None


@pytest.mark.parametrize("off", [-1, 1])
def test_a_disc_seen_twice_at_the_end_shows_that_all_may_be_off_by_one(stacks: TrueSeries, off: int) -> None:
    says = {index: min(max(said + off, 0), 4) for index, said in enumerate(stacks.classes) if said != NONE}
    answer = answered(stacks, says=says)
    assert answer.refused is not None or names_of(answer) == true_names(stacks)


def test_a_slice_far_from_the_disc_is_not_named_though_it_looks_like_it(stacks: TrueSeries) -> None:
    outer = stacks.at("L4-L5")[-1] + 1
    assert stacks.names[outer] is None
    answer = answered(stacks, says={outer: 3})
    middle = next(one.along_mm for one in answer.sightings if outer in one.slices)
    assert (outer in names_of(answer)) == (abs(answer.along_mm[outer] - middle) <= 8)
    assert abs(stacks.levels[outer].distance_mm) < 8 or outer not in names_of(answer)


def test_the_best_slice_of_a_disc_is_in_the_middle_of_those_that_show_it(block: TrueSeries) -> None:
    answer = answered(block)
    best = {str(one.disc): one.index for one in answer.slices if one.best}
    assert set(best) == set(names_of(answer).values())
    for name, index in best.items():
        away = {one: abs(block.levels[one].distance_mm) for one in block.at(name)}
        assert away[index] < min(away.values()) + 2.5


def test_slices_of_one_disc_add_less_than_independent_ones(stacks: TrueSeries) -> None:
    said = np.log(np.full((4, 6), 0.02)) + np.log(45) * np.eye(6)[[2, 2, 2, 2]]
    along = np.array([0.0, 4.0, 8.0, 12.0])
    one, some, all_ = (sightings(said, along, trust)[0].position for trust in (0.0, 0.5, 1.0))
    gaps = [position[2] - position[1] for position in (one, some, all_)]
    assert gaps[1] == pytest.approx(2 * gaps[0], rel=0.1)
    assert gaps[2] == pytest.approx(4 * gaps[0], rel=0.1)


def test_every_slice_is_looked_at_a_few_at_once() -> None:
    series = true_series(slices=6)
    network = TrueNetwork(series)
    Reader(network, OperatingPoint()).answer(series.stack)
    assert sum(network.asked) == len(series.stack)
    assert max(network.asked) <= AT_ONCE


def test_single_slices_keep_what_the_network_said_of_each(stacks: TrueSeries) -> None:
    wrong = stacks.at("L3-L4")[0]
    seen = answered(stacks, says={wrong: 0}).look
    assert seen.top(1)[:, 0].tolist() == [0 if n == wrong else said for n, said in enumerate(stacks.classes)]
    assert seen.top(2).shape == (len(stacks.stack), 2)


def test_sagittal_images_alone_are_no_axial_series() -> None:
    series = true_series()
    found = Reader(TrueNetwork(series), OperatingPoint()).answer(drawn_sagittal(series.skeleton))
    assert isinstance(found, StatedReason)
    assert "no slice lies across the spine" in found.text


def test_the_line_through_the_slices_crosses_them_as_far_apart_as_the_discs_are(stacks: TrueSeries) -> None:
    course = presumed(stacks.stack)
    assert course is not None
    along = {
        name: float(np.mean([course.cut(stacks.stack.planes[index]) or np.nan for index in stacks.at(name)]))
        for name in LUMBAR
    }
    centres = {str(place.disc): place.centre for place in discs(stacks.skeleton)}
    for upper, lower in pairwise(LUMBAR):
        apart = float(np.linalg.norm(centres[lower] - centres[upper]))
        assert along[lower] - along[upper] == pytest.approx(apart, abs=4)


def test_a_single_slice_has_a_line_too() -> None:
    def only(level: SliceLevel) -> bool:
        return level.disc == Disc.parse("L3-L4") and abs(level.distance_mm) < 2.3

    series = true_series(keep=only)
    assert isinstance(series.stack, Stack)
    course = presumed(series.stack)
    assert course is not None
    assert course.cut(series.stack.planes[0]) is not None
