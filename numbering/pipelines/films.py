"""Stored film to a grey picture, and boxes back again: what the pipelines of radiographs share.

Both training and serving go through this module, so the network never sees in hospital what it did not see in
training. Images are ``[row, column]``; boxes are continuous ``[x0, y0, x1, y1]`` in pixels of the stored image, with
pixel centres at integers (so the whole image is ``[-0.5, -0.5, columns - 0.5, rows - 0.5]``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY_PERCENTILES = (0.5, 99.5)
COLLIMATED_FRACTION = 0.02
"""A border row or column is shutter when its grey range (20th to 80th percentile) is below this share of the film's."""
SAMPLES = 400
"""Percentiles are taken over about this many pixels along each side."""
PADDING_GREY = 114
"""Grey of the letterbox, the value that ultralytics pads with in training."""


@dataclass(frozen=True)
class Letterbox:
    """How a region of the film was laid on the network's canvas.

    ``x_canvas = (x_film + 0.5 - left) * scale + pad_x`` and likewise in y, both measured from outer pixel corners.
    """

    left: float
    top: float
    scale: float
    pad_x: float
    pad_y: float

    def to_film(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes ``(n, 4)`` on the canvas, corner-based, to boxes in stored-image pixels."""
        pad = np.array([self.pad_x, self.pad_y] * 2)
        corner = np.array([self.left, self.top] * 2)
        film: NDArray[np.float64] = (np.asarray(boxes, float).reshape(-1, 4) - pad) / self.scale + corner - 0.5
        return film


def collimated_region(image: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of what lies inside flat shutters; the whole film when none is found.

    A shutter is a run of border rows or columns with hardly any contrast. At most 40 % of either side is cut. Rows are
    judged inside the columns found so far and the other way round, so that shutters on all four sides are found.
    """
    low, high = _grey_range(image)
    flat = COLLIMATED_FRACTION * max(high - low, 1e-6)
    rows, columns = image.shape
    left, top, right, bottom = 0, 0, columns, rows
    for _ in range(2):
        top, bottom = _open_span(image[:, left:right], flat)
        left, right = _open_span(image[top:bottom].T, flat)
    return left, top, right, bottom


def _open_span(lines: NDArray[np.float32], flat: float) -> tuple[int, int]:
    """First and last (exclusive) line whose grey values differ by more than ``flat``."""
    lower, upper = np.percentile(lines[:, :: _step(lines.shape[1])], (20, 80), axis=1)
    spread = upper - lower
    limit = int(0.4 * len(spread))
    first = next((i for i, contrast in enumerate(spread[:limit]) if contrast > flat), limit)
    last = next((i for i, contrast in enumerate(spread[::-1][:limit]) if contrast > flat), limit)
    return first, len(spread) - last


def _step(length: int) -> int:
    """Every how-manieth pixel is enough for a percentile: a few hundred along each side."""
    return max(1, length // SAMPLES)


def _grey_range(image: NDArray[np.float32]) -> tuple[float, float]:
    """`GREY_PERCENTILES` of an even sample of the pixels."""
    rows, columns = image.shape
    low, high = np.percentile(image[:: _step(rows), :: _step(columns)], GREY_PERCENTILES)
    return float(low), float(high)


def window_to_grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey values between `GREY_PERCENTILES` of the region, stretched to 0…255 (uint8)."""
    low, high = _grey_range(image)
    if high <= low:
        return np.zeros(image.shape, np.uint8)
    grey: NDArray[np.uint8] = (np.clip((image - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)
    return grey


def resize(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Antialiased bilinear resize to ``(height, width)``."""
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))


def letterbox(
    grey: NDArray[np.uint8], size: int, stride: int = 32, origin: tuple[float, float] = (0, 0)
) -> tuple[NDArray[np.uint8], Letterbox]:
    """Fit a grey region into the smallest canvas with long side ``size`` and both sides multiples of ``stride``.

    ``origin`` is the region's left and top in the film, so that the returned `Letterbox` leads back to film pixels.
    """
    rows, columns = grey.shape
    scale = size / max(rows, columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    canvas_width, canvas_height = (-(-n // stride) * stride for n in (width, height))
    pad_x, pad_y = (canvas_width - width) // 2, (canvas_height - height) // 2
    canvas = np.full((canvas_height, canvas_width), PADDING_GREY, np.uint8)
    canvas[pad_y : pad_y + height, pad_x : pad_x + width] = resize(grey, width, height)
    return canvas, Letterbox(origin[0], origin[1], scale, pad_x, pad_y)
