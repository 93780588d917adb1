"""Where words stand on an image: names on one side of their structures, values of angles on the other.

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

OF_THE_IMAGE = 2.0
"""Height of a name of the whole image, in heights of other names, and how far it stands below the image's upper edge,
where viewers write the directions of the patient."""

LEAST_SHRINK = 0.6
"""A name is made smaller to fit beside its structure or between others, but not below this share of its size."""

GAP = 0.5
"""Distance of a name from its structure, in heights of its box."""

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
    boxes = [mark.box for mark in marks if mark.box is not None]
    height = _fitting(boxes, full)
    side = _side([(mark.box, mark.name) for mark in marks if mark.box is not None], height, columns)
    placed = [
        _beside(mark.box, mark.name, side, height, columns) if mark.box else _above_all(mark.name, full, columns)
        for mark in marks
    ]
    for angle in angles:
        placed.append(_opposite(angle, boxes, placed, height, rows, columns))
    return placed


def _above_all(name: str, full: float, columns: int) -> Label:
    """In the middle of the image's upper edge."""
    height = OF_THE_IMAGE * full
    width = min(_width(name, height), float(columns))
    height = min(height, width / (CHARACTER_WIDTH * len(name)))
    left = (columns - width) / 2
    return Label(name, (left, height, left + width, 2 * height), (columns / 2, 0.0), "LEFT")


def _fitting(boxes: Sequence[Box], full: float) -> float:
    """Height of a name's box, so that names of neighbours do not overlap."""
    middles = sorted((box[1] + box[3]) / 2 for box in boxes)
    nearest = min((below - above for above, below in pairwise(middles)), default=full * LINE_SPACING)
    return min(full, max(LEAST_SHRINK * full, nearest / LINE_SPACING))


def _side(named: Sequence[tuple[Box, str]], height: float, columns: int) -> str | None:
    """The side where all names fit: right if they do, else left; None when each has to look for itself."""
    for least in (1.0, LEAST_SHRINK):
        for side in ("LEFT", "RIGHT"):  # text right of a structure is justified to the left
            if all(_room(box, side, height, columns) >= least * _width(name, height) for box, name in named):
                return side
    return None


def _room(box: Box, side: str, height: float, columns: int) -> float:
    return (columns - box[2] if side == "LEFT" else box[0]) - GAP * height


def _width(words: str, height: float) -> float:
    return CHARACTER_WIDTH * height * len(words)


def _beside(box: Box, name: str, side: str | None, height: float, columns: int) -> Label:
    """Level with the structure's middle, on the side where all names stand, else where there is more room; above (or
    below) where a structure leaves no room on either side."""
    x0, y0, x1, y1 = box
    middle, gap, width = (y0 + y1) / 2, GAP * height, _width(name, height)
    side = side or max(("LEFT", "RIGHT"), key=lambda one: _room(box, one, height, columns))
    room = _room(box, side, height, columns)
    if room < LEAST_SHRINK * width:
        start = max(0.0, min(x0, columns - width))
        top = y0 - gap - height if y0 - gap - height >= 0 else y1 + gap
        return Label(name, (start, top, start + width, top + height), ((x0 + x1) / 2, y0), "LEFT")
    shrink = min(1.0, room / width)
    width, half = width * shrink, height * shrink / 2
    if side == "LEFT":
        return Label(name, (x1 + gap, middle - half, x1 + gap + width, middle + half), (x1, middle), side)
    return Label(name, (x0 - gap - width, middle - half, x0 - gap, middle + half), (x0, middle), side)


def _opposite(
    angle: AngleMark, boxes: Sequence[Box], placed: Sequence[Label], height: float, rows: int, columns: int
) -> Label:
    """Level with the middle of its lines, on the side where no names stand if that has room, else beyond the names;
    moved until it hides no other words."""
    points = [point for line in angle.lines for point in line]
    middle = sum(y for _, y in points) / len(points)
    natural, gap = _width(angle.words, height), GAP * height
    first = min([*(x for x, _ in points), *(box[0] for box in boxes)]) - gap
    last = max([*(x for x, _ in points), *(box[2] for box in boxes)]) + gap
    free = {"RIGHT": first, "LEFT": columns - last}
    names = placed[0].justification if boxes else "LEFT"
    side = "RIGHT" if names == "LEFT" else "LEFT"
    if free[side] < LEAST_SHRINK * natural:
        side = max(free, key=lambda one: free[one])
    shrink = min(1.0, max(free[side] / natural, LEAST_SHRINK))
    width, tall = natural * shrink, height * shrink
    start = max(0.0, min(first - width if side == "RIGHT" else last, columns - width))
    taken = [label.box for label in placed]
    if side == names:
        start = _beyond(start, width, side, taken[: len(boxes)], columns)
    top = _free(middle - tall / 2, (start, start + width), tall, taken, rows)
    anchor = ((min if side == "RIGHT" else max)(x for x, _ in points), middle)
    return Label(angle.words, (start, top, start + width, top + tall), anchor, side)


def _beyond(start: float, width: float, side: str, names: Sequence[Box], columns: int) -> float:
    """``start`` moved away from the spine, past the names, as far as the image reaches."""
    if not names:
        return start
    if side == "RIGHT":
        return max(0.0, min(box[0] for box in names) - width)
    return min(columns - width, max(box[2] for box in names))


def _free(top: float, across: tuple[float, float], tall: float, taken: Sequence[Box], rows: int) -> float:
    """The free place nearest to ``top``; ``top`` itself where the image has none."""
    step = LINE_SPACING * tall
    shifts = [sign * count * step for count in range(int(rows / step) + 1) for sign in (1, -1)]
    fits = (top + shift for shift in shifts if 0 <= top + shift <= rows - tall)
    return next((one for one in fits if not _hides(one, across, tall, taken)), top)


def _hides(top: float, across: tuple[float, float], tall: float, taken: Sequence[Box]) -> bool:
    left, right = across
    return any(left < x1 and x0 < right and top < y1 and y0 < top + tall for x0, y0, x1, y1 in taken)
