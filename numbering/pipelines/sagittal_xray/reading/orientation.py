"""How a film lies: upright, on a side or upside down, and which way the patient faces.

A film is set upright by quarter turns; which way the patient faces needs no turning, for corners are named by anatomy.
A film whose spine makes sense only after turning it is turned, and the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.reading.eyes import WholeLook

Array = NDArray[np.float64]

CLEARLY_BETTER = 1.5
"""A film counts as turned only when so many more pairs of neighbours make sense than in the film as it came …"""
TIMES_BETTER = 1.5
"""… and so many times as many."""
STEPS = (0.7, 2.4)
"""From one vertebra to the next it is so many times the upper one's height, on any patient (discs included)."""
STEEPEST = 0.35
"""A step between neighbours goes down by at least this share of its length: steeper than any L5-S1 that stands."""


@dataclass(frozen=True)
class Orientation:
    """``quarter_turns`` counter-clockwise (`numpy.rot90`) set the stored film upright."""

    quarter_turns: int = 0

    def upright(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """The film set upright."""
        return np.ascontiguousarray(np.rot90(stored, self.quarter_turns))

    def to_stored(self, points: Array, shape: Sequence[int]) -> Array:
        """Points ``(…, 2)`` of the upright film, on the stored one of ``shape`` (rows, columns)."""
        x, y = np.moveaxis(np.asarray(points, float), -1, 0)
        rows, columns = shape[:2]
        turned = {
            0: (x, y),
            1: (columns - 1 - y, x),
            2: (columns - 1 - x, rows - 1 - y),
            3: (y, rows - 1 - x),
        }[self.quarter_turns]
        return np.stack(turned, -1)

    def to_upright(self, points: Array, shape: Sequence[int]) -> Array:
        """Points ``(…, 2)`` of the stored film of ``shape`` (rows, columns), on the upright one."""
        x, y = np.moveaxis(np.asarray(points, float), -1, 0)
        rows, columns = shape[:2]
        turned = {
            0: (x, y),
            1: (y, columns - 1 - x),
            2: (columns - 1 - x, rows - 1 - y),
            3: (rows - 1 - y, x),
        }[self.quarter_turns]
        return np.stack(turned, -1)

    @property
    def words(self) -> str | None:
        """How the film lies, for the reader; None when it is upright."""
        return {
            0: None,
            1: "the film lies on a side (its head end is on the right)",
            2: "the film is upside down",
            3: "the film lies on a side (its head end is on the left)",
        }[self.quarter_turns]


ORIENTATIONS = tuple(Orientation(turns) for turns in range(4))


def plausibility(look: WholeLook) -> float:
    """How many pairs of neighbouring levels make sense: both in view, each about a vertebra's height below the last.

    About the number of vertebrae in view for an upright film; near 0 for one that lies otherwise, or shows no spine.
    """
    centres, heights = look.corners[:, :2].mean(1), _heights(look.corners)
    step = np.diff(centres, axis=0)
    length = np.hypot(*step.T)
    relative = length / np.maximum(heights[:-1], 1e-6)
    fits = (relative > STEPS[0]) & (relative < STEPS[1]) & (step[:, 1] > STEEPEST * length)
    presence = look.presence
    return float((presence[:-1] * presence[1:])[fits].sum())


def _heights(corners: Array) -> Array:
    """Of bodies ``(n, 4, 2)``: mean of the anterior and the posterior one, pixels."""
    sides = corners[:, [3, 2]] - corners[:, [0, 1]]
    return np.asarray(np.hypot(sides[..., 0], sides[..., 1]).mean(1))


def lies(scores: Mapping[Orientation, float]) -> Orientation:
    """How the film lies, by the `plausibility` of each orientation: as it came, unless another is clearly better."""
    upright = ORIENTATIONS[0]
    best = max(scores, key=lambda one: scores[one])
    if scores[best] >= scores[upright] + CLEARLY_BETTER and scores[best] >= TIMES_BETTER * scores[upright]:
        return best
    return upright


def faces(corners: Array) -> int:
    """-1 when the fronts of most of these bodies ``(n, 4, 2)`` look to the image's left, 1 to its right."""
    forward = corners[:, 0, 0] - corners[:, 1, 0]
    return 1 if np.sign(forward).sum() > 0 else -1
