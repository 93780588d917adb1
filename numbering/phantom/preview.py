"""Small pictures of simulated images with their truth drawn on them, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.truth.mr import TrueMr

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


def ct(hu: NDArray[np.int16], truth: TrueCt) -> Image.Image:
    """A sagittal and a coronal section that follow the spine, bodies' middles and names on them."""
    affine = np.array(truth.affine)
    inverse, spacing = np.linalg.inv(affine[:3, :3]), np.linalg.norm(affine[:3, :3], axis=0)
    at = (np.array([one.centre_mm for one in truth.vertebrae]) - affine[:3, 3]) @ inverse.T
    order = np.argsort(at[:, 0])
    slices = np.arange(hu.shape[0])
    row, column = (np.interp(slices, at[order, 0], at[order, axis]) for axis in (1, 2))
    across = np.clip(np.rint(column), 0, hu.shape[2] - 1).astype(int)
    along = np.clip(np.rint(row), 0, hu.shape[1] - 1).astype(int)
    sections = ((hu[slices, :, across], 1), (hu[slices, along, :], 2))
    upright = affine[2, 0] > 0  # the first slice is the lowest
    pictures = []
    for section, axis in sections:
        picture = Picture(grey(section[::-1] if upright else section, -400, 1100), spacing[0] / spacing[axis], 700)
        for vertebra, index in zip(truth.vertebrae, at, strict=True):
            if -0.5 <= index[0] <= hu.shape[0] - 0.5:
                place = (index[axis], hu.shape[0] - 1 - index[0] if upright else index[0])
                picture.dot(place, CORNERS)
                picture.word(place, vertebra.level, CORNERS, right=6)
        pictures.append(picture.image)
    return beside(pictures)


def mr(pixels: Sequence[NDArray[np.uint16]], truth: TrueMr) -> Image.Image:
    """Sagittal: the slice that holds most middles, with corners; axial: every third slice with its disc's name."""
    if truth.plane == "sagittal":
        held = [one.slice for one in truth.vertebrae if one.slice is not None and one.in_view]
        middle = max(set(held), key=held.count) if held else len(pixels) // 2
        picture = Picture(grey(pixels[middle]), height=700)
        for vertebra in truth.vertebrae:
            if vertebra.corners is not None:
                picture.outline(vertebra.corners)
                picture.word(vertebra.corners[1], vertebra.level, right=6)
        return picture.image
    pictures = []
    for one, slice_ in list(zip(pixels, truth.slices, strict=True))[::3]:
        picture = Picture(grey(one), height=200)
        picture.word((2, 2), slice_.disc or slice_.vertebra or "", LOWEST if slice_.disc else CORNERS)
        pictures.append(picture.image)
    return sheet(pictures, 6)


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in one row, their tops level."""
    whole = Image.new("RGB", (sum(one.width for one in pictures), max(one.height for one in pictures)))
    left = 0
    for one in pictures:
        whole.paste(one, (left, 0))
        left += one.width
    return whole


def sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures in rows of so many, each in a cell of the largest one's size."""
    width, height = max(one.width for one in pictures), max(one.height for one in pictures)
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (width * min(columns, len(pictures)), height * rows))
    for number, one in enumerate(pictures):
        whole.paste(one, (number % columns * width, number // columns * height))
    return whole
