"""Where words stand on an image: names right of their structures, values of angles on the other side of the spine.

Pure geometry in image coordinates; presentation states and pictures place their words alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from numbering.geometry import Box, Point
from numbering.marks import AngleMark, Mark

NAME_HEIGHT = 1 / 60
"""Height of a name's box as a share of the image's longer side: 18 pixels on a screen 1,080 high."""

CHARACTER_WIDTH = 0.62
"""Width of a character in heights of its box, a little more than most fonts take."""

LEAST_SHRINK = 0.6
"""A name is made smaller to fit beside its structure or between others, but not below this share of its size."""

LINE_SPACING = 1.15
"""Distance of two names, one above the other, in heights of their boxes."""


@dataclass(frozen=True)
class Label:
    """Words in a box, the point that they belong to, and the side that they stand at (``LEFT`` or ``RIGHT``)."""

    text: str
    box: Box
    anchor: Point
    justification: str


def labels(marks: Sequence[Mark], angles: Sequence[AngleMark], rows: int, columns: int) -> list[Label]:
    """The labels of what is marked on one image or frame, in the order of marks and angles; no angle hides a name."""
    full = NAME_HEIGHT * max(rows, columns)
    height = _fitting(marks, full)
    placed = [_beside(mark, height, rows, columns) for mark in marks]
    for angle in angles:
        placed.append(_opposite(angle, marks, placed, height, rows, columns))
    return placed


def _fitting(marks: Sequence[Mark], full: float) -> float:
    """Height of a name's box, so that names of neighbours do not overlap."""
    middles = sorted((mark.box[1] + mark.box[3]) / 2 for mark in marks)
    nearest = min((below - above for above, below in pairwise(middles)), default=full * LINE_SPACING)
    return min(full, max(LEAST_SHRINK * full, nearest / LINE_SPACING))


def _beside(mark: Mark, height: float, rows: int, columns: int) -> Label:
    """Right of the structure and level with its middle, so that text begins at it; left where the image ends too soon;
    above (or below) where a structure leaves no room on either side.
    """
    x0, y0, x1, y1 = mark.box
    middle = (y0 + y1) / 2
    width, gap = CHARACTER_WIDTH * height * len(mark.name), 0.5 * height
    right, left = columns - x1 - gap, x0 - gap
    if max(right, left) < LEAST_SHRINK * width:
        start = max(0.0, min(x0, columns - width))
        top = y0 - gap - height if y0 - gap - height >= 0 else y1 + gap
        return Label(mark.name, (start, top, start + width, top + height), ((x0 + x1) / 2, y0), "LEFT")
    room = right if right >= LEAST_SHRINK * width else left
    shrink = min(1.0, room / width)
    width, half = width * shrink, height * shrink / 2
    if room == right:
        return Label(mark.name, (x1 + gap, middle - half, x1 + gap + width, middle + half), (x1, middle), "LEFT")
    return Label(mark.name, (x0 - gap - width, middle - half, x0 - gap, middle + half), (x0, middle), "RIGHT")


def _opposite(
    angle: AngleMark, marks: Sequence[Mark], placed: Sequence[Label], height: float, rows: int, columns: int
) -> Label:
    """Left of everything that is marked, level with the middle of its lines, moved until it hides no other words."""
    points = [point for line in angle.lines for point in line]
    middle = sum(y for _, y in points) / len(points)
    end = min([*(x for x, _ in points), *(mark.box[0] for mark in marks)]) - 0.5 * height
    natural = CHARACTER_WIDTH * height * len(angle.words)
    end = max(end, LEAST_SHRINK * natural)
    shrink = min(1.0, end / natural)
    width, tall = natural * shrink, height * shrink
    taken = [label.box for label in placed]
    top = _free(middle - tall / 2, (end - width, end), tall, taken, rows)
    return Label(angle.words, (end - width, top, end, top + tall), (min(x for x, _ in points), middle), "RIGHT")


def _free(top: float, across: tuple[float, float], tall: float, taken: Sequence[Box], rows: int) -> float:
    """The free place nearest to ``top``; ``top`` itself where the image has none."""
    step = LINE_SPACING * tall
    shifts = [sign * count * step for count in range(int(rows / step) + 1) for sign in (1, -1)]
    fits = (top + shift for shift in shifts if 0 <= top + shift <= rows - tall)
    return next((one for one in fits if not _hides(one, across, tall, taken)), top)


def _hides(top: float, across: tuple[float, float], tall: float, taken: Sequence[Box]) -> bool:
    left, right = across
    return any(left < x1 and x0 < right and top < y1 and y0 < top + tall for x0, y0, x1, y1 in taken)
