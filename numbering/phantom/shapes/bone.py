"""A bone of parts, in place: the structure that every view paints."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.pose import Frame
from numbering.phantom.scene.structure import Bounds
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.lattice import Solid, lattice_points
from numbering.phantom.shapes.solids import Array

MARGIN_MM = 3.5
PATIENT = Frame(np.zeros(3), np.eye(3))
"""The patient's frame itself, for bones that are described in it."""


class Bone:
    """A `numbering.phantom.scene.structure.Structure` made of a `Field` in a frame.

    A bone of very many parts, and none of them fine, is worked out once, on a lattice of ``lattice_mm``.
    """

    def __init__(self, label: int, field: Field, frame: Frame = PATIENT, lattice_mm: float | None = None) -> None:
        self.label = int(label)
        self.field = field
        self.frame = frame
        self.lattice_mm = lattice_mm
        boxes = field.boxes(MARGIN_MM)
        middle, half = (boxes[:, 0] + boxes[:, 1]) / 2, (boxes[:, 1] - boxes[:, 0]) / 2
        centre, reach = frame.place(middle), half @ np.abs(frame.rotation).T
        self.boxes: Array = np.stack([centre - reach, centre + reach], 1)
        """``(parts, 2, 3)`` patient frame: the bone lies in the union of these."""
        self.bounds: Bounds = np.stack([self.boxes[:, 0].min(0), self.boxes[:, 1].max(0)])
        self._solids: dict[torch.device, Solid] = {}

    def signed_distance(self, points: Tensor) -> Tensor:
        """mm to the bone's surface; true within about 4 mm of it and inside, at least that farther out."""
        if self.lattice_mm is None:
            return self._exactly(points)
        if points.device not in self._solids:
            low, high = self.bounds
            shape = tuple(int(n) + 2 for n in np.ceil((high - low) / self.lattice_mm)[::-1])
            values = self._exactly(lattice_points(low, self.lattice_mm, shape, points.device))
            self._solids[points.device] = Solid(values.contiguous(), low, self.lattice_mm)
        return self._solids[points.device].at(points)

    def _exactly(self, points: Tensor) -> Tensor:
        return self.field.signed_distance(points, None if self.frame is PATIENT else self.frame)
