"""The geometry of lateral films by itself: orientation, canvases, angles, checks, and how uncertainty travels."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
import pytest

from numbering.anatomy import USUAL, Level, Variant
from numbering.phantom.imaging.film import angles as true_angles
from numbering.pipelines.sagittal_xray.levels import CHANNEL, SACRUM
from numbering.pipelines.sagittal_xray.measuring import angles
from numbering.pipelines.sagittal_xray.measuring.uncertainty import plus_minus
from numbering.pipelines.sagittal_xray.model.preprocess import whole
from numbering.pipelines.sagittal_xray.reading.bodies import Body
from numbering.pipelines.sagittal_xray.reading.checks import doubts, gaps, long_steps
from numbering.pipelines.sagittal_xray.reading.eyes import Canvas, WholeLook
from numbering.pipelines.sagittal_xray.reading.orientation import ORIENTATIONS, Orientation, faces, lies, plausibility
from numbering.pipelines.sagittal_xray.sizes import SIZES

BODY = np.array([[10.0, 0.0], [50.0, 4.0], [48.0, 32.0], [8.0, 30.0]])
REGION = (-100.0, -100.0, 500.0, 900.0)


def column(count: int = 6, step: float = 40.0, first: str = "T12") -> list[Body]:
    """Bodies of one shape below each other, leaning forward a little."""
    start = CHANNEL[Level.parse(first)]
    places = [BODY + [3.0 * index, 20 + step * index] for index in range(count)]
    return [
        Body(start + index, corners, np.tile(np.eye(2), (4, 1, 1)), corners, 0.5, 0.99, 0.99)
        for index, corners in enumerate(places)
    ]


def moved(body: Body, corners: np.ndarray) -> Body:
    return Body(body.channel, corners, body.covariance, corners, body.rib, body.body, body.presence)


@pytest.mark.parametrize("lies_so", ORIENTATIONS, ids=lambda one: f"{one.quarter_turns} turns")
def test_a_point_is_where_its_pixel_goes_when_a_film_is_set_upright(lies_so: Orientation) -> None:
    stored = np.zeros((5, 8), np.float32)
    stored[1, 6] = 1
    y, x = np.argwhere(lies_so.upright(stored) == 1)[0]
    upright = np.array([float(x), float(y)])
    np.testing.assert_allclose(lies_so.to_stored(upright, stored.shape), [6, 1])
    np.testing.assert_allclose(lies_so.to_upright(np.array([6.0, 1.0]), stored.shape), upright)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_turned_canvas_shows_what_the_turned_film_would(turns: int, size) -> None:
    rng = np.random.default_rng(0)
    film = rng.normal(size=(90, 61)).astype(np.float32)
    film[:, :5] = 0  # a shutter
    turned = Canvas(*whole(film, size)).turned(turns, *film.shape)
    pixels, placement = whole(np.ascontiguousarray(np.rot90(film, turns)), size)
    assert asdict(turned.placement) == pytest.approx(asdict(placement), abs=1e-9)
    np.testing.assert_allclose(turned.pixels, pixels, atol=0.02)


def test_points_come_back_from_a_mirrored_canvas() -> None:
    canvas = Canvas(*whole(np.random.default_rng(0).normal(size=(90, 61)).astype(np.float32), SIZES["small"])).mirror()
    point = np.array([12.5, 70.25])
    np.testing.assert_allclose(canvas.to_film(canvas.to_canvas(point)), point)
    spread = canvas.spread_on_film(np.array([[4.0, 1.0], [1.0, 9.0]]))
    assert spread[0, 1] < 0 < spread[0, 0]


def test_a_film_is_turned_only_when_another_way_is_clearly_better() -> None:
    upright, side = ORIENTATIONS[:2]
    assert lies({upright: 4.0, side: 5.0}) is upright
    assert lies({upright: 1.0, side: 6.0}) is side
    assert lies({upright: 0.1, side: 0.6}) is upright


def test_a_spine_head_up_is_plausible_and_one_head_down_is_not() -> None:
    corners = np.tile(BODY, (24, 1, 1)) + np.arange(24)[:, None, None] * np.array([2.0, 40.0])
    presence = np.concatenate([np.zeros(16), np.ones(8)])
    look = WholeLook(presence, corners, np.zeros((24, 4, 2, 2)))
    assert plausibility(look) == pytest.approx(7)
    assert plausibility(WholeLook(presence, -corners, look.covariance)) == 0
    assert plausibility(WholeLook(presence, corners[..., ::-1], look.covariance)) == 0


def test_which_way_a_patient_faces_is_what_most_vertebrae_say() -> None:
    corners = np.array([body.corners for body in column()])
    assert faces(corners) == -1
    assert faces(corners * [-1, 1]) == 1


@pytest.mark.parametrize("seed", range(5))
def test_angles_are_those_that_the_simulator_calls_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    upper = np.array([[0.0, 0.0], [40.0, 0.0]]) + rng.normal(0, 12, (2, 2))
    lower = np.array([[0.0, 150.0], [40.0, 150.0]]) + rng.normal(0, 12, (2, 2))
    both = np.concatenate([upper, lower])
    for mirror in ([1, 1], [-1, 1]):
        assert angles.lordosis(both * mirror) == pytest.approx(true_angles.lordosis(upper * mirror, lower * mirror))
        assert angles.sacral_slope(lower * mirror) == pytest.approx(true_angles.sacral_slope(lower * mirror))


def test_a_slip_forward_is_positive_and_graded_by_quarters() -> None:
    below = np.array([[0.0, 10.0], [40.0, 10.0]])
    above = np.array([[-14.0, 0.0], [26.0, 0.0]])
    assert angles.slip(np.concatenate([above, below])) == pytest.approx(0.35)
    assert angles.slip(np.concatenate([2 * below - above, below])) == pytest.approx(-0.35)
    assert [angles.grade(share) for share in (0.1, 0.25, 0.26, -0.6, 0.9, 1.2)] == ["I", "I", "II", "III", "IV", "V"]


def test_a_disc_and_a_wedge_are_measured_front_and_back() -> None:
    disc = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 12.0], [40.0, 8.0]])
    assert angles.disc_height(disc) == pytest.approx(10)
    assert angles.relative_disc_height(disc) == pytest.approx(0.25)
    assert angles.wedge(np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 30.0], [0.0, 20.0]])) == pytest.approx(2 / 3)


def test_the_stated_uncertainty_covers_ninety_five_errors_of_a_hundred() -> None:
    rng = np.random.default_rng(0)
    points = np.array([[0.0, 0.0], [40.0, 3.0], [5.0, 160.0], [44.0, 140.0]])
    covariance = np.array(
        [[[1.0, 0.4], [0.4, 2.0]], [[0.5, 0.0], [0.0, 0.3]], [[2.0, 0], [0, 1]], [[1.0, 0], [0, 3.0]]]
    )
    errors = np.stack([rng.multivariate_normal([0, 0], one, 4000) for one in covariance], 1)
    true = angles.lordosis(points)
    said = plus_minus(angles.lordosis, points, covariance)
    within = np.mean([abs(angles.lordosis(points + error) - true) <= said for error in errors])
    assert within == pytest.approx(0.95, abs=0.015)
    assert plus_minus(partial(np.max), points, np.zeros_like(covariance)) == 0


def test_names_leave_gaps_in_the_spine_that_they_belong_to() -> None:
    names = [Level.T12, None, Level.L1, Level.L3, Level.S1]
    assert [(gap.upper, gap.lower, gap.missing) for gap in gaps(names, USUAL)] == [
        (2, 3, (Level.L2,)),
        (3, 4, (Level.L4, Level.L5)),
    ]
    four = Variant(12, 4)
    assert not gaps([Level.L3, Level.L4, Level.S1], four)


def test_a_column_without_fault_raises_no_doubt() -> None:
    assert not doubts(column(), REGION)
    assert not long_steps(column())


def test_what_does_not_fit_its_neighbours_raises_a_doubt() -> None:
    bodies = column()
    middle = bodies[2].corners.mean(0)
    for change, words in (
        (lambda c: middle + (c - middle) * [1.5, 1], "times as deep"),
        (lambda c: middle + (c - middle) * [1, 1.6], "times as high"),
        (lambda c: c[[1, 0, 3, 2]], "its front was found"),
        (lambda c: c[[0, 1, 3, 2]], "do not enclose"),
        (lambda c: c - [300, 0], "edge of the exposed field"),
    ):
        faulty = [*bodies[:2], moved(bodies[2], change(bodies[2].corners)), *bodies[3:]]
        assert words in doubts(faulty, (-90.0, -100.0, 500.0, 900.0))[2], words


def test_a_vertebra_left_out_leaves_a_long_step() -> None:
    bodies = column()
    left_out = [*bodies[:2], *bodies[3:]]
    assert [(gap.upper, gap.lower, gap.count) for gap in long_steps(left_out)] == [(1, 2, 1)]
    assert set(doubts(left_out, REGION)) == {1, 2}


def test_the_middle_of_the_sacrum_lies_below_its_endplate_whichever_way_it_faces() -> None:
    plate = np.array([[10.0, 40.0], [50.0, 10.0], [0.0, 0.0], [0.0, 0.0]])
    for corners in (plate, plate * [-1, 1]):
        body = moved(Body(SACRUM, plate, np.zeros((4, 2, 2)), None, 0.0, 1.0, 1.0), corners)
        assert body.centre[1] > corners[:2].mean(0)[1]
        assert len(body.points) == 2
