"""A grid cut into blocks of about 8 mm, so that a structure is evaluated only where it may be seen.

Most of a structure's box is empty, and most of a large structure lies under later ones. One look at the middle of each
block sorts out the blocks that a structure cannot reach; smooth surfaces are looked at on knots of the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.grid import Array, Grid
from numbering.phantom.scene.knots import Knots
from numbering.phantom.scene.labels import is_bone
from numbering.phantom.scene.places import PlacesWithin, Steps

if TYPE_CHECKING:
    from numbering.phantom.scene.structure import Structure

BLOCK_MM = 8.0
SLACK = 1.5
"""How far a signed distance may exceed the true one (see `Structure.signed_distance`)."""
CHUNK_POINTS = {"cpu": 1 << 18, "cuda": 1 << 23}
"""Points evaluated at a time: what fits a processor's cache, or keeps a GPU busy."""
KNOT_MM = 0.85
"""Surfaces are looked at so far apart, where they are smooth."""
BEND_MM = 0.04
"""Blocks where a surface may lie farther than this from what is linear between knots are looked at voxel by voxel."""
NEAR_MM = 3.0
"""How near to a surface that matters."""
ROUGH_MM = 1.5
"""Painters move a surface by less than this."""
FEW_VOXELS = 16
"""A smaller block is not worth a look of its own."""
FEW_POINTS = 1 << 16
"""So many are looked at without asking first which blocks are near."""


class Part:
    """Some blocks as a structure sees them: their numbers ``(n,)`` and distances ``(n, voxels)``."""

    def __init__(self, whole: Blocks, blocks: Tensor, distance: Tensor) -> None:
        self.blocks, self.distance = blocks, distance
        self._whole = whole
        self.kept: dict[Hashable, tuple[Tensor, bool]] = {}
        """What `Places.slowly` found for all voxels: ``(channels, n * voxels)``, and whether several were asked."""

    @cached_property
    def _first(self) -> Tensor:
        return self._whole.first_voxels(self.blocks)

    def some(self, at: Tensor) -> PlacesWithin:
        """The places of these voxels, indices into all voxels of the part."""
        return PlacesWithin(self, at)

    def points_at(self, at: Tensor) -> Tensor:
        """mm ``(len(at), 3)`` of some voxels."""
        local, voxels = self._whole.local, self._whole.voxels
        block = torch.div(at, voxels, rounding_mode="floor")
        return (self._first.index_select(1, block) + local.index_select(1, at - block * voxels)).t()

    def points_on(self, knots: Knots) -> Tensor:
        """mm ``(n, knots, 3)``."""
        return self._whole.points(self._first, self._whole.offsets(knots))

    def knots(self, steps: Steps) -> Knots:
        """Knots at most ``steps`` mm apart along x, y, z."""
        return self._whole.knots(steps)


