"""The patient table: curved shells of carbon fibre around foam, as a structure under all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Bounds, Structure


@dataclass(frozen=True)
class Board:
    """A plate along the body, hollow towards the patient, who lies ``side`` 1 in front of it or -1 behind it."""

    x: float
    y: float
    """Of the middle of its upper face."""
    half_width_mm: float
    thick_mm: float
    sag_mm: float
    """How much higher its edges stand than its middle."""
    side: float = 1.0
    label: int = Label.TABLE

    @property
    def bounds(self) -> Bounds:
        """Endless along the body."""
        low, high = -self.sag_mm - 3, self.thick_mm + 3
        y = sorted((self.y + self.side * low, self.y + self.side * high))
        return np.array([[self.x - self.half_width_mm - 3, y[0], -1e4], [self.x + self.half_width_mm + 3, y[1], 1e4]])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        across = (points[..., 0] - self.x) / self.half_width_mm
        depth = self.side * (points[..., 1] - self.y) + self.sag_mm * across.square()
        slope = 2 * self.sag_mm / self.half_width_mm * across
        thick = ((depth - self.thick_mm / 2).abs() - self.thick_mm / 2) / (1 + slope.square()).sqrt()
        return torch.maximum(thick, (across.abs() - 1) * self.half_width_mm)


def table(protocol: Protocol, structures: Sequence[Structure], x: float) -> list[Structure]:
    """What lies under the patient; nothing where the scene has no skin."""
    boxes = [one.bounds for one in structures if one.label in (Label.SKIN, Label.FAT)]
    if not boxes:
        return []
    side = -1.0 if protocol.position.endswith("P") else 1.0
    row = 1 if side > 0 else 0
    under = side * max(side * float(box[row, 1]) for box in boxes) - 3 * side
    if protocol.table == "single":
        return [Board(x, under + side * 9, 205, 22, 26, side)]
    return [
        Board(x, under + side * 14, 215, 9, 34, side),
        Board(x, under + side * 58, 168, 3.2, 24, side),
    ]
