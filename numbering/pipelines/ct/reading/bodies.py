"""The body of a vertebra within its voxels: the thickest part, without arch and processes.

Inside a lumbar body there is room for a ball of 25 mm across; arch and processes hold none of half that size. So what
lies deeper under the surface than half of the deepest voxel is in the body, and the body is what is near to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt, label

from numbering.pipelines.ct.reading.found import Found
from numbering.pipelines.ct.reading.slices import Slices
from numbering.pipelines.ct.reading.working import Working

Array = NDArray[np.float64]

CORE = 0.55
"""How deep the core of a body lies, as a share of its deepest voxel."""
CUT = 0.15
"""A body is cut by the end of the scan where so much of its upper or lower surface ends there."""


@dataclass(frozen=True, eq=False)
class Body:
    """``mask`` of the body in the box of its `Found`; ``centre_mm`` its middle, mm LPS; ``depth_mm`` of every voxel
    under the body's surface, in the same box; ``cut``: the scan ends within it."""

    mask: NDArray[np.bool_]
    depth_mm: NDArray[np.float32]
    centre: Array
    centre_mm: Array
    cut: bool


def body_of(found: Found, working: Working, slices: Slices) -> Body:
    """The body of a vertebra."""
    spacing = working.spacing_mm
    depth = _depth(found.mask)
    deepest = float(depth.max())
    pieces, _ = label(depth >= CORE * deepest)
    core = pieces == pieces[np.unravel_index(int(depth.argmax()), depth.shape)]
    away = distance_transform_edt(~core)
    mask = found.mask & (away <= CORE * deepest)
    centre = np.argwhere(mask).mean(0) + found.corner
    return Body(
        mask=mask,
        depth_mm=np.asarray(_depth(mask) * spacing, np.float32),
        centre=centre,
        centre_mm=working.to_mm(centre),
        cut=_cut(mask, found, working, slices),
    )


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each voxel to the surface, voxels; the box's border is outside."""
    padded = np.pad(mask, 1)
    return np.asarray(distance_transform_edt(padded))[1:-1, 1:-1, 1:-1]


def _cut(mask: NDArray[np.bool_], found: Found, working: Working, slices: Slices) -> bool:
    """Whether nothing was scanned just beyond much of its upper or of its lower surface, or beside it."""
    columns = np.argwhere(mask.any(0))
    upper = mask.argmax(0)[tuple(columns.T)]
    lower = len(mask) - 1 - mask[::-1].argmax(0)[tuple(columns.T)]
    for heights, beyond in ((upper, -1.0), (lower, 1.0)):
        index = np.column_stack([heights + beyond, columns]) + found.corner
        if np.mean(~scanned(index, working, slices)) > CUT:
            return True
    inside = np.argwhere(mask) + found.corner
    around = [inside + np.array(step) for step in ((0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))]
    return any(np.mean(~scanned(index, working, slices)) > CUT / 2 for index in around)


def scanned(index: ArrayLike, working: Working, slices: Slices) -> NDArray[np.bool_]:
    """Whether the series shows these voxels ``(n, 3)``."""
    at = slices.of_points(working.to_mm(np.asarray(index, float)))
    rows, columns = slices.shape
    inside = np.isfinite(at[:, 0])
    inside &= (at[:, 1] >= -0.5) & (at[:, 1] <= rows - 0.5) & (at[:, 2] >= -0.5) & (at[:, 2] <= columns - 0.5)
    return np.asarray(inside)
