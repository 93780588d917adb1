"""Axial slice to the network's square picture, and places back again. Training and serving go through this module.

Slices are ``[row, column]`` in any units, of any size, spacing and direction; points are x, y in pixels of the stored
image, pixel centres at integers. The picture always has the patient's right on its left and the back below, shows a
square of so many mm around the middle of the image, and is grey 0…1 between two percentiles of what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Pixels = NDArray[np.float32]
Box = tuple[float, float, float, float]

DARKEST, BRIGHTEST = 0.5, 99.5
"""Percentiles of the part of the slice that is shown: black and white."""
LEFT, BACK = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
"""Along the rows and down the columns of the picture, LPS."""


@dataclass(frozen=True)
class Placement:
    """How a slice was laid on a picture of ``side`` pixels: ``image = origin + matrix @ picture``, both x, y."""

    matrix: tuple[tuple[float, float], tuple[float, float]]
    origin: tuple[float, float]
    side: int

    def to_image(self, points: Array) -> Array:
        """Points ``(…, 2)`` of the picture, on the stored image."""
        return np.asarray(np.asarray(points, float) @ np.array(self.matrix).T + self.origin)

    @property
    def box(self) -> Box:
        """What of the stored image the picture covers; it may reach over the edge."""
        corners = self.to_image(np.array([[-0.5, -0.5], [self.side - 0.5, self.side - 0.5]]))
        (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
        return float(x0), float(y0), float(x1), float(y1)

    def as_stored(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map ``[row, column]`` over the picture, turned as the stored image lies: over `box`."""
        (xx, xy), (yx, yy) = self.matrix
        if abs(xy) > abs(xx):
            grid, xx, yy = grid.T, xy, yx
        return np.ascontiguousarray(grid[:: 1 if yy > 0 else -1, :: 1 if xx > 0 else -1])


def lay(
    pixels: NDArray[np.generic],
    spacing_mm: tuple[float, float],
    side: int,
    field_mm: float,
    row_direction: Sequence[float] = LEFT,
    column_direction: Sequence[float] = BACK,
) -> tuple[Pixels, Placement]:
    """A slice on the picture ``(side, side)``. ``spacing_mm`` is (row, column); the directions are unit vectors of
    growing x and y, LPS. What lies off the slice is black.
    """
    matrix, upright = _upright(np.asarray(pixels, np.float32), spacing_mm, row_direction, column_direction)
    scale = np.abs(matrix).sum(0) * field_mm / side  # stored pixels in one pixel of the picture, along its x and y
    rows, columns = upright.shape
    reach = scale * side / 2
    middle = np.array([columns, rows]) / 2
    picture = _resized(upright, (*(middle - reach), *(middle + reach)), side)
    matrix = matrix / np.abs(matrix).sum(0) * scale
    stored = np.array([pixels.shape[1] - 1, pixels.shape[0] - 1]) / 2
    origin = stored - matrix @ np.full(2, (side - 1) / 2)
    (xx, xy), (yx, yy) = matrix.tolist()
    return picture, Placement(((xx, xy), (yx, yy)), (float(origin[0]), float(origin[1])), side)


def _upright(
    pixels: Pixels, spacing_mm: tuple[float, float], row_direction: Sequence[float], column_direction: Sequence[float]
) -> tuple[Array, Pixels]:
    """The slice turned and mirrored by quarters until its rows run to the left and its columns to the back, and the
    matrix that takes mm along the picture's x and y to stored pixels."""
    (rx, ry), (cx, cy) = row_direction[:2], column_direction[:2]
    turned = abs(rx) + abs(cy) < abs(ry) + abs(cx)
    along_x, along_y = (cx, ry) if turned else (rx, cy)
    signs = np.array([-1.0 if along_x < 0 else 1.0, -1.0 if along_y < 0 else 1.0])
    per_mm = 1 / np.array([spacing_mm[1], spacing_mm[0]])
    if turned:
        pixels, matrix = pixels.T, np.array([[0, signs[1] * per_mm[0]], [signs[0] * per_mm[1], 0]])
    else:
        matrix = np.diag(signs * per_mm)
    return matrix, np.ascontiguousarray(pixels[:: int(signs[1]), :: int(signs[0])])


def _resized(pixels: Pixels, box: Box, side: int) -> Pixels:
    """A box (outer pixel corners; it may reach over the edge) as a picture, windowed by what of it is on the slice."""
    rows, columns = pixels.shape
    left, top, right, bottom = box
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1, y1 = min(columns, int(np.ceil(right))), min(rows, int(np.ceil(bottom)))
    inside = np.nan_to_num(pixels[y0:y1, x0:x1], posinf=0, neginf=0)
    low, high = np.percentile(inside, (DARKEST, BRIGHTEST)) if inside.size else (0.0, 0.0)
    grey = np.clip((inside - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    before = max(0, int(np.ceil(-left))), max(0, int(np.ceil(-top)))
    after = max(0, int(np.ceil(right)) - columns), max(0, int(np.ceil(bottom)) - rows)
    padded = np.pad(grey, ((before[1], after[1]), (before[0], after[0])))
    shift = np.array([before[0] - x0, before[1] - y0] * 2)
    shown = np.clip(np.array(box) + shift, 0, [padded.shape[1], padded.shape[0]] * 2)
    resized = Image.fromarray(padded).resize((side, side), Image.Resampling.BILINEAR, box=tuple(shown.tolist()))
    return np.clip(np.asarray(resized, np.float32), 0, 1)
