"""Knots in a block of a grid: what changes slowly is worked out there, and is linear between them.

A look at a smooth surface or a slow texture costs far more than the two or three products that spread it over a block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.grid import Array


@dataclass(frozen=True, eq=False)
class Knots:
    """``count`` knots along the three axes of blocks of ``size`` voxels; the first and the last voxel have one."""

    size: tuple[int, int, int]
    count: tuple[int, int, int]
    spread: tuple[Tensor, Tensor, Tensor]
    """Weight of each knot ``(voxels, knots)`` along each axis."""

    @staticmethod
    def every(size: Array, steps: Array, device: torch.device) -> Knots:
        """As few as lie at most ``steps`` voxels ``(3,)`` apart, but never more than there are voxels."""
        voxels = [int(n) for n in size]
        wanted = [int(np.ceil((n - 1) / step)) + 1 for n, step in zip(voxels, steps, strict=True)]
        count = [min(n, found) for n, found in zip(voxels, wanted, strict=True)]
        spread = [_weights(n, k).to(device) for n, k in zip(voxels, count, strict=True)]
        return Knots(
            (voxels[0], voxels[1], voxels[2]), (count[0], count[1], count[2]), (spread[0], spread[1], spread[2])
        )

    @property
    def number(self) -> int:
        """Knots of a block."""
        return self.count[0] * self.count[1] * self.count[2]

    @property
    def voxels(self) -> int:
        """Voxels of a block."""
        return self.size[0] * self.size[1] * self.size[2]

    def places(self) -> Array:
        """Voxel indices ``(3, knots)`` of a block's knots, not whole."""
        axes = [np.linspace(0, n - 1, k) for n, k in zip(self.size, self.count, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)

    def between(self, values: Tensor) -> Tensor:
        """Values ``(n, voxels)`` of values ``(n, knots)``."""
        slices, rows, columns = self.size
        found = values.reshape(-1, self.count[2])
        if columns != self.count[2]:
            found = found @ self.spread[2].t()
        found = found.view(-1, self.count[1], columns)
        if rows != self.count[1]:
            found = torch.matmul(self.spread[1], found)
        found = found.view(-1, self.count[0], rows * columns)
        if slices != self.count[0]:
            found = torch.matmul(self.spread[0], found)
        return found.reshape(-1, self.voxels)

    def bend(self, values: Tensor) -> Tensor:
        """How far values ``(n, knots)`` may be from linear between the knots of each block ``(n,)``, at most."""
        found = values.new_zeros(len(values))
        for axis, count in enumerate(self.count, start=1):
            if count == self.size[axis - 1]:
                continue
            if count < 3:
                return torch.full_like(found, torch.inf)
            block = values.view(-1, *self.count)
            inner, before, after = (block.narrow(axis, start, count - 2) for start in (1, 0, 2))
            found += (inner * 2 - before - after).flatten(1).abs().amax(1) / 8
        return found


def _weights(voxels: int, knots: int) -> Tensor:
    at = torch.linspace(0, knots - 1, voxels, dtype=torch.float64)
    return (1 - (at[:, None] - torch.arange(knots)).abs()).clamp(min=0).float()