class Blocks:
    """The blocks of one grid, and which of them are still open (not wholly hidden by what was laid on top)."""

    def __init__(self, grid: Grid, device: torch.device | str) -> None:
        self.grid, self.device = grid, torch.device(device)
        near_block = 2 ** np.round(np.log2(BLOCK_MM / grid.spacing)).clip(0, 4)
        self.size = np.minimum(near_block, grid.shape).astype(int)
        self.count = -(-np.array(grid.shape) // self.size)
        self.voxels = int(self.size.prod())
        self.open = torch.ones(int(self.count.prod()), dtype=torch.bool, device=self.device)
        self._linear = self._tensor(grid.affine[:3, :3])
        self._offset = self._tensor(grid.affine[:3, 3])
        self.local = self._linear @ self._tensor(
            np.stack(np.meshgrid(*[np.arange(n) for n in self.size], indexing="ij")).reshape(3, -1)
        )
        """mm ``(3, voxels)`` from a block's first voxel to each of them."""
        half = grid.affine[:3, :3] @ (np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1) * (self.size[:, None] / 2))
        self._radius = float(np.linalg.norm(half, axis=0).max())
        self._by_steps: dict[Steps, Knots] = {}
        self._offsets: dict[Knots, Tensor] = {}
        self._surface = self.knots((KNOT_MM,) * 3)

    def near(self, structure: Structure, edge_mm: float) -> Iterator[Part]:
        """The open blocks that the structure may reach, some at a time."""
        blocks, knots = self._reached(structure, edge_mm), self._surface
        if blocks is None:
            return
        at_a_time = max(1, CHUNK_POINTS[self.device.type] // self.voxels)
        if is_bone(structure.label) or 2 * knots.number > self.voxels:
            for some in blocks.split(at_a_time):
                distance = structure.signed_distance(self.points(self.first_voxels(some), self.local))
                kept = distance.amin(1) < edge_mm + ROUGH_MM
                yield Part(self, some[kept], distance[kept])
            return
        for group in blocks.split(max(1, CHUNK_POINTS[self.device.type] // knots.number)):
            coarse = structure.signed_distance(self.points(self.first_voxels(group), self.offsets(knots)))
            kept = coarse.amin(1) < edge_mm + ROUGH_MM + SLACK * KNOT_MM
            for some, found in zip(group[kept].split(at_a_time), coarse[kept].split(at_a_time), strict=True):
                yield Part(self, some, self._between(structure, some, found, edge_mm))

    def _between(self, structure: Structure, blocks: Tensor, coarse: Tensor, edge_mm: float) -> Tensor:
        """Distances ``(n, voxels)`` between those on knots ``(n, knots)``; looked at again where the surface bends."""
        knots = self._surface
        found = knots.between(coarse)
        bent = (knots.bend(coarse) > BEND_MM) & (coarse.abs().amin(1) < edge_mm + NEAR_MM)
        again = bent.nonzero()[:, 0]
        if len(again):
            found[again] = structure.signed_distance(self.points(self.first_voxels(blocks[again]), self.local))
        return found

    def knots(self, steps: Steps) -> Knots:
        """Knots at most ``steps`` mm apart along x, y, z of the patient."""
        if steps not in self._by_steps:
            axes = self.grid.affine[:3, :3]
            apart = 1 / np.sqrt(((axes / np.array(steps)[:, None]) ** 2).sum(0))
            self._by_steps[steps] = Knots.every(self.size, apart, self.device)
        return self._by_steps[steps]

    def offsets(self, knots: Knots) -> Tensor:
        """mm ``(3, knots)`` from a block's first voxel to each knot."""
        if knots not in self._offsets:
            self._offsets[knots] = self._linear @ self._tensor(knots.places())
        return self._offsets[knots]

    @staticmethod
    def points(first: Tensor, offsets: Tensor) -> Tensor:
        """mm ``(n, k, 3)`` at offsets ``(3, k)`` from each of some first voxels ``(3, n)``."""
        return (first[:, :, None] + offsets[:, None]).movedim(0, -1)

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
        s, r, c = (
            torch.arange(w.start // n, -(-w.stop // n), device=self.device)
            for w, n in zip(window, self.size.tolist(), strict=True)
        )
        rows, columns = int(self.count[1]), int(self.count[2])
        blocks = ((s[:, None, None] * rows + r[:, None]) * columns + c).flatten()
        blocks = blocks[self.open[blocks]]
        if len(blocks) == 0:
            return None
        if self.voxels < FEW_VOXELS or len(blocks) * self.voxels <= FEW_POINTS:
            return blocks
        middle = self.first_voxels(blocks) + self._linear @ self._tensor((self.size - 1) / 2)[:, None]
        reach = SLACK * self._radius + edge_mm
        found = [
            some[structure.signed_distance(at.T[:, None])[:, 0] < reach]
            for some, at in zip(blocks.split(1 << 18), middle.split(1 << 18, dim=1), strict=True)
        ]
        return torch.cat(found)

    def first_voxels(self, blocks: Tensor) -> Tensor:
        """mm ``(3, n)`` of each block's first voxel."""
        return self._first.index_select(1, blocks)

    @cached_property
    def _first(self) -> Tensor:
        every = np.stack(np.meshgrid(*[np.arange(n) for n in self.count], indexing="ij")).reshape(3, -1)
        return self._linear @ self._tensor(every * self.size[:, None]) + self._offset[:, None]

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)
