"""A grid cut into blocks of about 8 mm, so that a structure is evaluated only where it may be seen.

Most of a structure's box is empty, and most of a large structure lies under later ones. One look at the middle of each
block sorts out the blocks that a structure cannot reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.grid import Grid

if TYPE_CHECKING:
    from numbering.phantom.scene.structure import Structure

BLOCK_MM = 8.0
SLACK = 1.5
"""How far a signed distance may exceed the true one (see `Structure.signed_distance`)."""
CHUNK_POINTS = {"cpu": 1 << 17, "cuda": 1 << 23}
"""Points evaluated at a time: what fits a processor's cache, or keeps a GPU busy."""


@dataclass(frozen=True)
class Part:
    """Some blocks as a structure sees them: their numbers ``(n,)``, points ``(n, voxels, 3)``, distances
    ``(n, voxels)``."""

    blocks: Tensor
    points: Tensor
    distance: Tensor


class Blocks:
    """The blocks of one grid, and which of them are still open (not wholly hidden by what was laid on top)."""

    def __init__(self, grid: Grid, device: torch.device | str) -> None:
        self.grid, self.device = grid, torch.device(device)
        near_block = 2 ** np.round(np.log2(BLOCK_MM / grid.spacing)).clip(0, 4)
        self.size = np.minimum(near_block, grid.shape).astype(int)
        self.count = -(-np.array(grid.shape) // self.size)
        self.voxels = int(self.size.prod())
        self.open = torch.ones(int(self.count.prod()), dtype=torch.bool, device=self.device)
        self._linear = torch.as_tensor(grid.affine[:3, :3], dtype=torch.float32, device=self.device)
        self._offset = torch.as_tensor(grid.affine[:3, 3], dtype=torch.float32, device=self.device)
        self._local = self._linear @ self._lattice([np.arange(n) for n in self.size])
        half = grid.affine[:3, :3] @ (np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1) * (self.size[:, None] / 2))
        self._radius = float(np.linalg.norm(half, axis=0).max())

    def near(self, structure: Structure, edge_mm: float) -> Iterator[Part]:
        """The open blocks that the structure may reach, some at a time."""
        blocks = self._reached(structure, edge_mm)
        if blocks is None:
            return
        for some in blocks.split(max(1, CHUNK_POINTS[self.device.type] // self.voxels)):
            points = (self._origin(some)[:, :, None] + self._local[:, None]).movedim(0, -1)
            yield Part(some, points, structure.signed_distance(points))

    def volume(self, values: Tensor) -> Tensor:
        """Values ``(blocks, voxels)`` as a volume ``(slices, rows, columns)``."""
        parts = values.reshape(*self.count, *self.size).permute(0, 3, 1, 4, 2, 5)
        whole = parts.reshape(*(self.count * self.size))
        s, r, c = self.grid.shape
        return whole[:s, :r, :c].contiguous()

    def _reached(self, structure: Structure, edge_mm: float) -> Tensor | None:
        window = self.grid.window(structure.bounds, edge_mm)
        if window is None:
            return None
        ranges = [np.arange(w.start // n, -(-w.stop // n)) for w, n in zip(window, self.size, strict=True)]
        index = self._lattice(ranges).long()
        blocks = (index[0] * int(self.count[1]) + index[1]) * int(self.count[2]) + index[2]
        blocks = blocks[self.open[blocks]]
        if len(blocks) == 0:
            return None
        middle = self._origin(blocks) + self._linear @ self._tensor((self.size - 1) / 2)[:, None]
        reach = SLACK * self._radius + edge_mm
        found = [
            some[structure.signed_distance(at.T[:, None])[:, 0] < reach]
            for some, at in zip(blocks.split(1 << 18), middle.split(1 << 18, dim=1), strict=True)
        ]
        return torch.cat(found)

    def _origin(self, blocks: Tensor) -> Tensor:
        """mm ``(3, n)`` of each block's first voxel."""
        rows, columns = int(self.count[1]), int(self.count[2])
        index = torch.stack([blocks // (rows * columns), blocks // columns % rows, blocks % columns])
        return self._linear @ (index.float() * self._tensor(self.size)[:, None]) + self._offset[:, None]

    def _lattice(self, axes: list[np.ndarray]) -> Tensor:
        return self._tensor(np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)
