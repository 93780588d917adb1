"""Pictures of results for people who would rather look than read: a film with what was found drawn over it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from numbering.geometry import Point
from numbering.labels import Label, labels
from numbering.marks import angles_on, marks_on
from numbering.pipelines.films import window_to_grey
from numbering.result import Findings, Status
from numbering.study import Radiograph

GREEN, AMBER, BLUE, WHITE = (60, 230, 90), (255, 176, 0), (110, 190, 255), (255, 255, 255)
Colour = tuple[int, int, int]
LONG_SIDE = 1400
DISCLAIMER = "AI result, not verified. Research use only."


def draw_film(film: Radiograph, findings: Findings, path: Path) -> Path:
    """Write a PNG of the film: numbered vertebrae green, angles blue, candidates amber, the status in words."""
    grey = window_to_grey(film.pixels)
    rows, columns = grey.shape
    scale = LONG_SIDE / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    picture = Image.fromarray(grey).convert("RGB").resize(size, Image.Resampling.LANCZOS)
    pen = Pen(ImageDraw.Draw(picture), scale)
    marks = [mark for mark in marks_on(findings, film.sop_instance_uid) if mark.frame == film.frame]
    angles = [angle for angle in angles_on(findings, film.sop_instance_uid) if angle.frame == film.frame]
    words = labels(marks, angles, rows, columns)
    colour = AMBER if findings.status is Status.ABSTAINED else GREEN
    for mark, name in zip(marks, words, strict=False):
        if mark.outline:
            pen.line(mark.outline, colour, closed=mark.closed)
        pen.write(name, colour)
    for angle, value in zip(angles, words[len(marks) :], strict=True):
        for line in angle.lines:
            pen.line(line, BLUE, closed=False)
        pen.write(value, BLUE)
    pen.head(_headline(findings))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


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

    def head(self, text: str) -> None:
        """Words at the upper left."""
        self._write((10.0, 10.0), text, WHITE, "la", LONG_SIDE / 60)

    def _at(self, point: Point) -> Point:
        x, y = point
        return (x + 0.5) * self._scale, (y + 0.5) * self._scale

    def _write(self, at: Point, text: str, colour: Colour, anchor: str, height: float) -> None:
        font = ImageFont.load_default(size=max(8.0, height))
        self._draw.text(at, text, fill=colour, font=font, anchor=anchor, stroke_width=2, stroke_fill="black")


def _headline(findings: Findings) -> str:
    if findings.status is Status.ABSTAINED and findings.reason:
        return f"Abstained: {findings.reason.code}. {DISCLAIMER}"
    return DISCLAIMER
