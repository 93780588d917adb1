"""A bone of parts, in place: the structure that every view paints."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from numbering.phantom.pose import Frame
from numbering.phantom.scene.structure import Bounds
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.solids import Array

MARGIN_MM = 3.5
PATIENT = Frame(np.zeros(3), np.eye(3))
"""The patient's frame itself, for bones that are described in it."""


class Bone:
    """A `numbering.phantom.scene.structure.Structure` made of a `Field` in a frame."""

    def __init__(self, label: int, field: Field, frame: Frame = PATIENT) -> None:
        self.label = int(label)
        self.field = field
        self.frame = frame
        boxes = field.boxes(MARGIN_MM)
        middle, half = (boxes[:, 0] + boxes[:, 1]) / 2, (boxes[:, 1] - boxes[:, 0]) / 2
        centre, reach = frame.place(middle), half @ np.abs(frame.rotation).T
        self.boxes: Array = np.stack([centre - reach, centre + reach], 1)
        """``(parts, 2, 3)`` patient frame: the bone lies in the union of these."""
        self.bounds: Bounds = np.stack([self.boxes[:, 0].min(0), self.boxes[:, 1].max(0)])

    def signed_distance(self, points: Tensor) -> Tensor:
        """mm to the bone's surface; true within about 4 mm of it and inside, at least that farther out."""
        return self.field.signed_distance(points, None if self.frame is PATIENT else self.frame)
