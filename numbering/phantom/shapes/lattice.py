"""Signed distances on a regular lattice, linear between its points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from numbering.phantom.shapes.solids import Array


@dataclass(frozen=True)
class Solid:
    """Distances ``values`` ``[z, y, x]`` at ``origin + pitch * (x, y, z)`` of a bone's own frame, mm."""

    values: Tensor
    origin: Array
    pitch: float

    def at(self, own: Tensor) -> Tensor:
        """mm ``(...)`` at points ``(..., 3)`` of the own frame; the nearest edge's value beyond the lattice."""
        return sampled(self.values.to(own.device), self.origin, self.pitch, own)

    def points(self) -> Tensor:
        """The lattice's points ``(z, y, x, 3)``."""
        return lattice_points(self.origin, self.pitch, tuple(self.values.shape), self.values.device)


def lattice_points(origin: Array, pitch: float, shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Points ``(z, y, x, 3)`` of a lattice of ``shape`` from ``origin`` on."""
    axes = [torch.arange(count, dtype=torch.float32, device=device) * pitch for count in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1) + torch.as_tensor(origin, dtype=torch.float32, device=device)


def sampled(values: Tensor, origin: Array, pitch: float, points: Tensor) -> Tensor:
    """``values`` ``[z, y, x]`` at points ``(..., 3)``, linear between the lattice's."""
    counts = torch.tensor(values.shape[::-1], dtype=torch.float32, device=points.device)
    start = torch.as_tensor(origin, dtype=torch.float32, device=points.device)
    scale = 2 / pitch / (counts - 1)
    index = torch.addcmul(-start * scale - 1, points, scale)
    found = functional.grid_sample(
        values[None, None], index.reshape(1, 1, 1, -1, 3), padding_mode="border", align_corners=True
    )
    return found.reshape(points.shape[:-1])
