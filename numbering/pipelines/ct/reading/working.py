"""The working volume: a series on the networks' grid, made once, slice by slice.

Every slice that is read is averaged to about the grid's spacing at once and let go, so memory never holds the series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.ndimage import shift as moved

from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU
from numbering.pipelines.ct.reading.slices import GAP_MM, Slices
from numbering.stack import Stack

Array = NDArray[np.float64]
Index = NDArray[np.intp]

HU_RANGE = (-1024, 3071)
"""Whatever marks the outside of the scanner's field lies below; metal may lie above."""
READ_PER_PLANE = 2
"""Of slices finer than the grid, so many for each of its planes are decoded."""
MOST_OFF = 0.25
"""A plane further than so many pixels from its place in a regular stack is moved there."""
_FOOTWARDS = np.array([-1.0, 1.0, 1.0])
"""Slices count to the feet (-z), rows to the back (+y), columns to the left (+x)."""


@dataclass(frozen=True, eq=False)
class Working:
    """``hu`` int16 ``[slice, row, column]``: slices from head to foot, rows to the back, columns to the patient's left.

    ``first_mm`` is the centre of voxel (0, 0, 0), mm LPS. Outside of what was scanned it holds `OUTSIDE_HU`.
    """

    hu: NDArray[np.int16]
    first_mm: Array
    spacing_mm: float

    def to_mm(self, index: Array) -> Array:
        """mm LPS ``(…, 3)`` of indices ``(…, 3)``: slice, row, column."""
        return np.asarray(self.first_mm + (np.asarray(index, float) * _FOOTWARDS * self.spacing_mm)[..., ::-1])

    def to_index(self, mm: Array) -> Array:
        """Slice, row, column ``(…, 3)`` of points ``(…, 3)`` mm LPS."""
        return np.asarray((np.asarray(mm, float) - self.first_mm)[..., ::-1] * _FOOTWARDS / self.spacing_mm)

    def patch(self, corner: Index, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """HU float32 from ``corner`` on; what lies outside of the volume is `OUTSIDE_HU`."""
        return np.asarray(cut(self.hu, corner, shape, OUTSIDE_HU), np.float32)


def cut(volume: NDArray[np.generic], corner: Index, shape: tuple[int, ...], outside: float) -> NDArray[np.generic]:
    """A copy of ``shape`` from ``corner`` on, which may lie beyond the volume, with ``outside`` there."""
    found = np.full(shape, outside, volume.dtype)
    inner, outer = overlap(volume.shape, corner, shape)
    found[outer] = volume[inner]
    return found


def overlap(
    volume: tuple[int, ...], corner: Index, shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part of a volume that a box of ``shape`` at ``corner`` covers: its slices in the volume, and in the box."""
    low = np.clip(corner, 0, volume)
    high = np.maximum(low, np.clip(np.asarray(corner) + shape, 0, volume))
    inner = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    outer = tuple(slice(int(a - c), int(b - c)) for a, b, c in zip(low, high, corner, strict=True))
    return inner, outer


def working_volume(stack: Stack, spacing_mm: float, slices: Slices | None = None) -> Working:
    """A series on a grid of this spacing along the patient's axes, whatever its own geometry."""
    slices = slices or Slices.of(stack)
    low, high = slices.bounds_mm()
    count = np.maximum(1, np.ceil((high - low) / spacing_mm - 0.5).astype(int))[::-1]
    first = (low + high) / 2 + (count[::-1] - 1) / 2 * spacing_mm * np.array([-1, -1, 1])
    working = Working(np.zeros((1, 1, 1), np.int16), first, spacing_mm)
    coarse = _coarse(stack, slices, spacing_mm)
    # Both are regular lattices: an index of the one is an affine function of the index of the other.
    origin = coarse.index(working.to_mm(np.zeros(3)))
    matrix = np.stack([coarse.index(working.to_mm(step)) - origin for step in np.eye(3)], 1)
    matrix[np.abs(matrix) < 1e-6] = 0.0
    straight = not (matrix - np.diag(np.diag(matrix))).any()
    hu = affine_transform(
        coarse.hu,
        np.diag(matrix) if straight else matrix,
        origin,
        tuple(int(n) for n in count),
        np.int16,
        order=1,
        mode="constant",
        cval=OUTSIDE_HU,
        prefilter=False,
    )
    return replace(working, hu=hu)


@dataclass(frozen=True, eq=False)
class _Coarse:
    """A regular lattice along the slices: point = ``first_mm`` + index @ ``steps`` ``(3, 3)``, one border voxel all
    around that repeats the outermost."""

    hu: NDArray[np.int16]
    first_mm: Array
    steps: Array

    def index(self, mm: Array) -> Array:
        return np.asarray((mm - self.first_mm) @ np.linalg.inv(self.steps)) + 1


def _coarse(stack: Stack, slices: Slices, spacing_mm: float) -> _Coarse:
    """The series averaged to just below the spacing, its slices spread evenly."""
    every = np.maximum(1, (spacing_mm / slices.spacing + 1e-6).astype(int))
    step = float(np.median(np.diff(slices.heights))) if len(slices) > 1 else spacing_mm
    groups = _together(slices.heights, max(1, int(spacing_mm / step + 1e-6)), spacing_mm)
    heights, positions = np.empty(len(groups)), np.empty((len(groups), 3))
    found: list[NDArray[np.int16]] = []
    for number, group in enumerate(groups):
        read = group if len(group) <= READ_PER_PLANE else [group[len(group) // 4], group[-1 - len(group) // 4]]
        mean = np.mean([_block_mean(stack.pixels(slices.indices[place]), every) for place in read], axis=0)
        found.append(np.rint(mean).astype(np.int16))
        heights[number], positions[number] = slices.heights[read].mean(), slices.positions[read].mean(0)
    rise = max(step, float(np.median(np.diff(heights)))) if len(groups) > 1 else step
    count = max(1, round(float(heights[-1] - heights[0]) / rise) + 1)
    rise = float(heights[-1] - heights[0]) / (count - 1) if count > 1 else rise
    lean = (positions[-1] - positions[0]) / (heights[-1] - heights[0]) if len(groups) > 1 else slices.normal
    across = (slices.spacing * every)[:, None] * slices.along
    _straighten(found, positions - positions[0] - (heights - heights[0])[:, None] * lean, across)
    hu = np.empty((count + 2, found[0].shape[0] + 2, found[0].shape[1] + 2), np.int16)
    for place in range(count):
        hu[place + 1, 1:-1, 1:-1] = _between(heights, found, heights[0] + place * rise)
    hu[0], hu[-1] = hu[1], hu[-2]
    hu[:, 0], hu[:, -1] = hu[:, 1], hu[:, -2]
    hu[:, :, 0], hu[:, :, -1] = hu[:, :, 1], hu[:, :, -2]
    first = positions[0] + ((every - 1) / 2 * slices.spacing) @ slices.along
    return _Coarse(hu, first, np.stack([lean * rise, *across]))


def _straighten(found: list[NDArray[np.int16]], off_mm: Array, across: Array) -> None:
    """Moves planes that do not lie where the stack's direction lets expect: a table that was moved, another centre."""
    pixels = off_mm @ across.T / (across**2).sum(1)
    for number in np.flatnonzero(np.abs(pixels).max(1) > MOST_OFF):
        found[number] = moved(found[number], pixels[number], order=1, mode="constant", cval=OUTSIDE_HU)


def _between(heights: Array, found: list[NDArray[np.int16]], height: float) -> NDArray[np.int16]:
    """The plane at this height; `OUTSIDE_HU` in a gap."""
    index = float(np.interp(height, heights, np.arange(len(heights))))
    low = min(int(index), max(len(heights) - 2, 0))
    high = min(low + 1, len(heights) - 1)
    share = index - low
    if heights[high] - heights[low] > GAP_MM and 0.2 < share < 0.8:
        return np.full(found[0].shape, OUTSIDE_HU, np.int16)
    mixed = (1 - share) * found[low] + share * found[high]
    return np.asarray(np.rint(mixed), np.int16)


def _together(heights: Array, most: int, spacing_mm: float) -> list[list[int]]:
    """Places of neighbouring slices that make one plane: at most so many, none across a gap."""
    groups: list[list[int]] = [[0]]
    for place in range(1, len(heights)):
        group = groups[-1]
        if len(group) < most and heights[place] - heights[group[0]] < spacing_mm:
            group.append(place)
        else:
            groups.append([place])
    return groups


def _block_mean(pixels: NDArray[np.float32], every: NDArray[np.intp]) -> NDArray[np.float32]:
    """Means of so many rows and columns; adding shifted views takes a tenth of the time of a mean over axes."""
    down, across = (int(n) for n in every)
    rows, columns = pixels.shape[0] // down * down, pixels.shape[1] // across * across
    kept = np.clip(pixels[:rows, :columns], *HU_RANGE)
    total = np.zeros((rows // down, columns // across), np.float32)
    for row in range(down):
        for column in range(across):
            total += kept[row::down, column::across]
    return np.asarray(total / (down * across), np.float32)
