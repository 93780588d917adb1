"""What is drawn over an image for people: outline and name of each structure, endplate lines and value of each angle.

Points are image coordinates (CONVENTIONS); presentation states and pictures draw the same marks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numbering.geometry import Box, Point, corners_of
from numbering.result import Findings, Line, Measurement, NumberedDisc, Status, Vertebra

DRAWN = {"lumbar-lordosis": "lordosis", "sacral-slope": "sacral slope"}
"""Measurements whose lines are drawn, by the beginning of their name, and what they are called beside the spine. The
others would hide the image; they are in the report."""

OVERHANG = 0.4
"""How far the line through an endplate is drawn beyond its ends, as a share of its length: within an outline nobody
would see it."""


@dataclass(frozen=True)
class Mark:
    """What is drawn for one structure: its outline, and its name. An endplate's outline is not ``closed``.

    Without a ``box`` (and outline) the name is that of the whole image.
    """

    frame: int | None
    box: Box | None
    outline: tuple[Point, ...]
    name: str
    closed: bool = True


@dataclass(frozen=True)
class AngleMark:
    """What is drawn for one angle: the lines through what it was taken from, and its value in words."""

    frame: int | None
    lines: tuple[Line, ...]
    words: str


def marks_on(findings: Findings, sop_instance_uid: str) -> list[Mark]:
    """The vertebrae on this image, or the discs where it has none, or the candidates of an abstention."""
    if findings.status is Status.ABSTAINED:
        return [
            Mark(found.frame, found.box, corners_of(found.box), f"not numbered {found.score:.2f}")
            for found in findings.candidates
            if found.sop_instance_uid == sop_instance_uid
        ]
    vertebrae = [
        Mark(
            found.frame,
            found.box,
            found.endplate or found.corners or corners_of(found.box),
            name_of(found, findings),
            closed=found.endplate is None,
        )
        for found in findings.vertebrae
        if found.sop_instance_uid == sop_instance_uid
    ]
    return vertebrae or [
        Mark(found.frame, found.box, corners_of(found.box) if found.box else (), name_of(found, findings))
        for found in findings.discs
        if found.sop_instance_uid == sop_instance_uid
    ]


def angles_on(findings: Findings, sop_instance_uid: str) -> list[AngleMark]:
    """The angles measured on this image whose lines are drawn."""
    return [
        AngleMark(found.frame, tuple(_extended(line) for line in found.lines), words)
        for found in findings.measurements
        if found.sop_instance_uid == sop_instance_uid and found.lines and (words := _words(found))
    ]


def _extended(line: Line) -> Line:
    (x0, y0), (x1, y1) = line
    dx, dy = OVERHANG * (x1 - x0), OVERHANG * (y1 - y0)
    return (x0 - dx, y0 - dy), (x1 + dx, y1 + dy)


def name_of(found: Vertebra | NumberedDisc, findings: Findings) -> str:
    """Its name and probability, and that the count is presumed where it is: ``L4 presumed 0.93``."""
    presumed = " presumed" if findings.basis is not None and findings.basis.assumptions else ""
    # Rounded down: 0.996 must not be read as certainty
    return f"{found.level}{presumed} {math.floor(found.probability * 100) / 100:.2f}"


def _words(measured: Measurement) -> str | None:
    called = next((words for name, words in DRAWN.items() if measured.name.startswith(name)), None)
    if called is None or measured.value is None:
        return None
    # Letters that every character set has: under some presentation states a viewer knows no other
    plus_minus = "" if measured.uncertainty is None else f" +/- {measured.uncertainty:.1f}"
    return f"{'-'.join(measured.levels)} {called} {measured.value:.1f}{plus_minus} {measured.unit}"
