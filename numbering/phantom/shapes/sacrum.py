"""Sacrum and coccyx: five bodies, wings, foramina and the crest, in the sacrum's own frame."""

from __future__ import annotations

import numpy as np

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import joint
from numbering.phantom.shapes.solids import Part, bar
from numbering.phantom.shapes.vertebra import SIDES

SEGMENTS = ((0.27, 1.0, 1.0), (0.225, 0.72, 0.72), (0.18, 0.58, 0.52), (0.165, 0.5, 0.38), (0.16, 0.42, 0.28))
"""Height of S1 to S5 as a share of the sacrum's length, width and depth as shares of S1's endplate."""


def sacrum(skeleton: Skeleton) -> Bone:
    """The sacrum in place."""
    shape = skeleton.patient.sacrum
    parts: list[Part] = []
    at, lean = np.zeros(3), 0.0
    for share, wide, deep in SEGMENTS:
        axis = np.array([0, np.sin(np.radians(lean)), -np.cos(np.radians(lean))])
        end = at + axis * share * shape.length
        half_w, half_d = wide * shape.endplate_width / 2, deep * shape.endplate_depth / 2
        radius = min(half_w, half_d) * 0.9
        parts.append(
            bar(at + axis * radius * 0.35, end, radius, wide=half_w - radius, tall=max(half_d - radius, 0.0), blend=4)
        )
        for side in SIDES:
            far = end * 0.5 + at * 0.5 + np.array([side * max(shape.width * 0.43 * (wide - 0.15), half_w), 6, -4])
            parts.append(bar(at * 0.5 + end * 0.5, far, 8.0 * wide + 1, tall=4 * wide, blend=5))
        at, lean = end, lean - 12
    for side in SIDES:
        facet = joint(skeleton, skeleton.vertebrae[-1], side).within(skeleton.sacrum)
        place = facet.centre - facet.normal * (facet.gap_mm / 2 + 3.0)
        parts.append(bar([place[0], place[1] - 2, -12], place, 4.0))
    return Bone(Label.SACRUM, Field(parts), skeleton.sacrum)
