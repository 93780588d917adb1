"""Vertebral bodies as they were seen on one film, before and after they have names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.levels import SACRUM

Array = NDArray[np.float64]

SACRAL_HALF = 0.42
"""From the middle of S1's upper endplate to the middle of S1, in lengths of that endplate."""


@dataclass(frozen=True, eq=False)
class Body:
    """One thing that looks like a vertebra. Pixels of the upright film.

    ``corners`` ``(4, 2)`` in the order of `levels.CORNERS` with ``covariance`` ``(4, 2, 2)`` of their errors;
    ``first`` are step I's, None where step I did not see it. Of the sacrum only the first two mean anything.
    ``channel`` is the level that step I saw here; ``rib`` and ``body`` are probabilities; ``disagreement`` is the mean
    distance between the corners of both steps.
    """

    channel: int
    corners: Array
    covariance: Array
    first: Array | None
    rib: float
    body: float
    presence: float
    disagreement: float = 0.0

    @property
    def sacral(self) -> bool:
        """Whether it was seen as the top of the sacrum."""
        return self.channel == SACRUM

    @property
    def points(self) -> Array:
        """The corners that mean something: four, of the sacrum two."""
        return self.corners[:2] if self.sacral else self.corners

    @property
    def depth(self) -> float:
        """Mean length of its endplates (of the sacrum: its upper one), front to back, pixels."""
        upper = float(np.linalg.norm(self.corners[0] - self.corners[1]))
        return upper if self.sacral else (upper + float(np.linalg.norm(self.corners[3] - self.corners[2]))) / 2

    @property
    def heights(self) -> tuple[float, float]:
        """Anterior and posterior height, pixels; of the sacrum, which has none, nothing to go by."""
        anterior, posterior = np.linalg.norm(self.corners[[3, 2]] - self.corners[[0, 1]], axis=1)
        return float(anterior), float(posterior)

    @property
    def centre(self) -> Array:
        """Middle of the body ``(2,)``; of S1 as far below its endplate as its own middle lies."""
        middle: Array = self.points.mean(0)
        if not self.sacral:
            return middle
        along = self.corners[1] - self.corners[0]
        down = np.array([-along[1], along[0]])
        return middle + SACRAL_HALF * (down if down[1] > 0 else -down)


def distances(bodies: Sequence[Body]) -> Array:
    """Along the spine from the first body's centre to each ``(n,)``, pixels."""
    if not bodies:
        return np.zeros(0)
    centres = np.array([body.centre for body in bodies])
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centres, axis=0), axis=1))])


def head_to_foot(bodies: Sequence[Body]) -> list[Body]:
    """In the order in which they lie on the upright film."""
    return sorted(bodies, key=lambda body: float(body.centre[1]))
