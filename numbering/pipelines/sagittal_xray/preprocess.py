"""Film to network canvases, and points back again.

Training and serving go through this module. Films are ``[row, column]``; points are x, y in pixels of the stored image,
pixel centres at integers. Canvases are grey float32 0…1, bright means dense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.sizes import Size

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """How a region of the film was laid on a canvas: ``x_canvas + 0.5 = (x_film + 0.5 - left) * scale_x + pad_x``,
    likewise in y. ``rows`` and ``columns`` are the canvas'."""

    left: float
    top: float
    scale_x: float
    scale_y: float
    pad_x: float
    pad_y: float
    rows: int
    columns: int

    def to_film(self, points: Points) -> Points:
        """Points ``(…, 2)`` on the canvas, on the film."""
        scale, corner = np.array([self.scale_x, self.scale_y]), np.array([self.left, self.top])
        pad = np.array([self.pad_x, self.pad_y])
        return np.asarray((np.asarray(points, float) + 0.5 - pad) / scale + corner - 0.5)

    def to_canvas(self, points: Points) -> Points:
        """Points ``(…, 2)`` of the film, on the canvas."""
        scale, corner = np.array([self.scale_x, self.scale_y]), np.array([self.left, self.top])
        pad = np.array([self.pad_x, self.pad_y])
        return np.asarray((np.asarray(points, float) + 0.5 - corner) * scale + pad - 0.5)


def whole(film: NDArray[np.float32], size: Size) -> tuple[NDArray[np.float32], Placement]:
    """The film without its shutters on step I's canvas ``(rows, columns)``, windowed to 0…1."""
    raise NotImplementedError


def crop(film: NDArray[np.float32], corners: Points, size: Size) -> tuple[NDArray[np.float32], Placement]:
    """Step II's square crop ``(size.crop, size.crop)`` around a body whose corners ``(4, 2)`` or, of S1, ``(2, 2)``
    were found on the film; windowed to 0…1 by what is in it."""
    raise NotImplementedError
