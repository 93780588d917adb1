"""Facet joints: one place per pair and side, from which the two processes that meet there take their shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.shapes.solids import Array


@dataclass(frozen=True)
class Joint:
    """A facet joint, patient frame: its middle, the way the lower bone's facet faces, and the way up along it."""

    centre: Array
    normal: Array
    up: Array
    gap_mm: float
    half_height: float
    half_width: float

    def within(self, frame: Frame) -> Joint:
        """The same in a bone's own frame."""
        centre = frame.own(self.centre[None])[0]
        turn = frame.rotation.T
        return Joint(centre, turn @ self.normal, turn @ self.up, self.gap_mm, self.half_height, self.half_width)


def joint(skeleton: Skeleton, upper: Placed, side: float) -> Joint:
    """The joint under ``upper`` on one side (-1 right, 1 left)."""
    index = next(i for i, placed in enumerate(skeleton.vertebrae) if placed is upper)
    size, region = upper.vertebra.size, upper.vertebra.level.region
    disc = upper.vertebra.disc.height_posterior
    if index + 1 < len(skeleton.vertebrae):
        below = skeleton.vertebrae[index + 1]
        frame, lower = below.frame, below.vertebra.size
        top, back = lower.height_posterior / 2, lower.upper_depth / 2
        pedicle = (lower.canal_width + min(lower.pedicle_width, 13.0)) / 2
        canal = lower.canal_depth
        scale = lower.height / 27
    else:
        frame, sacrum = skeleton.sacrum, skeleton.patient.sacrum
        top, back = 0.0, sacrum.endplate_depth / 2
        pedicle, canal, scale = 0.44 * sacrum.endplate_width, 0.95 * size.canal_depth, size.height / 27
    angle = np.radians(np.clip(size.facet_angle, 10, 115))
    slope = {"L": 4.0, "T": 18.0, "C": 42.0}[region]
    if region == "C":
        place = np.array([side * (size.canal_width / 2 + 6.0), back + 0.15 * canal, top + disc / 2 + 0.5])
        half_height, half_width = 4.6, 4.2
    elif region == "T" and size.facet_angle > 60:
        place = np.array([side * (0.45 * size.canal_width + 3.0), back + 0.75 * canal, top + disc / 2 + 2.0])
        half_height, half_width = 5.0, 4.2
    else:
        place = np.array([side * 0.93 * pedicle, back + 0.78 * canal, top + disc / 2 + 2.0])
        half_height, half_width = 7.5 * scale, 5.5 * scale
    flat = np.array([-side * np.cos(angle), np.sin(angle), 0.0])
    lift = np.radians(slope)
    normal = np.cos(lift) * flat + np.sin(lift) * np.array([0, 0, 1.0])
    up = np.cos(lift) * np.array([0, 0, 1.0]) - np.sin(lift) * flat
    rotation = frame.rotation
    gap = 0.0 if upper.vertebra.disc.fused else 1.8
    return Joint(frame.place(place[None])[0], rotation @ normal, rotation @ up, gap, half_height, half_width)
