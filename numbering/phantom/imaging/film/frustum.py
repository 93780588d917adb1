"""A lattice of rays: columns of sample points from the source to the detector's cells.

Sampling along the true rays makes every sum over depth a line integral of the cone beam, with no resampling of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.imaging.film.geometry import Beam

Array = NDArray[np.float64]


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

    @property
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
        low, high = np.asarray(bounds, float) + np.array([[-margin_mm], [margin_mm]])
        corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1).T
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
        beam = self.beam
        step = [torch.as_tensor(axis * self.cell / beam.distance, dtype=torch.float32, device=rows.device)
                for axis in (beam.down, beam.across)]  # fmt: skip
        first = torch.as_tensor((beam.corner - beam.source) / beam.distance, dtype=torch.float32, device=rows.device)
        return first + (rows[..., None] + 0.5) * step[0] + (columns[..., None] + 0.5) * step[1]

    def source(self, device: torch.device | str) -> Tensor:
        """The source as a tensor ``(3,)``."""
        return torch.as_tensor(self.beam.source, dtype=torch.float32, device=device)
