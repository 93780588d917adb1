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


def table(
    protocol: Protocol, structures: Sequence[Structure], x: float, heights: tuple[float, float]
) -> list[Structure]:
    """What lies under the patient between these heights; nothing where the scene has no skin."""
    side = -1.0 if protocol.position.endswith("P") else 1.0
    skins = [one for one in structures if one.label in (Label.SKIN, Label.FAT)]
    if not skins:
        return []
    under = side * max(_reach(skin, x, side, heights) for skin in skins)
    if protocol.table == "single":
        return [Board(x, under + side * 16, 200, 2.6, 24, side)]
    return [
        Board(x, under + side * 12, 215, 11, 34, side),
        Board(x, under + side * 52, 165, 3.0, 24, side),
    ]


def _reach(skin: Structure, x: float, side: float, heights: tuple[float, float]) -> float:
    """How far the body reaches towards the table, within the scan and a hand's breadth beyond."""
    low, high = skin.bounds
    y = torch.arange(float(low[1]), float(high[1]) + 1, 2.0)
    z = torch.arange(heights[0] - 100, heights[1] + 101, 20.0)
    points = torch.stack(torch.meshgrid(torch.tensor([x - 60, x, x + 60]), y, z, indexing="ij"), -1)
    inside = (skin.signed_distance(points) < 0).any(0).any(1)
    return float((side * y[inside]).max()) if bool(inside.any()) else side * float(low[1] + high[1]) / 2
