"""The line down the spine, and where slices cut it: their order and their distances, mm.

Slices are placed on the spine by whoever plans them: a smooth line through their middles, square to them, follows it.
It is presumed, not seen: how far in front of or behind the discs it runs is the habit of technologists.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numbering.plane import Plane
from numbering.stack import Stack

Array = NDArray[np.float64]

CANAL_BEHIND_DISC_MM = 22.0
"""Axial fields of view are centred on the canal, which lies so far behind the middle of a disc."""
OFF_MIDDLE_MM, OFF_SLOPE = 8.0, 0.1
"""How far a disc lies from the middle of its slices, and by how much (tangent) the spine runs askew to them."""
MOST_BENT = 3
"""Order of the polynomials at most: a lumbar spine has one curve, and a second one begins at either end."""
SCALE_MM = 50.0
BEYOND_MM = 80.0
"""A line goes on this far beyond its ends, straight."""
STEP_MM = 1.0
MOST_TILTED = 0.5
"""Cosine between a slice's normal and the patient's axis: slices beyond 60° do not cut across the spine."""


@dataclass(frozen=True, eq=False)
class Course:
    """Points ``(n, 3)`` mm LPS, head first, close together."""

    points: Array

    @cached_property
    def along_mm(self) -> Array:
        """``(n,)``: from the first point along the line to each."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    @cached_property
    def tangents(self) -> Array:
        """``(n, 3)`` unit vectors towards the feet."""
        ahead = np.gradient(self.points, axis=0)
        return np.asarray(ahead / np.linalg.norm(ahead, axis=1, keepdims=True))

    def at(self, along_mm: ArrayLike) -> Array:
        """The points ``(…, 3)`` so far along the line."""
        along = np.asarray(along_mm, float)
        return np.stack([np.interp(along, self.along_mm, self.points[:, axis]) for axis in range(3)], -1)

    def nearest(self, point: Array) -> float:
        """How far along the line its point nearest to this one (mm) lies."""
        return float(self.along_mm[int(np.argmin(np.linalg.norm(self.points - point, axis=1)))])

    def cut(self, plane: Plane) -> float | None:
        """How far along the line this plane cuts it; where it does so twice, nearest to the middle of the image."""
        off = plane.off_mm(self.points)
        crossings = np.flatnonzero((off[:-1] <= 0) != (off[1:] <= 0))
        if not len(crossings):
            return None
        share = off[crossings] / (off[crossings] - off[crossings + 1])
        along = self.along_mm[crossings] + share * np.diff(self.along_mm)[crossings]
        away = np.linalg.norm(self.at(along) - plane.centre_mm, axis=1)
        return float(along[int(np.argmin(away))])


def across_the_spine(plane: Plane) -> bool:
    """Whether the plane is axial enough for a place along the spine."""
    return bool(abs(plane.normal[2]) >= MOST_TILTED)


def forward(plane: Plane) -> Array:
    """Unit vector in the plane towards the patient's front."""
    front = np.array([0.0, -1.0, 0.0])
    within = front - plane.normal * (plane.normal @ front)
    return np.asarray(within / np.linalg.norm(within))


def presumed(stack: Stack) -> Course | None:
    """The line through the discs as the slices tell it; None where no slice cuts across the spine.

    Stacks lie along discs, so the line runs square to them, and through their middles as nearly as that allows. A block
    of parallel slices gives a straight line.
    """
    groups = [[stack.planes[index] for index in group] for group in stack.groups]
    groups = [group for group in groups if across_the_spine(group[0])]
    if not groups:
        return None
    points = np.concatenate(
        [[plane.centre_mm + CANAL_BEHIND_DISC_MM * forward(plane) for plane in group] for group in groups]
    )
    normals = np.array([plane.normal for group in groups for plane in group])
    weights = np.array([1 / len(group) for group in groups for _ in group])
    return fitted(points, normals[:, :2] / normals[:, 2:], weights, order=min(len(groups), MOST_BENT))


def fitted(points: Array, slopes: Array, weights: Array, order: int) -> Course:
    """The smooth line, head to foot, that passes near points ``(n, 3)`` with these slopes ``(n, 2)`` of x and y over z.

    ``weights`` ``(n,)``, ``order`` of the polynomials. Beyond the points it goes straight on.
    """
    top, bottom, middle = points[:, 2].max(), points[:, 2].min(), points[:, 2].mean()
    heights = np.arange(top + BEYOND_MM, bottom - BEYOND_MM, -STEP_MM)
    within = np.clip(heights, bottom, top)
    powers = np.arange(order + 1)
    along = (points[:, 2:] - middle) / SCALE_MM
    places = along**powers
    rises = powers * along ** np.maximum(powers - 1, 0) / SCALE_MM
    sure = np.sqrt(weights)[:, None]
    columns = []
    for axis in (0, 1):
        rows = np.concatenate([places * sure / OFF_MIDDLE_MM, rises * sure / OFF_SLOPE])
        told = np.concatenate([points[:, axis] * sure[:, 0] / OFF_MIDDLE_MM, slopes[:, axis] * sure[:, 0] / OFF_SLOPE])
        curve = np.polynomial.Polynomial(np.linalg.lstsq(rows, told, rcond=None)[0])
        scaled = (within - middle) / SCALE_MM
        columns.append(curve(scaled) + curve.deriv()(scaled) * (heights - within) / SCALE_MM)
    return Course(np.stack([*columns, heights], 1))
