"""Film to network canvases, and points back again.

Training and serving go through this module. Films are ``[row, column]``; points are x, y in pixels of the stored image,
pixel centres at integers. Canvases are grey float32 0…1, bright means dense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from numbering.pipelines.films import collimated_region, window_to_grey
from numbering.pipelines.sagittal_xray.sizes import STRIDE, Size

Points = NDArray[np.float64]

TALLEST = 3.0
"""A film is at most this many times as tall as it is wide on its canvas, or the other way round."""
SMALLEST_CROP = 8.0
"""Film pixels of a crop's side, however small the body that was found."""


@dataclass(frozen=True)
class Placement:
    """How a region of the film was laid on a canvas.

    ``x_canvas + 0.5 = (x_film + 0.5 - left) * scale_x``, likewise in y; ``rows`` and ``columns`` are the canvas'.
    """

    left: float
    top: float
    scale_x: float
    scale_y: float
    rows: int
    columns: int

    def to_film(self, points: Points) -> Points:
        """Points ``(…, 2)`` on the canvas, on the film."""
        return np.asarray((np.asarray(points, float) + 0.5) / self._scale + [self.left, self.top] - 0.5)

    def to_canvas(self, points: Points) -> Points:
        """Points ``(…, 2)`` of the film, on the canvas."""
        return np.asarray((np.asarray(points, float) + 0.5 - [self.left, self.top]) * self._scale - 0.5)

    @property
    def _scale(self) -> Points:
        return np.array([self.scale_x, self.scale_y])


def canvas_shape(rows: float, columns: float, size: Size) -> tuple[int, int]:
    """Rows and columns of step I's canvas for a region of this shape: a square, or the region's shape with as many
    pixels, both sides multiples of `STRIDE`."""
    if size.square:
        return size.pixels, size.pixels
    shape = (float(np.clip(rows / columns, 1 / TALLEST, TALLEST))) ** 0.5
    tall, wide = (max(1, round(size.pixels * side / STRIDE)) * STRIDE for side in (shape, 1 / shape))
    return tall, wide


def whole(film: NDArray[np.float32], size: Size) -> tuple[NDArray[np.float32], Placement]:
    """The film without its shutters on step I's canvas ``(rows, columns)``, windowed to 0…1."""
    left, top, right, bottom = collimated_region(film)
    rows, columns = canvas_shape(bottom - top, right - left, size)
    return laid(film, (left, top, right, bottom), rows, columns)


def crop(film: NDArray[np.float32], corners: Points, size: Size) -> tuple[NDArray[np.float32], Placement]:
    """Step II's square crop ``(size.crop, size.crop)`` around a body, windowed to 0…1 by what is in it.

    Its corners ``(4, 2)``, or the two of S1's upper endplate, were found on the film. What lies off the film is black.
    """
    left, top, side = crop_square(corners, size)
    return laid(film, (left, top, left + side, top + side), size.crop, size.crop)


def crop_square(corners: Points, size: Size) -> tuple[float, float, float]:
    """Left, top and side of the crop, film pixels from outer pixel corners."""
    points = np.asarray(corners, float) + 0.5
    middle = (points.min(0) + points.max(0)) / 2
    side = max(SMALLEST_CROP, float(np.ptp(points, axis=0).max()) * size.enlarged)
    left, top = middle - side / 2
    return float(left), float(top), side


def laid(
    film: NDArray[np.float32], region: tuple[float, float, float, float], rows: int, columns: int
) -> tuple[NDArray[np.float32], Placement]:
    """A region (left, top, right, bottom; it may reach over the film's edge) on a canvas, windowed."""
    left, top, right, bottom = region
    placed = Placement(left, top, columns / (right - left), rows / (bottom - top), rows, columns)
    inside = _inside(film, region)
    grey = window_to_grey(inside) if inside.size else np.zeros((1, 1), np.uint8)
    x, y = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    box = (left - x, top - y, right - x, bottom - y)
    if min(box) >= 0 and box[2] <= grey.shape[1] and box[3] <= grey.shape[0]:
        resized = Image.fromarray(grey).resize((columns, rows), Image.Resampling.BILINEAR, box=box)
        return np.asarray(resized, np.float32) / np.float32(255), placed
    return _over_the_edge(grey, box, rows, columns), placed


def _inside(film: NDArray[np.float32], region: tuple[float, float, float, float]) -> NDArray[np.float32]:
    left, top, right, bottom = region
    rows, columns = film.shape
    return film[
        max(0, int(np.floor(top))) : min(rows, int(np.ceil(bottom))),
        max(0, int(np.floor(left))) : min(columns, int(np.ceil(right))),
    ]


def _over_the_edge(
    grey: NDArray[np.uint8], box: tuple[float, float, float, float], rows: int, columns: int
) -> NDArray[np.float32]:
    """The same with black where the box leaves the picture."""
    left, top, right, bottom = box
    before = (max(0, int(np.ceil(-top))), max(0, int(np.ceil(-left))))
    after = (max(0, int(np.ceil(bottom)) - grey.shape[0]), max(0, int(np.ceil(right)) - grey.shape[1]))
    padded = Image.fromarray(np.pad(grey, ((before[0], after[0]), (before[1], after[1]))))
    shifted = (left + before[1], top + before[0], right + before[1], bottom + before[0])
    resized = padded.resize((columns, rows), Image.Resampling.BILINEAR, box=shifted)
    return np.asarray(resized, np.float32) / np.float32(255)
