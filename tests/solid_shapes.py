"""Bodies with exact surfaces, for scenes of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from numbering.phantom.scene.structure import Bounds


@dataclass(frozen=True, eq=False)
class Ball:
    label: int
    centre: tuple[float, float, float]
    radius: float

    @property
    def bounds(self) -> Bounds:
        return np.array(self.centre) + np.array([[-1.0], [1.0]]) * (self.radius + 3)

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        away: torch.Tensor = (points - torch.tensor(self.centre)).norm(dim=-1)
        return away - self.radius


@dataclass(frozen=True, eq=False)
class Pillar:
    """An elliptic cylinder along z; its distance is exact where it is round."""

    label: int
    centre: tuple[float, float]
    radii: tuple[float, float]
    heights: tuple[float, float] = (-1000.0, 1000.0)

    @property
    def bounds(self) -> Bounds:
        (x, y), (a, b), (low, high) = self.centre, self.radii, self.heights
        return np.array([[x - a - 3, y - b - 3, low - 3], [x + a + 3, y + b + 3, high + 3]])

    def signed_distance(self, points: torch.Tensor) -> torch.Tensor:
        x, y = (points[..., 0] - self.centre[0]) / self.radii[0], (points[..., 1] - self.centre[1]) / self.radii[1]
        across = (torch.hypot(x, y) - 1) * min(self.radii)
        z = points[..., 2]
        return torch.maximum(across, torch.maximum(self.heights[0] - z, z - self.heights[1]))
