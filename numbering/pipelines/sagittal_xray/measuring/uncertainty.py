"""How well a value is known that is computed from points that are known so well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COVERAGE = 1.96
"""A stated ± is so many standard deviations: 95 % of errors lie within, if they are normal."""
STEP = 1e-3
"""Points are moved by this share of their extent to see what the value does."""


def plus_minus(value: Callable[[Array], float], points: Array, covariance: Array) -> float:
    """The ± (95 %) of ``value(points)``, to first order.

    ``points`` ``(n, 2)`` with covariances ``(n, 2, 2)`` of their errors, those of different points independent.
    """
    step = STEP * max(float(np.ptp(points, axis=0).max()), 1e-6)
    variance = 0.0
    for index in range(len(points)):
        slope = np.array([_difference(value, points, index, axis, step) for axis in range(2)])
        variance += float(slope @ covariance[index] @ slope)
    return COVERAGE * float(np.sqrt(max(variance, 0.0)))


def _difference(value: Callable[[Array], float], points: Array, index: int, axis: int, step: float) -> float:
    move = np.zeros_like(points)
    move[index, axis] = step
    return (value(points + move) - value(points - move)) / (2 * step)
