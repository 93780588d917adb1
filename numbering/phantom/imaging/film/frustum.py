"""A lattice of rays: columns of sample points from the source to the detector's cells.

Sampling along the true rays makes every sum over depth a line integral of the cone beam, with no resampling of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.imaging.film.geometry import Beam

Array = NDArray[np.float64]


_CORNERS = np.array([[i >> 2, i >> 1 & 1, i & 1] for i in range(8)])


@dataclass(frozen=True)
class Window:
    """A part of the lattice: first and last (exclusive) row and column of its cells, nearest and farthest depth, mm."""

    top: int
    bottom: int
    left: int
    right: int
    near: float
    far: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True)
class Frustum:
    """Cells of ``cell`` mm on the detector of a beam, a ray through the middle of each."""

    beam: Beam
    cell: float

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells that cover the detector."""
        beam = self.beam
        rows, columns = (max(1, int(np.ceil(n * beam.pitch / self.cell))) for n in (beam.rows, beam.columns))
        return rows, columns

    def cell_at(self, depth: float) -> float:
        """Width of a cell, mm, at this distance from the source."""
        return self.cell * depth / self.beam.distance

    def window(self, bounds: Array, margin_mm: float = 0.0) -> Window | None:
        """The cells and depths that a box (mm, patient frame) may reach; None when it is out of the field."""
        box = np.asarray(bounds, float) + np.array([[-margin_mm], [margin_mm]])
        corners = box[_CORNERS, np.arange(3)]
        depth = self.beam.depth(corners)
        near, far = max(float(depth.min()), 50.0), min(float(depth.max()), self.beam.distance)
        if far <= near:
            return None
        ahead = np.where(depth[:, None] < 50, corners + self.beam.normal * (50 - depth[:, None]), corners)
        cells = (self.beam.project(ahead) + 0.5) * self.beam.pitch / self.cell
        first = np.maximum(np.floor(cells.min(0)).astype(int), 0)
        last = np.minimum(np.ceil(cells.max(0)).astype(int) + 1, self.shape[::-1])
        if (last <= first).any():
            return None
        return Window(int(first[1]), int(last[1]), int(first[0]), int(last[0]), near, far)

    def directions(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Ray vectors ``(..., 3)`` per mm of depth through (possibly fractional) cells, which broadcast."""
        first, down, across = self._axes(rows.device)
        return first + (rows[..., None] + 0.5) * down + (columns[..., None] + 0.5) * across

    def slant(self, rows: Tensor, columns: Tensor) -> Tensor:
        """mm of way per mm of depth through cells, which broadcast: the lengths of their `directions`."""
        beam, foot = self.beam, self.beam.source - self.beam.corner
        y = (rows + 0.5) * (self.cell / beam.distance) - float(foot @ beam.down) / beam.distance
        x = (columns + 0.5) * (self.cell / beam.distance) - float(foot @ beam.across) / beam.distance
        return (1 + y * y + x * x).sqrt_()

    def source(self, device: torch.device | str) -> Tensor:
        """The source as a tensor ``(3,)``."""
        return torch.as_tensor(self.beam.source, dtype=torch.float32, device=device)

    def _axes(self, device: torch.device) -> Tensor:
        """The ray to the detector's corner, a cell's step down and one across ``(3, 3)``, per mm of depth."""
        beam = self.beam
        axes = np.stack([beam.corner - beam.source, beam.down * self.cell, beam.across * self.cell]) / beam.distance
        return torch.as_tensor(axes, dtype=torch.float32, device=device)
