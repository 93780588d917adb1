"""Grids of the networks: the working grid that a series is resampled to, and what the direct network gets of it.

Arrays are ``[slice, row, column]``: slices from head to foot, rows to the back, columns to the patient's left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from numbering.pipelines.ct.sizes import Size

Array = NDArray[np.float32]
Direction = Literal["down", "up"]
"""``down``: the vertebrae above are remembered and the next below is wanted (the paper's top-down); ``up``: the
reverse."""
OUTSIDE_HU = -1000.0
"""What lies outside of the series."""


@dataclass(frozen=True)
class DirectGrid:
    """The direct network's volume, HU, and where it lies: working index = ``index * step + first`` ``(3,)``."""

    hu: Array
    step: NDArray[np.float64]
    first: NDArray[np.float64]

    def to_working(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """Indices ``(…, 3)`` of this grid as indices of the working grid."""
        return np.asarray(index * self.step + self.first)

    def from_working(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        """The reverse of `to_working`."""
        return np.asarray((index - self.first) / self.step)


def direct_grid(working: NDArray[np.floating] | NDArray[np.integer], size: Size) -> DirectGrid:
    """What `Networks.direct` gets of a series on the working grid (any dtype, HU).

    Means of ``size.direct_every`` voxels a side (air beyond the last), or the whole volume squeezed as in the paper.
    """
    if size.direct_shape is not None:
        return _squeezed(working, size.direct_shape)
    every = size.direct_every
    slices, rows, columns = (-(-count // every) for count in working.shape)
    found = np.empty((slices, rows, columns), np.float32)
    for index in range(slices):
        slab = np.asarray(working[index * every : (index + 1) * every], np.float32)
        missing = (every - len(slab), rows * every - slab.shape[1], columns * every - slab.shape[2])
        slab = np.pad(slab, [(0, count) for count in missing], constant_values=OUTSIDE_HU)
        found[index] = slab.reshape(every, rows, every, columns, every).mean((0, 2, 4))
    return DirectGrid(found, np.full(3, float(every)), np.full(3, (every - 1) / 2))


def _squeezed(working: NDArray[np.floating] | NDArray[np.integer], shape: tuple[int, int, int]) -> DirectGrid:
    """The whole volume in so many voxels, however large it is; finer volumes are blurred first."""
    step = np.array(working.shape) / np.array(shape)
    first = (step - 1) / 2
    blurred = gaussian_filter(np.asarray(working, np.float32), np.maximum(step - 1, 0) / 2, mode="nearest")
    found = affine_transform(blurred, step, first, shape, order=1, mode="nearest")
    return DirectGrid(found, step, first)


def scaled(hu: Array, limits: tuple[float, float]) -> Array:
    """HU clipped to ``limits`` and brought to 0…1."""
    low, high = limits
    return np.asarray((np.clip(hu, low, high) - np.float32(low)) / np.float32(high - low), np.float32)


def padded(volume: Array, stride: int, value: float) -> Array:
    """The volume with ``value`` behind it up to sides that are multiples of ``stride``."""
    return np.pad(volume, [(0, -count % stride) for count in volume.shape], constant_values=value)


def patch_channels(patch: Array, memory: NDArray[np.bool_], direction: Direction, size: Size) -> Array:
    """What the instance network sees ``(3, slices, rows, columns)``: HU 0…1, memory 0 or 1, direction 1 or -1."""
    way = np.full(patch.shape, 1 if direction == "down" else -1, np.float32)
    return np.stack([scaled(patch, size.instance_hu), memory.astype(np.float32), way])
