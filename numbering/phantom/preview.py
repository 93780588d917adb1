"""Small pictures of simulated images with their truth drawn on them, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.phantom.truth.film import TrueImage

HEIGHT = 1200
CORNERS, LOWEST, BOX = (90, 200, 255), (255, 170, 60), (110, 110, 160)
Point = tuple[float, float]


def grey(pixels: NDArray[np.generic], low: float | None = None, high: float | None = None) -> NDArray[np.uint8]:
    """``pixels[row, column]`` between two values (percentiles 0.5 and 99.5 where not given) as 8 bits."""
    values = np.asarray(pixels, np.float32)
    ends = np.percentile(values[::4, ::4], [0.5, 99.5])
    first, last = ends[0] if low is None else low, ends[1] if high is None else high
    return np.asarray(np.clip((values - first) / max(last - first, 1e-6), 0, 1) * 255, np.uint8)


class Picture:
    """An image shrunk to at most `HEIGHT` rows, to draw on in the image's own coordinates.

    ``aspect`` is the height of a pixel in widths: a reformatted CT's pixels are not square.
    """

    def __init__(self, values: NDArray[np.uint8], aspect: float = 1.0, height: int = HEIGHT) -> None:
        rows, columns = values.shape
        scale = min(1.0, height / (rows * aspect))
        self._scale = np.array([scale, scale * aspect])
        size = max(1, round(columns * scale)), max(1, round(rows * aspect * scale))
        self.image = Image.fromarray(values).resize(size, Image.Resampling.BILINEAR).convert("RGB")
        self._draw = ImageDraw.Draw(self.image)

    def at(self, points: Iterable[Point]) -> list[Point]:
        """Image points (pixel centres at integers) in the picture."""
        return [(float(x), float(y)) for x, y in (np.array(list(points), float).reshape(-1, 2) + 0.5) * self._scale]

    def outline(self, points: Sequence[Point], colour: tuple[int, int, int] = CORNERS) -> None:
        """A closed line."""
        self._draw.polygon(self.at(points), outline=colour)

    def line(self, points: Sequence[Point], colour: tuple[int, int, int] = CORNERS) -> None:
        """An open line."""
        self._draw.line(self.at(points), fill=colour)

    def dot(self, point: Point, colour: tuple[int, int, int] = CORNERS) -> None:
        """A small ring."""
        ((x, y),) = self.at([point])
        self._draw.ellipse([x - 3, y - 3, x + 3, y + 3], outline=colour)

    def word(self, point: Point, text: str, colour: tuple[int, int, int] = CORNERS, right: float = 0.0) -> None:
        """Text beside a point."""
        ((x, y),) = self.at([point])
        self._draw.text((x + right, y), text, fill=colour)


def film(pixels: NDArray[np.generic], image: TrueImage) -> Image.Image:
    """A radiograph (bright means dense) with corners, boxes and names."""
    picture = Picture(grey(pixels))
    for vertebra in image.vertebrae:
        colour = LOWEST if vertebra.lowest_lumbar else CORNERS
        x0, y0, x1, y1 = vertebra.box
        picture.outline([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], BOX)
        picture.outline(vertebra.corners, colour)
        picture.word(vertebra.corners[1], vertebra.level, colour, right=14)
    if image.s1:
        picture.line(image.s1, LOWEST)
    return picture.image
