"""Parts of the CT reading on arrays: the working volume, the walk along the spine, two walks made one, L1 told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from numbering.anatomy import USUAL, Level
from numbering.enumeration import LEVELS, Evidence, Solver, SpineModel
from numbering.enumeration.mixture import Hypothesis, mixed
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU
from numbering.pipelines.ct.model.runtime import Instance
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.reading.bodies import body_of
from numbering.pipelines.ct.reading.direct import Direct, direct
from numbering.pipelines.ct.reading.eyes import DirectLook
from numbering.pipelines.ct.reading.found import Found
from numbering.pipelines.ct.reading.likelihoods import first_lumbar
from numbering.pipelines.ct.reading.merging import merge
from numbering.pipelines.ct.reading.slices import Slices
from numbering.pipelines.ct.reading.walk import MOST_LOOKS, MOST_SEARCHED, MOST_VERTEBRAE, Walk, walk
from numbering.pipelines.ct.reading.working import Working, working_volume
from numbering.plane import Plane
from numbering.stack import Stack
from tests.true_ct import SMALL, TrueEyes, scan, spine


def ramp(points: np.ndarray) -> np.ndarray:
    """HU that say where a point lies: uneven in every direction."""
    return points @ np.array([1.3, -0.7, 2.1]) + 100


def ramp_stack(
    heights: np.ndarray, tilt: float = 0.0, oblique: bool = False, pixels: int = 40, recentred_mm: float = 0.0
) -> Stack:
    """Slices at these mm below the first, whose pixels are `ramp`; the lower half is centred further to the left."""
    angle = np.radians(tilt)
    down = np.array([0.0, np.cos(angle), np.sin(angle)])
    normal = np.array([0.0, np.sin(angle), -np.cos(angle)])
    along = normal if oblique else np.array([0.0, 0.0, -1.0])
    planes = [
        Plane(
            sop_instance_uid=f"1.2.{number}",
            rows=pixels,
            columns=pixels + 4,
            position_mm=tuple(np.array([-30.0 + recentred_mm * (number > 15), -25.0, 60.0]) + height * along),
            row_direction=(1.0, 0.0, 0.0),
            column_direction=tuple(down),
            spacing_mm=(1.5, 1.25),
            thickness_mm=2.0,
        )
        for number, height in enumerate(heights)
    ]

    def decode(plane: Plane) -> np.ndarray:
        xy = np.stack(np.meshgrid(np.arange(plane.columns), np.arange(plane.rows)), -1)
        return ramp(plane.to_mm(xy)).astype(np.float32)

    return Stack.of(planes, decode)


STACKS = {
    "upright": ramp_stack(np.arange(30) * 2.0),
    "thin": ramp_stack(np.arange(90) * 0.6),
    "tilted": ramp_stack(np.arange(30) * 2.0, tilt=18.0),
    "oblique": ramp_stack(np.arange(30) * 2.0, tilt=-18.0, oblique=True),
    "recentred": ramp_stack(np.arange(30) * 2.0, recentred_mm=7.0),
    "uneven": ramp_stack(np.array([0, 2, 4, 7, 8, 11, 15, 18, 20, 22, 27, 30, 34, 36, 40, 42, 45, 48.0])),
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("spacing", [2.0, 3.0])
def test_the_working_volume_shows_each_point_where_it_lies(stack, spacing) -> None:
    working = working_volume(stack, spacing)
    index = np.argwhere(working.hu > OUTSIDE_HU)
    inner = index[((index > 1) & (index < np.array(working.hu.shape) - 2)).all(1)]
    points = working.to_mm(inner)
    at = Slices.of(stack).of_points(points)
    shown = np.isfinite(at[:, 0]) & (at[:, 1:] >= [0, 8]).all(1) & (at[:, 1:] <= [39, 36]).all(1)
    error = np.abs(working.hu[tuple(inner.T)] - ramp(points))[shown]
    assert len(error) > 1500
    assert np.quantile(error, 0.98) <= 2.0
    np.testing.assert_allclose(working.to_index(points), inner, atol=1e-9)


def test_a_wide_gap_is_unknown_and_not_the_mean_of_both_ends() -> None:
    stack = ramp_stack(np.concatenate([np.arange(12) * 2.0, 60 + np.arange(12) * 2.0]))
    working = working_volume(stack, 2.0)
    middle = int(working.to_index(np.array([0.0, 0.0, 60 - 41.0]))[0])
    assert (working.hu[middle] == OUTSIDE_HU).all()
    assert np.isnan(Slices.of(stack).of_points(np.array([0.0, 0.0, 60 - 41.0]))[0])


def test_only_as_many_slices_are_decoded_as_the_grid_can_hold() -> None:
    stack, decoded = ramp_stack(np.arange(200) * 0.5, pixels=8), []
    counted = replace(stack, decode=lambda plane: decoded.append(plane.name) or stack.decode(plane))
    working_volume(counted, 3.0)
    assert len(decoded) <= 2 * 200 * 0.5 / 3.0 + 4
    assert len(set(decoded)) == len(decoded)


@pytest.fixture(scope="module")
def thoracolumbar() -> tuple[TrueEyes, Working]:
    of = spine(4)
    stack = scan(of, Level.T9, Level.L5, step_mm=4.0)
    return TrueEyes(of), working_volume(stack, SMALL.spacing_mm)


@pytest.mark.parametrize("way", ["down", "up"])
def test_a_walk_goes_on_in_its_direction_and_ends_at_the_end(thoracolumbar, way) -> None:
    eyes, working = thoracolumbar
    walked = walk(working, eyes, way)
    heights = [one.centre[0] for one in walked.found]
    assert heights == sorted(heights, reverse=way == "up")
    assert [round(one.level) for one in walked.found if one.level > 15.5] in (
        list(range(16, 25)),
        list(range(24, 15, -1)),
    )
    assert walked.ended in ("end of the volume", "nothing new was found")
    assert walked.looks <= MOST_LOOKS * (len(walked.found) + 3) + MOST_SEARCHED


def test_a_walk_that_meets_the_spine_in_its_middle_begins_at_its_beginning(thoracolumbar) -> None:
    eyes, working = thoracolumbar
    hidden = replace(working, hu=np.minimum(working.hu, 150).astype(np.int16))
    assert walk(hidden, eyes, "down").ended == "no vertebra was found to begin with"
    bone = hidden.hu.copy()
    middle = working.to_index(eyes.spine.centre(Level.L2)).astype(int)
    bone[tuple(slice(at - 5, at + 5) for at in middle)] = 400
    walked = walk(replace(working, hu=bone), eyes, "down")
    assert round(walked.found[0].level) <= 16


@dataclass
class Endless:
    """A network that sees the next vertebra 10 mm further every time, or noise wherever it looks."""

    sign: int
    size = SMALL

    def patch(self, working, corner, memory, direction) -> Instance:
        mask = np.zeros(memory.shape, np.float32)
        free = np.argwhere(~memory.any((1, 2)))[:, 0]
        at = free[free > 20] if self.sign > 0 else free[free < 18]
        if len(at):
            start = at[0] if self.sign > 0 else at[-1] - 2
            mask[max(start, 0) : start + 3, 10:30, 10:30] = 0.9
        return Instance(mask, 12.0, 0.5, 0.9, 0.5, 0.1, 0.1)


@pytest.mark.parametrize(("way", "sign"), [("down", 1), ("up", -1)])
def test_a_walk_is_bounded_whatever_the_network_says(way, sign) -> None:
    working = Working(np.full((1500, 40, 40), 300, np.int16), np.zeros(3), 3.0)
    walked = walk(working, Endless(sign), way)
    assert len(walked.found) <= MOST_VERTEBRAE
    assert walked.ended == f"more than {MOST_VERTEBRAE} vertebrae"


def block(top: int, height: int = 8, level: float = 20.0, seen: str = "down") -> Found:
    """A box of bone from this slice on, a little wider the lower it lies."""
    share = np.full((height, 10, 12), 0.9, np.float32)
    return Found(share, np.array([top, 5, 6]), level, 0.4, 0.9, 0.1, 0.1, 0.1, frozenset({seen}))


def walked(way: str, *found: Found) -> Walk:
    return Walk(way, found, "end of the volume", 10)


def test_what_both_walks_found_is_one_vertebra_with_the_mean_of_both() -> None:
    merged = merge([walked("down", block(0, level=20.0)), walked("up", block(1, level=21.0, seen="up"))])
    (one,) = merged.found
    assert one.seen == {"down", "up"}
    assert one.level == pytest.approx(20.5)
    assert one.spread == pytest.approx(0.9)
    assert merged.torn == 0


def test_two_vertebrae_that_one_walk_took_for_one_are_two_whichever_walk_it_was() -> None:
    apart = walked("down", block(0), block(10))
    together = walked("up", block(0, height=18, seen="up"))
    for walks in ((apart, together), (replace(together, direction="down"), replace(apart, direction="up"))):
        merged = merge(walks)
        assert [int(one.corner[0]) for one in merged.found] == [0, 10]
        assert merged.torn == 1


def test_what_one_walk_alone_found_is_kept_in_its_place() -> None:
    merged = merge([walked("down", block(0), block(30)), walked("up", block(30, seen="up"), block(15, seen="up"))])
    assert [int(one.corner[0]) for one in merged.found] == [0, 15, 30]
    assert [len(one.seen) for one in merged.found] == [1, 1, 2]


def test_the_middle_of_a_body_is_not_that_of_the_vertebra() -> None:
    share = np.zeros((14, 40, 24), np.float32)
    share[2:12, 2:16, 2:22] = 0.9  # the body
    share[4:9, 16:38, 10:13] = 0.9  # the spinous process
    found = Found(share, np.array([20, 10, 8]), 20.0, 0.3, 0.9, 0.1, 0.1, 0.1, frozenset({"down"}))
    working = Working(np.zeros((60, 60, 60), np.int16), np.array([0.0, 0.0, 90.0]), 2.0)
    stack = Stack.of_array(np.zeros((60, 60, 60), np.int16), matrix(2.0, 90.0))
    body = body_of(found, working, Slices.of(stack))
    np.testing.assert_allclose(body.centre, [26.5, 18.5, 19.5], atol=0.6)
    assert found.centre[1] > body.centre[1] + 1.5
    assert not body.cut
    above = replace(found, corner=np.array([-2, 10, 8]))
    assert body_of(above, working, Slices.of(stack)).cut


def matrix(spacing: float, top: float) -> np.ndarray:
    """Index (slice, row, column) to mm of slices from head to foot."""
    found = np.zeros((4, 4))
    found[2, 0], found[1, 1], found[0, 2], found[3, 3], found[2, 3] = -spacing, spacing, spacing, 1, top
    return found


def test_the_direct_search_speaks_for_the_vertebra_that_it_lies_in() -> None:
    probabilities = np.zeros((1, 30, 12, 12), np.float32)
    probabilities[0, 5:9, 3:7, 3:8] = 0.9
    probabilities[0, 25, 10, 10] = 0.99  # a speck elsewhere
    look = DirectLook(("L1",), probabilities, np.full(3, 2.0), np.full(3, 0.5))
    working = Working(np.zeros((60, 24, 24), np.int16), np.zeros(3), 2.0)
    found = [block(0), block(10), block(20)]
    said = direct(look, found, working)
    assert said.shares.argmax() == 1
    assert said.shares[1] > 0.9
    assert said.volume_mm3 == pytest.approx(4 * 4 * 5 * 8 * 8)
    nothing = direct(replace(look, probabilities=0 * probabilities), found, working)
    assert nothing.volume_mm3 == 0
    assert nothing.centre is None


def test_the_direct_search_speaks_for_one_vertebra_and_less_for_its_neighbours() -> None:
    point = OperatingPoint()
    here = first_lumbar(Direct(20000.0, np.zeros(3), np.array([0.0, 0.0, 1.0, 0.0, 0.0])), 5, point)
    assert here.argmax() == 2
    assert here[2] - here[1] > 3
    assert here[1] > here[0]
    none = first_lumbar(Direct(0.0, None, np.zeros(5)), 5, point)
    assert (none < -2).all()


def test_hypotheses_are_mixed_by_how_well_they_explain() -> None:
    def row(*best: Level) -> np.ndarray:
        table = np.full((3, len(LEVELS)), -8.0)
        for place, level in enumerate(best):
            table[place, LEVELS.index(level)] = 0.0
        return table

    spurious, positions = np.full(3, -9.0), np.array([0.0, 34.0, 69.0])
    right, off = row(Level.L1, Level.L2, Level.L3), row(Level.L2, Level.L3, Level.L4)
    evidence = {
        Hypothesis(USUAL, shift): Evidence(table, spurious, positions) for shift, table in ((0, right), (1, off))
    }
    solvers = {USUAL: Solver(SpineModel(variants={USUAL: 1.0}))}
    even = mixed(solvers, evidence, dict.fromkeys(evidence, np.log(0.5)))
    assert set(even.levels) in ({Level.L1, Level.L2, Level.L3}, {Level.L2, Level.L3, Level.L4})
    assert even.alternative_probability > 0.3
    prior = {one: np.log(0.97 if one.shift == 0 else 0.03) for one in evidence}
    likely = mixed(solvers, evidence, prior)
    assert likely.levels == (Level.L1, Level.L2, Level.L3)
    assert likely.alternative == (Level.L2, Level.L3, Level.L4)
    assert likely.probabilities[0] == pytest.approx(0.97, abs=0.02)
