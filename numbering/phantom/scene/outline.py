"""Outlines in the axial plane as a radius in each of `stack.DIRECTIONS` directions, and fitting them to an area."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.stack import ANGLES, DIRECTIONS

__all__ = ["ANGLES", "COS", "SIN", "area", "fit", "halves", "reach", "smoothed", "superellipse"]

COS, SIN = np.cos(ANGLES), np.sin(ANGLES)


def superellipse(
    half_width: ArrayLike, half_depth: ArrayLike, power: ArrayLike = 2.0, turn_deg: ArrayLike = 0.0
) -> Array:
    """Radii ``(..., DIRECTIONS)``; the arguments broadcast. ``turn_deg`` turns it from +x towards +y."""
    a, b, p, turn = (np.asarray(v, float)[..., None] for v in (half_width, half_depth, power, turn_deg))
    angle = ANGLES - np.radians(turn)
    power_sum = np.abs(np.cos(angle) / a) ** p + np.abs(np.sin(angle) / b) ** p
    return np.asarray(power_sum ** (-1 / p))


def halves(front: Array, back: Array) -> Array:
    """An outline whose front half (-y) and back half (+y) come from two that meet at the sides."""
    return np.where(SIN > 0, back, front)


def area(radius: Array) -> Array:
    """mm² ``(...)``."""
    return np.asarray((radius**2).sum(-1) * np.pi / DIRECTIONS)


def fit(shape: Array, limit: Array, wanted: ArrayLike) -> Array:
    """``min(k · shape, limit)`` with the factor k that gives each row ``(n, DIRECTIONS)`` the wanted area, mm².

    Where the limits leave less room than wanted, all of the room is taken (k stops at 6).
    """
    target = np.asarray(wanted, float)
    low, high = np.zeros(len(shape)), np.full(len(shape), 6.0)
    for _ in range(30):
        middle = (low + high) / 2
        small = area(np.minimum(middle[:, None] * shape, limit)) < target
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    return np.asarray(np.minimum(high[:, None] * shape, limit))


def reach(centre: Array, inside: Callable[[Array, Array], Array], furthest_mm: float, step_mm: float = 1.0) -> Array:
    """How far one can go from ``centre (n, 2)`` in each direction before ``inside(x, y) <= 0``: ``(n, DIRECTIONS)``.

    ``inside`` takes x and y ``(n, DIRECTIONS, steps)`` and is positive in free space.
    """
    steps = np.arange(0, furthest_mm + step_mm, step_mm)
    x = centre[:, 0, None, None] + COS[:, None] * steps
    y = centre[:, 1, None, None] + SIN[:, None] * steps
    free = inside(x, y)
    blocked = free <= 0
    first = np.where(blocked.any(-1), blocked.argmax(-1), len(steps) - 1)
    at = np.take_along_axis(free, first[..., None], -1)[..., 0]
    before = np.take_along_axis(free, np.maximum(first - 1, 0)[..., None], -1)[..., 0]
    back = np.where(blocked.any(-1) & (first > 0), at / np.minimum(at - before, -1e-9), 0.0)
    return np.asarray(np.maximum(steps[first] - back * step_mm, 0.3))


def smoothed(radius: Array, width: int = 2) -> Array:
    """Radii averaged over neighbouring directions, so corners are round."""
    return np.asarray(sum(np.roll(radius, shift, -1) for shift in range(-width, width + 1)) / (2 * width + 1))
