"""What is marked on an image: the outline of each structure, and its name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.geometry import Box, Point, corners_of
from numbering.result import NumberingResult, Status


@dataclass(frozen=True)
class Mark:
    """What is drawn for one structure: its outline in image coordinates, and its name."""

    frame: int | None
    box: Box
    outline: tuple[Point, ...]
    name: str


def marks_on(result: NumberingResult, sop_instance_uid: str) -> list[Mark]:
    """The vertebrae on this image, or the candidates of an abstention."""
    findings = result.findings
    if findings.status is Status.ABSTAINED:
        return [
            Mark(found.frame, found.box, corners_of(found.box), f"not numbered {found.score:.2f}")
            for found in findings.candidates
            if found.sop_instance_uid == sop_instance_uid
        ]
    presumed = " presumed" if findings.basis is not None and findings.basis.assumptions else ""
    return [
        Mark(
            found.frame,
            found.box,
            found.corners or corners_of(found.box),
            _words(found.level, presumed, found.probability),
        )
        for found in findings.vertebrae
        if found.sop_instance_uid == sop_instance_uid
    ]


def _words(level: str, presumed: str, probability: float) -> str:
    # Rounded down: 0.996 must not be read as certainty
    return f"{level}{presumed} {np.floor(probability * 100) / 100:.2f}"
