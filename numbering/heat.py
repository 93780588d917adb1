"""Heat maps over the image that they belong to: as values of its pixels, and blended into its picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.packed import HeatMap


def over_image(heat: HeatMap, rows: int, columns: int) -> NDArray[np.float32]:
    """``[row, column]`` 0…1 of an image: between the middles of cells linear, and zero outside of the map's box."""
    grid = heat.values().astype(np.float64)
    x0, y0, x1, y1 = heat.box
    across = _weights(np.arange(columns), x0, x1, heat.columns)
    down = _weights(np.arange(rows), y0, y1, heat.rows)
    return np.asarray(down @ grid @ across.T, np.float32)


def _weights(pixels: NDArray[np.int_], first: float, last: float, cells: int) -> NDArray[np.float64]:
    """``(pixels, cells)``: of which cells a pixel is made; of none outside of the box, of the outermost at its edge."""
    at = np.clip((pixels - first) / (last - first) * cells - 0.5, 0, cells - 1)
    low = np.minimum(at.astype(int), max(cells - 2, 0))
    share = at - low
    weights = np.zeros((len(pixels), cells))
    weights[pixels, low] = 1 - share
    weights[pixels, np.minimum(low + 1, cells - 1)] += share
    weights[(pixels < first) | (pixels > last)] = 0
    return weights
