"""Image geometry, pure numpy. Frames and units are stated once, here.

- *Image* coordinates: x right (column), y down (row), pixel centres at integers. Boxes are continuous
  ``[x0, y0, x1, y1]``.
- *Graphic* coordinates (SCOORD and GSPS ``PIXEL``, PS3.3 C.10.5.1.2 and C.18.6): the origin is the outer corner of the
  first pixel, so they are image coordinates + 0.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]
Point = tuple[float, float]

GRAPHIC_OFFSET = 0.5


def corners_of(box: Box) -> tuple[Point, Point, Point, Point]:
    """Upper-left, upper-right, lower-right, lower-left *of the image*."""
    x0, y0, x1, y1 = box
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def to_graphic(points: ArrayLike) -> NDArray[np.float64]:
    """Image points ``(n, 2)`` to graphic points ``(n, 2)``."""
    graphic: NDArray[np.float64] = np.asarray(points, float).reshape(-1, 2) + GRAPHIC_OFFSET
    return graphic


def polyline(points: ArrayLike, rows: int, columns: int) -> NDArray[np.float64]:
    """Graphic points ``(n, 2)``, kept inside the image."""
    graphic: NDArray[np.float64] = np.clip(to_graphic(points), 0, [columns, rows])
    return graphic


def closed_polyline(points: ArrayLike, rows: int, columns: int) -> NDArray[np.float64]:
    """Graphic points ``(n + 1, 2)`` of a closed outline, kept inside the image (2-D SCOORD has no polygon)."""
    graphic = polyline(points, rows, columns)
    return np.concatenate([graphic, graphic[:1]])


def inside(outline: ArrayLike, rows: int, columns: int) -> NDArray[np.bool_]:
    """Mask ``(rows, columns)`` of the pixels whose centres lie within an outline of image points ``(n, 2)``."""
    mask = np.zeros((rows, columns), bool)
    points = np.asarray(outline, float)
    (left, top), (right, bottom) = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    near = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    y, x = np.ogrid[:rows, :columns]
    y, x = y[near[0]], x[:, near[1]]
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 != y1:  # even-odd rule: an edge turns what lies left of it, in the rows that it crosses
            mask[near] ^= ((y >= y0) != (y >= y1)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return mask


def intersection_over_union(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Matrix ``(n, m)`` of the overlap of boxes ``(n, 4)`` with others ``(m, 4)``, 0…1."""
    a, b = (np.asarray(value, float).reshape(-1, 4) for value in (boxes, others))
    upper = np.maximum(a[:, None, :2], b[None, :, :2])
    lower = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(lower - upper, 0, None), axis=2)
    area_a, area_b = (np.prod(value[:, 2:] - value[:, :2], axis=1) for value in (a, b))
    overlap: NDArray[np.float64] = shared / np.maximum(area_a[:, None] + area_b[None, :] - shared, 1e-9)
    return overlap
