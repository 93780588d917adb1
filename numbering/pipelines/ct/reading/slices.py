"""Where points of the body lie among the slices of a stack: fractional slice, row and column, whatever its geometry.

Parallel slices are enough: their distances may be uneven, the stack may be sheared (gantry tilt) or lie obliquely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.stack import Stack

Array = NDArray[np.float64]

GAP_MM = 12.0
"""Slices further apart than this have something unknown between them, and not a mean of both."""


@dataclass(frozen=True, eq=False)
class Slices:
    """The largest group of parallel slices of a stack, in order.

    ``indices`` are the stack's; ``heights`` ``(n,)`` mm along ``normal``, increasing; ``positions`` ``(n, 3)`` the
    centres of their first pixels; ``along`` ``(2, 3)`` unit vectors of growing row and column; ``spacing`` of rows
    and columns, mm; ``shape`` rows and columns.
    """

    indices: tuple[int, ...]
    heights: Array
    positions: Array
    normal: Array
    along: Array
    spacing: Array
    shape: tuple[int, int]
    half_mm: float
    """Half of a slice's thickness: what is shown reaches so far beyond the first and the last."""

    @classmethod
    def of(cls, stack: Stack) -> Slices:
        """The largest group; of slices at the same height the first."""
        group = max(stack.groups, key=len)
        size = max((_size(stack, index) for index in group), key=[_size(stack, index) for index in group].count)
        planes = [stack.planes[index] for index in group]
        first = planes[0]
        normal = first.normal
        if (len(planes) > 1 and normal @ np.subtract(planes[-1].position_mm, first.position_mm) < 0) or (
            len(planes) == 1 and normal[2] > 0
        ):
            normal = -normal
        heights = np.array([normal @ np.array(plane.position_mm) for plane in planes])
        kept = [
            place
            for place, index in enumerate(group)
            if _size(stack, index) == size and (place == 0 or heights[place] > heights[:place].max() + 1e-3)
        ]
        thickness = float(np.median([planes[place].thickness_mm for place in kept]))
        step = float(np.median(np.diff(heights[kept]))) if len(kept) > 1 else thickness or 1.0
        return cls(
            indices=tuple(group[place] for place in kept),
            heights=heights[kept],
            positions=np.array([planes[place].position_mm for place in kept]),
            normal=normal,
            along=np.array([first.column_direction, first.row_direction]),
            spacing=np.array(first.spacing_mm),
            shape=(first.rows, first.columns) if size == (first.rows, first.columns) else size,
            half_mm=max(step, min(thickness, 2 * step)) / 2,
        )

    def __len__(self) -> int:
        return len(self.indices)

    def of_points(self, points: Array) -> Array:
        """Slice (place in ``indices``), row and column ``(…, 3)`` of points ``(…, 3)`` mm LPS.

        The slice is NaN outside of what was scanned and in gaps.
        """
        height = points @ self.normal
        places = np.arange(len(self), dtype=float)
        index = np.interp(height, self.heights, places)
        origin = np.stack([np.interp(index, places, self.positions[:, axis]) for axis in range(3)], -1)
        outside = (height < self.heights[0] - self.half_mm) | (height > self.heights[-1] + self.half_mm)
        if len(self) > 1:
            wide = np.diff(self.heights) > GAP_MM
            between = np.clip(np.floor(index).astype(int), 0, len(self) - 2)
            inside = np.minimum(height - self.heights[between], self.heights[between + 1] - height) > self.half_mm
            outside |= wide[between] & inside
        offset = points - origin
        plane = np.stack([offset @ self.along[0] / self.spacing[0], offset @ self.along[1] / self.spacing[1]], -1)
        return np.concatenate([np.where(outside, np.nan, index)[..., None], plane], -1)

    def to_mm(self, place: int, rows: Array, columns: Array) -> Array:
        """Points ``(rows, columns, 3)`` mm LPS of these rows ``(r,)`` and columns ``(c,)`` of a slice."""
        down = rows[:, None, None] * self.along[0] * self.spacing[0]
        across = columns[None, :, None] * self.along[1] * self.spacing[1]
        return np.asarray(self.positions[place] + down + across)

    def bounds_mm(self) -> tuple[Array, Array]:
        """Lowest and highest x, y, z of all that was scanned."""
        rows, columns = self.shape
        ends = [
            self.to_mm(place, np.array([-0.5, rows - 0.5]), np.array([-0.5, columns - 0.5])).reshape(-1, 3) + beyond
            for place, beyond in ((0, -self.normal * self.half_mm), (len(self) - 1, self.normal * self.half_mm))
        ]
        corners = np.concatenate(ends)
        return corners.min(0), corners.max(0)


def _size(stack: Stack, index: int) -> tuple[int, int]:
    plane = stack.planes[index]
    return plane.rows, plane.columns
