"""What geometry says against a body that was seen: too far, too large, turned over, cut by the film's edge.

A vertebra that was missed, cropped or misplaced leaves traces in distances and sizes. What raises a doubt is still
shown; nothing is measured from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.pipelines.sagittal_xray.levels import CHANNEL
from numbering.pipelines.sagittal_xray.reading.bodies import Body
from numbering.pipelines.sagittal_xray.reading.orientation import faces

Array = NDArray[np.float64]
Region = tuple[float, float, float, float]

DEPTHS = (0.72, 1.35)
"""A body is so deep, front to back, as shares of what its neighbours are."""
TALLEST = 1.4
"""No body is so many times as high as its neighbours."""
STEPS = (0.6, 1.5)
"""From one body to the next it is so far, as shares of the steps beside."""
STEEP = 60.0
"""Degrees between the upper endplates of neighbours: more has no spine that stands."""
MOVED = 0.35
"""Corners of both steps lie on average at most so far apart, in depths of the body."""
EDGE = 1.0
"""Film pixels: corners that lie nearer to the edge of the exposed field may be where the field ends, not the body."""


@dataclass(frozen=True)
class Gap:
    """Between two neighbouring bodies (by index) so many vertebrae were not seen; ``missing`` are their names, empty
    where the distance alone says so."""

    upper: int
    lower: int
    count: int
    missing: tuple[Level, ...] = ()


def gaps(names: Sequence[Level | None], variant: Variant) -> list[Gap]:
    """Where the names of bodies, head to foot, leave levels of this spine out."""
    order = variant.levels()
    named = [(index, order.index(level)) for index, level in enumerate(names) if level in order]
    return [
        Gap(above, below, second - first - 1, order[first + 1 : second])
        for (above, first), (below, second) in pairwise(named)
        if second > first + 1
    ]


def long_steps(bodies: Sequence[Body]) -> list[Gap]:
    """Where the distance between neighbours says that a vertebra may lie unseen between them."""
    return [
        Gap(index, index + 1, max(1, round(share) - 1))
        for index, share in enumerate(_relative_steps(bodies))
        if share > STEPS[1]
    ]


def doubts(bodies: Sequence[Body], region: Region) -> dict[int, str]:
    """What speaks against the corners of each body (by index, head to foot), the first reason found."""
    found: dict[int, str] = {}
    for index, body in enumerate(bodies):
        reason = _of_its_own(body, faces(np.array([one.corners for one in bodies])), region)
        reason = reason or _beside_neighbours(index, bodies)
        if reason:
            found[index] = reason
    for index, reason in _of_steps(bodies).items():
        found.setdefault(index, reason)
    return found


def _of_its_own(body: Body, facing: int, region: Region) -> str | None:
    points = body.points
    left, top, right, bottom = region
    low, high = points.min(0), points.max(0)
    if low[0] < left - 0.5 + EDGE or low[1] < top - 0.5 + EDGE:
        return "it reaches to the edge of the exposed field"
    if high[0] > right - 0.5 - EDGE or high[1] > bottom - 0.5 - EDGE:
        return "it reaches to the edge of the exposed field"
    if (body.corners[0, 0] - body.corners[1, 0]) * facing < 0:
        return "its front was found where the other vertebrae have their back"
    if not body.sacral and not _convex(body.corners, facing):
        return "its corners do not enclose a body"
    if body.disagreement > MOVED * body.depth:
        return "the two steps found it in different places"
    return None


def _convex(corners: Array, facing: int) -> bool:
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    turn = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return bool((turn * -facing > 0).all())


def _beside_neighbours(index: int, bodies: Sequence[Body]) -> str | None:
    body = bodies[index]
    beside = [one for one in (*bodies[max(0, index - 2) : index], *bodies[index + 1 : index + 3]) if not one.sacral]
    if not beside:
        return None
    depth = body.depth / max(float(np.median([one.depth for one in beside])), 1e-6)
    if not DEPTHS[0] <= depth <= DEPTHS[1]:
        return f"it is {depth:.2f} times as deep as its neighbours"
    beside = [one for one in beside if one.channel != CHANNEL[Level.C2]]  # the dens makes it tall
    if not body.sacral and body.channel != CHANNEL[Level.C2] and beside:
        height = max(body.heights) / max(float(np.median([max(one.heights) for one in beside])), 1e-6)
        if height > TALLEST:
            return f"it is {height:.2f} times as high as its neighbours"
    return None


def _relative_steps(bodies: Sequence[Body]) -> list[float]:
    """From each body to the next, as shares of the steps beside it (1 where there are none)."""
    steps = [float(np.linalg.norm(below.centre - above.centre)) for above, below in pairwise(bodies)]
    beside = [[*steps[max(0, index - 2) : index], *steps[index + 1 : index + 3]] for index in range(len(steps))]
    return [step / max(float(np.median(near)), 1e-6) if near else 1.0 for step, near in zip(steps, beside, strict=True)]


def _of_steps(bodies: Sequence[Body]) -> dict[int, str]:
    """Bodies on both sides of a step that is far from those beside it."""
    found: dict[int, str] = {}
    for index, share in enumerate(_relative_steps(bodies)):
        if not STEPS[0] <= share <= STEPS[1]:
            reason = f"the distance between it and its neighbour is {share:.2f} times the usual one"
            found |= {index: reason, index + 1: reason}
    return found


WEDGED = 0.8
"""A thoracic or lumbar body whose front is lower than this share of its back is wedge-shaped (Genant 1993: 20 % loss of
height is a fracture's mildest grade)."""
LOW = 0.75
"""A body lower than this share of its neighbours is low."""


def deformities(named: Mapping[Level, Body]) -> list[str]:
    """Bodies whose shape suggests a fracture, as sentences; ``named`` head to foot, only those without doubt."""
    found = []
    bodies = [(level, body) for level, body in named.items() if not body.sacral]
    for index, (level, body) in enumerate(bodies):
        if level.region not in "TL":
            continue
        front, back = body.heights
        beside = [
            float(np.mean(one.heights))
            for _, one in (*bodies[max(0, index - 1) : index], *bodies[index + 1 : index + 2])
        ]
        if front < WEDGED * back:
            found.append(f"{level} is wedge-shaped: its front is {front / back:.2f} times as high as its back")
        elif beside and float(np.mean(body.heights)) < LOW * float(np.mean(beside)):
            share = float(np.mean(body.heights)) / float(np.mean(beside))
            found.append(f"{level} is low: {share:.2f} times as high as its neighbours")
    return found
