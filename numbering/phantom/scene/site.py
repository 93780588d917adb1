"""Where things lie in one patient: the places that organs and muscles refer to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline

from numbering.phantom.anatomy.patient import SoftTissue
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.trunk import Trunk, trunk
from numbering.phantom.shapes.pelvis import wing

SIDES = (-1, 1)
"""Right, left: the sign of x."""


@dataclass(frozen=True)
class Site:
    """A posed patient, and the seed of what changes from visit to visit."""

    skeleton: Skeleton
    seed: int

    @property
    def soft(self) -> SoftTissue:
        """The patient's soft tissue."""
        return self.skeleton.patient.soft

    @property
    def scale(self) -> float:
        """The patient's size, 1 on average."""
        return self.skeleton.patient.scale

    @cached_property
    def trunk(self) -> Trunk:
        """Its proportions."""
        return trunk(self.skeleton)

    def draw(self, part: int) -> np.random.Generator:
        """The generator of one part of the patient, so that parts do not depend on each other."""
        return np.random.default_rng([self.skeleton.patient.seed, part])

    def draw_today(self, part: int) -> np.random.Generator:
        """The generator of what changes from visit to visit: breath, bowel, bladder."""
        return np.random.default_rng([self.skeleton.patient.seed, part, self.seed])

    def z(self, ordinal: float) -> float:
        """Height of an ordinal of the usual spine."""
        return self.skeleton.height(ordinal)

    def spine(self, z: float | Array) -> Array:
        """x and y of the spine ``(..., 2)`` at heights; below S1's endplate along the sacrum."""
        x, y = self.skeleton.midline(z)
        slope = np.tan(np.radians(min(self.sacral_slope, 55.0)))
        return np.stack([x, y + slope * np.clip(-np.asarray(z, float), 0, 45 * self.scale)], -1)

    @cached_property
    def sacral_slope(self) -> float:
        """Of S1's upper endplate in this posture, degrees."""
        return float(np.degrees(np.arctan2(-self.skeleton.sacrum.rotation[1, 2], self.skeleton.sacrum.rotation[2, 2])))

    def body_half(self, z: float | Array) -> Array:
        """Half width and half depth of the vertebral bodies ``(..., 2)`` at heights (S1's endplate below them)."""
        sizes = [placed.vertebra.size for placed in self.skeleton.vertebrae[::-1]]
        sacrum = self.skeleton.patient.sacrum
        at = np.array([0.0, *(placed.frame.centre[2] for placed in self.skeleton.vertebrae[::-1])])
        width = [sacrum.endplate_width, *((size.upper_width + size.lower_width) / 2 for size in sizes)]
        depth = [sacrum.endplate_depth, *((size.upper_depth + size.lower_depth) / 2 for size in sizes)]
        return np.stack([np.interp(z, at, width) / 2, np.interp(z, at, depth) / 2], -1)

    def wing(self, side: int, z: float) -> Array:
        """x and y ``(n, 2)`` along the middle of an iliac wing at a height, from behind to in front; none above."""
        found = []
        for column in np.moveaxis(self._wings[side], 1, 0):
            low, high = column[:, 2].min(), column[:, 2].max()
            if low <= z <= high:
                order = np.argsort(column[:, 2])
                found.append([np.interp(z, column[order, 2], column[order, axis]) for axis in (0, 1)])
        return np.array(found).reshape(-1, 2)

    @cached_property
    def _wings(self) -> dict[int, Array]:
        wings = {side: wing(self.skeleton, side) for side in SIDES}
        share = np.linspace(0, 1, 29)
        return {
            side: CubicSpline(np.linspace(0, 1, rows.shape[1]), rows, axis=1)(share) for side, rows in wings.items()
        }

    def turn(self, z: float | Array) -> Array:
        """How far the spine is turned about z at heights, radians, from +x towards +y."""
        at = np.array([0.0, *(placed.frame.centre[2] for placed in self.skeleton.vertebrae[::-1])])
        turned = [np.arctan2(p.frame.rotation[1, 0], p.frame.rotation[0, 0]) for p in self.skeleton.vertebrae[::-1]]
        return np.asarray(np.interp(z, at, [0.0, *turned]))

    def beside(self, z: Array, across: Array, behind: Array) -> Array:
        """x and y ``(n, 2)`` of places beside the spine, turning with it: mm to the left, mm to the back."""
        turn = self.turn(z)
        cos, sin = np.cos(turn), np.sin(turn)
        return self.spine(z) + np.stack([across * cos - behind * sin, across * sin + behind * cos], -1)
