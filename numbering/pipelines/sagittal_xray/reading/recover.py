"""Vertebrae that step I missed: looked for by step II where the spine's course says that they must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.levels import SACRUM
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading.bodies import Body, head_to_foot
from numbering.pipelines.sagittal_xray.reading.checks import Gap
from numbering.pipelines.sagittal_xray.reading.eyes import Eyes
from numbering.pipelines.sagittal_xray.reading.read import Reading, look_closer, same

Array = NDArray[np.float64]

BELOW = 0.9
"""The top of the sacrum lies this share of a step below the middle of the lowest vertebra but one, twice: S1 has no
middle of its own in a crop."""


def recovered(reading: Reading, found: Sequence[Gap], eyes: Eyes, point: OperatingPoint) -> Reading:
    """The same reading with what step II finds in these gaps; the very same when it finds nothing."""
    expected = [body for gap in found for body in _expected(reading.bodies, gap)]
    if not expected or not reading.closer:
        return reading
    turns = reading.orientation.quarter_turns
    seen = look_closer(reading.orientation.upright(reading.film.pixels), expected, eyes, point, turns)
    new = [body for body in seen if body.body >= point.body and all(not same(body, one) for one in reading.bodies)]
    return replace(reading, bodies=tuple(head_to_foot([*reading.bodies, *new]))) if new else reading


def below_sacrum(reading: Reading, eyes: Eyes, point: OperatingPoint) -> bool:
    """Whether step II sees one more body below the one that was taken for the sacrum: then the count may be off by one.

    Nothing there looks like a body to a network that has learnt what lies beside the spine.
    """
    bodies = reading.bodies
    if len(bodies) < 2 or not bodies[-1].sacral or not reading.closer:
        return False
    upper, sacral = bodies[-2:]
    step = sacral.centre - upper.centre
    guess = Body(SACRUM - 1, upper.corners + 2 * BELOW * step, np.zeros((4, 2, 2)), None, 0.5, 0.5, 0.5)
    turns = reading.orientation.quarter_turns
    (seen,) = look_closer(reading.orientation.upright(reading.film.pixels), [guess], eyes, point, turns)
    away = np.linalg.norm(seen.corners[:2].mean(0) - sacral.corners[:2].mean(0))
    return seen.body >= point.below_sacrum and bool(away > 0.5 * np.linalg.norm(step))


def _expected(bodies: Sequence[Body], gap: Gap) -> list[Body]:
    """Bodies evenly between those on either side of the gap, of a shape between theirs."""
    upper, lower = bodies[gap.upper], bodies[gap.lower]
    return [_between(upper, lower, (place + 1) / (gap.count + 1)) for place in range(gap.count)]


def _between(upper: Body, lower: Body, share: float) -> Body:
    centre = upper.centre + share * (lower.centre - upper.centre)
    if lower.sacral:
        corners = upper.corners - upper.centre + centre
    else:
        shape = (1 - share) * (upper.corners - upper.centre) + share * (lower.corners - lower.centre)
        corners = shape + centre
    channel = min(upper.channel + 1, SACRUM - 1)
    return Body(channel, corners, np.zeros((4, 2, 2)), first=None, rib=0.5, body=0.5, presence=0.5)
