"""Places and spreads out of heat maps, in numpy.

A heat map ``(…, rows, columns)`` sums to one. It lies over its canvas cell by cell: the middle of cell ``c`` of ``n``
is at ``(c + 0.5) * length / n - 0.5`` canvas pixels, pixel centres at integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cell_centres(cells: int, length: int) -> Array:
    """Canvas pixels of the cells' middles ``(cells,)`` along an axis of ``length`` pixels."""
    return np.asarray((np.arange(cells) + 0.5) * length / cells - 0.5)


def places(heat: NDArray[np.float32], canvas: tuple[int, int]) -> Array:
    """Means ``(…, 2)`` x, y in canvas pixels of maps over a canvas of these (rows, columns): the DSNT layer."""
    y, x = _axes(heat, canvas)
    return np.stack([heat.sum(-2) @ x, heat.sum(-1) @ y], -1)


def spreads(heat: NDArray[np.float32], canvas: tuple[int, int]) -> Array:
    """Covariances ``(…, 2, 2)`` of x and y in canvas pixels squared."""
    y, x = _axes(heat, canvas)
    mean = places(heat, canvas)
    xx = heat.sum(-2) @ x**2 - mean[..., 0] ** 2
    yy = heat.sum(-1) @ y**2 - mean[..., 1] ** 2
    xy = np.einsum("...rc,r,c->...", heat, y, x) - mean[..., 0] * mean[..., 1]
    return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def _axes(heat: NDArray[np.float32], canvas: tuple[int, int]) -> tuple[Array, Array]:
    rows, columns = heat.shape[-2:]
    return cell_centres(rows, canvas[0]), cell_centres(columns, canvas[1])
