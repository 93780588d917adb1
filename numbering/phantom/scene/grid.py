"""A regular lattice in the patient frame, upright or oblique."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Bounds = Array
"""``(2, 3)``: lowest and highest x, y, z in mm, patient frame."""
Window = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """A regular lattice ``[slice, row, column]``: ``point = affine @ (slice, row, column, 1)``.

    ``affine`` is ``(4, 4)`` index → mm in the patient frame of the phantom; its columns need not follow the axes
    (oblique slices, gantry tilt).
    """

    affine: Array
    shape: tuple[int, int, int]

    @staticmethod
    def upright(bounds: Bounds, spacing_mm: float | tuple[float, float, float]) -> Grid:
        """Slices along +z, rows along +y, columns along +x (LPS); spacing of slice, row, column."""
        step = np.broadcast_to(np.asarray(spacing_mm, float), 3)
        low, high = np.asarray(bounds, float)
        extent = (high - low)[::-1]
        shape = np.maximum(1, np.ceil(extent / step)).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, ::-1] * step
        affine[:3, 3] = low + (affine[:3, :3] @ np.full(3, 0.5))
        return Grid(affine, (int(shape[0]), int(shape[1]), int(shape[2])))

    @property
    def spacing(self) -> Array:
        """mm between slices, rows and columns ``(3,)``."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def window(self, bounds: Bounds, margin_mm: float = 0.0) -> Window | None:
        """The part of the lattice that may lie inside ``bounds``; None where there is none."""
        low, high = np.asarray(bounds, float)
        inverse = self._inverse
        middle = inverse[:3, :3] @ ((low + high) / 2) + inverse[:3, 3]
        half = np.abs(inverse[:3, :3]) @ ((high - low) / 2 + margin_mm)
        first = np.maximum(np.floor(middle - half).astype(int), 0)
        last = np.minimum(np.ceil(middle + half).astype(int) + 1, self.shape)
        if (last <= first).any():
            return None
        return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))

    @cached_property
    def _inverse(self) -> Array:
        return np.asarray(np.linalg.inv(self.affine))

    def points(self, window: Window, device: torch.device | str = "cpu") -> Tensor:
        """mm ``(slices, rows, columns, 3)`` of the lattice points in a window, float32."""
        affine = torch.as_tensor(self.affine, dtype=torch.float32, device=device)
        axes = [torch.arange(part.start, part.stop, dtype=torch.float32, device=device) for part in window]
        s, r, c = axes[0][:, None, None, None], axes[1][None, :, None, None], axes[2][None, None, :, None]
        return s * affine[:3, 0] + r * affine[:3, 1] + c * affine[:3, 2] + affine[:3, 3]
