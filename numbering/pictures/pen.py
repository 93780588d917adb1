"""Lines and words over a picture, in image coordinates."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import ImageDraw, ImageFont

from numbering.geometry import Point
from numbering.labels import Label
from numbering.result import Findings, Status

GREEN, AMBER, BLUE, WHITE = (60, 230, 90), (255, 176, 0), (110, 190, 255), (255, 255, 255)
Colour = tuple[int, int, int]
LONG_SIDE = 1400
DISCLAIMER = "AI result, not verified. Research use only."


class Pen:
    """Draws at image coordinates on a picture that is ``scale`` times as large."""

    def __init__(self, draw: ImageDraw.ImageDraw, scale: float) -> None:
        self._draw, self._scale = draw, scale

    def line(self, points: Iterable[Point], colour: Colour, *, closed: bool) -> None:
        """A line through the points, back to the first when ``closed``."""
        there = [self._at(point) for point in points]
        self._draw.line([*there, *there[: int(closed)]], fill=colour, width=3)

    def write(self, label: Label, colour: Colour) -> None:
        """The label as tall as its box, at the side that it is justified to."""
        left, top, right, bottom = label.box
        side, anchor = (right, "rm") if label.justification == "RIGHT" else (left, "lm")
        self._write(self._at((side, (top + bottom) / 2)), label.text, colour, anchor, (bottom - top) * self._scale)

    def head(self, text: str, height: float = LONG_SIDE / 60) -> None:
        """Words at the upper left, so many pixels of the picture high."""
        self._write((10.0, 10.0), text, WHITE, "la", height)

    def name(self, at: Point, text: str, colour: Colour, height: float) -> None:
        """Words with their middle at an image point, so many pixels of the picture high."""
        self._write(self._at(at), text, colour, "mm", height)

    def _at(self, point: Point) -> Point:
        x, y = point
        return (x + 0.5) * self._scale, (y + 0.5) * self._scale

    def _write(self, at: Point, text: str, colour: Colour, anchor: str, height: float) -> None:
        font = ImageFont.load_default(size=max(8.0, height))
        self._draw.text(at, text, fill=colour, font=font, anchor=anchor, stroke_width=2, stroke_fill="black")


def headline(findings: Findings) -> str:
    """What stands over every picture: why nothing is numbered, and what the picture is worth."""
    if findings.status is Status.ABSTAINED and findings.reason:
        return f"Abstained: {findings.reason.code}. {DISCLAIMER}"
    return DISCLAIMER
