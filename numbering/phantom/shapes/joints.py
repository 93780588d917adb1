"""Facet joints: one place per pair and side, from which the two processes that meet there take their shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.shapes.solids import Array

SIDES = (-1.0, 1.0)
"""Right before left."""


@dataclass(frozen=True)
class Joint:
    """A facet joint, patient frame: its middle, the way the lower bone's facet faces, and the way up along it."""

    centre: Array
    normal: Array
    up: Array
    gap_mm: float
    half_height: float
    half_width: float
    hollow_mm: float
    """How far the middle of the lower bone's facet lies before its edges."""

    def within(self, frame: Frame) -> Joint:
        """The same in a bone's own frame."""
        centre = frame.own(self.centre[None])[0]
        turn = frame.rotation.T
        return Joint(
            centre, turn @ self.normal, turn @ self.up, self.gap_mm, self.half_height, self.half_width, self.hollow_mm
        )


def place_of(skeleton: Skeleton, placed: Placed) -> int:
    """Which of the skeleton's vertebrae this is."""
    return next(i for i, other in enumerate(skeleton.vertebrae) if other.vertebra.ordinal == placed.vertebra.ordinal)


def joint(skeleton: Skeleton, upper: Placed, side: float) -> Joint:
    """The joint under ``upper`` on one side (-1 right, 1 left)."""
    index = place_of(skeleton, upper)
    size, region = upper.vertebra.size, upper.vertebra.level.region
    lift = upper.vertebra.disc.height_posterior / 2
    if index + 1 < len(skeleton.vertebrae):
        below = skeleton.vertebrae[index + 1]
        frame, lower = below.frame, below.vertebra.size
        lift += lower.height_posterior / 2
        pedicle = (lower.canal_width + min(lower.pedicle_width, 12.0)) / 2
        canal, scale, back = lower.canal_depth, lower.height / 27, lower.upper_depth / 2
    else:
        frame, sacrum = skeleton.sacrum, skeleton.patient.sacrum
        back = sacrum.endplate_depth / 2
        pedicle, canal, scale = 0.41 * sacrum.endplate_width, 0.95 * size.canal_depth, size.height / 27
    if region == "C":
        place = np.array([side * (0.5 * size.canal_width + 6.5), back + 0.2 * canal, lift + 0.5])
        shape, slope, facing, hollow = (4.6, 4.4), 40.0, size.facet_angle + 28, 0.3
    elif region == "T" and size.facet_angle > 45:
        place = np.array([side * (0.35 * size.canal_width + 4.5), back + 0.8 * canal, lift + 2.0])
        shape, slope, facing, hollow = (5.0, 4.2), 17.0, size.facet_angle + 18, 0.0
    else:
        place = np.array([side * 0.93 * pedicle, back + 0.8 * canal, lift + 1.5])
        shape, slope, facing, hollow = (7.0 * scale, 6.0 * scale), 3.0, size.facet_angle, 1.6
    angle, rise = np.radians(np.clip(facing, 8, 110)), np.radians(slope)
    flat = np.array([-side * np.cos(angle), np.sin(angle), 0.0])
    normal = np.cos(rise) * flat + np.sin(rise) * np.array([0, 0, 1.0])
    up = np.cos(rise) * np.array([0, 0, 1.0]) - np.sin(rise) * flat
    rotation = frame.rotation
    gap = 0.0 if upper.vertebra.disc.fused else 1.8
    return Joint(frame.place(place[None])[0], rotation @ normal, rotation @ up, gap, *shape, hollow)
