"""What sagittal images of the same examination say of a numbering of axial slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numbering.errors import ReasonCode
from numbering.phantom.imaging.mr.levels import discs
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.answer import Answer
from numbering.pipelines.axial_mr.reading.checks import refusal
from numbering.pipelines.axial_mr.reading.column import Column, clearest
from numbering.pipelines.axial_mr.reading.course import presumed
from numbering.pipelines.axial_mr.reading.witness import Told, Verdict, judged
from numbering.stack import Stack
from tests.true_axial_mr import TrueSeries, answered, drawn_sagittal, names_of, true_series


@pytest.fixture(scope="module")
def stacks() -> TrueSeries:
    return true_series()


@pytest.fixture(scope="module")
def sagittal(stacks: TrueSeries) -> Stack:
    """Bright bodies and dark discs; the other way round is asked for where it matters."""
    return drawn_sagittal(stacks.skeleton, body=700, disc=300)


@pytest.fixture(scope="module")
def confirmed(stacks: TrueSeries, sagittal: Stack) -> Answer:
    return answered(stacks, companions=[sagittal])


@pytest.fixture(scope="module")
def column(confirmed: Answer) -> Column:
    assert confirmed.told is not None
    assert confirmed.told.column is not None
    return confirmed.told.column


def test_discs_in_the_same_order_and_as_many_apart_agree(confirmed: Answer) -> None:
    assert confirmed.told is not None
    assert confirmed.told.verdict is Verdict.AGREES
    assert confirmed.refused is None


def test_discs_are_found_where_they_are(stacks: TrueSeries, column: Column) -> None:
    for place in discs(stacks.skeleton)[-5:]:
        nearest = np.linalg.norm(column.course.at(column.discs) - place.centre, axis=1)
        off = column.course.at(column.discs[nearest.argmin()]) - place.centre
        assert abs(off @ place.normal) < 5
        assert np.linalg.norm(off) < 16


def test_bright_discs_between_dark_bodies_are_discs_too(stacks: TrueSeries) -> None:
    told = answered(stacks, companions=[drawn_sagittal(stacks.skeleton, body=300, disc=700)]).told
    assert told is not None
    assert told.verdict is Verdict.AGREES


def test_the_stack_that_shows_the_column_best_is_the_witness(stacks: TrueSeries, sagittal: Stack) -> None:
    empty = drawn_sagittal(stacks.skeleton, body=500, disc=500)
    told = answered(stacks, companions=[empty, sagittal]).told
    assert told is not None
    assert told.verdict is Verdict.AGREES


def test_a_block_of_slices_has_a_witness_though_the_spine_leaves_its_line(sagittal: Stack) -> None:
    series = true_series(layout="block", slices=30)
    answer = answered(series, companions=[sagittal])
    assert answer.told is not None
    assert not answer.told.contradicts
    assert answer.told.column is not None


@pytest.mark.parametrize("smooth", [0.5, 2.0, 4.0])
def test_images_without_a_column_are_no_witness(stacks: TrueSeries, sagittal: Stack, smooth: float) -> None:
    from scipy.ndimage import gaussian_filter

    grey = np.random.default_rng(4).normal(300, 100, (len(sagittal), *sagittal.pixels(0).shape))
    planes = {plane.name: index for index, plane in enumerate(sagittal.planes)}
    grey = gaussian_filter(grey, [0, smooth, smooth]).astype(np.float32)
    noise = Stack.of(sagittal.planes, lambda plane: grey[planes[plane.name]], modality="MR")
    answer = answered(stacks, companions=[noise])
    assert answer.told is not None
    assert answer.told.verdict is Verdict.UNCLEAR
    assert answer.refused is None


def test_without_sagittal_images_nothing_is_told(stacks: TrueSeries) -> None:
    assert answered(stacks).told is None


def test_sagittal_images_of_another_place_show_no_column(stacks: TrueSeries, sagittal: Stack) -> None:
    course = presumed(stacks.stack)
    assert course is not None
    far = replace(course, points=course.points + [0, 300.0, 0])
    assert clearest([sagittal], far, 20, 250) is None


def test_a_disc_more_between_two_names_contradicts(confirmed: Answer, column: Column) -> None:
    shown = [one for one in confirmed.shown if one.name != "L3-L4"]
    closer = [replace(one, position=one.position + 1) if one.position < 2 else one for one in shown]
    told = judged(closer, column)
    assert told.verdict is Verdict.CONTRADICTS
    assert "from L2-L3 to L4-L5 they show 2 discs further down, by name it is 1 disc" in told.words


def test_two_names_for_one_disc_contradict(confirmed: Answer, column: Column) -> None:
    upper, lower = confirmed.shown[1:3]
    told = judged([upper, replace(lower, plane=upper.plane)], column)
    assert told.verdict is Verdict.CONTRADICTS
    assert "the same disc" in told.words


def test_slices_through_bodies_contradict_if_most_are(stacks: TrueSeries, confirmed: Answer, column: Column) -> None:
    halfway = [
        replace(
            one, plane=one.plane.model_copy(update={"position_mm": tuple(np.add(one.plane.position_mm, [0, 0, 17.0]))})
        )
        for one in confirmed.shown
    ]
    assert judged(halfway, column).contradicts
    some = judged([*confirmed.shown[:-1], halfway[-1]], column)
    assert some.verdict is Verdict.UNCLEAR
    assert "L5-S1 lie between discs" in some.words


def test_a_contradiction_lowers_every_name_and_refuses_the_series(
    stacks: TrueSeries, confirmed: Answer, column: Column, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "numbering.pipelines.axial_mr.reading.answer.testimony",
        lambda *_: Told(Verdict.CONTRADICTS, "one disc more", column),
    )
    answer = answered(stacks)
    assert names_of(answer) == names_of(confirmed)
    assert answer.confidence < confirmed.confidence - 0.3
    assert answer.refused is not None
    assert answer.refused.code is ReasonCode.CONTRADICTORY
    assert "one disc more" in answer.refused.text


def test_names_are_refused_where_distances_fit_no_spine(confirmed: Answer) -> None:
    far = [replace(one, along_mm=one.along_mm * 2) for one in confirmed.sightings]
    reason = refusal(far, confirmed.decoded, confirmed.along_mm, None, OperatingPoint())
    assert reason is not None
    assert "expected 22 to 50" in reason.text
