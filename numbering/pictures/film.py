"""A film with what was found drawn over it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from numbering.labels import labels
from numbering.marks import angles_on, marks_on
from numbering.pictures.pen import AMBER, BLUE, GREEN, LONG_SIDE, Pen, headline
from numbering.pipelines.films import window_to_grey
from numbering.result import Findings, Status
from numbering.study import Radiograph


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
    pen.head(headline(findings))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path
