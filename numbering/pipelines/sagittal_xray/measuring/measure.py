"""Measurements of one named film, each with its ±, or with the reason why it is not given.

Names, and what each is taken from: `MEASURED` and the functions below. Angles and slopes are those of the projected
endplates on this film. mm are given only where the film's spacing is calibrated at the patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Disc, Level
from numbering.pipelines.sagittal_xray.measuring import angles
from numbering.pipelines.sagittal_xray.measuring.uncertainty import plus_minus
from numbering.pipelines.sagittal_xray.reading.bodies import Body
from numbering.pipelines.sagittal_xray.reading.read import Reading
from numbering.result import Line, Measurement

Array = NDArray[np.float64]

UPPER, LOWER = (0, 1), (3, 2)
"""Corners of a body's endplates, anterior first."""


@dataclass(frozen=True, eq=False)
class Named:
    """The named bodies of one film, head to foot, and what speaks against some of them."""

    reading: Reading
    bodies: Mapping[Level, Body]
    doubts: Mapping[Level, str]
    lowest: Level
    """The lowest lumbar-type vertebra of this spine, in view or not."""
    plate_deg: float
    """An endplate whose direction is known no better than ± this is not measured."""

    def points(self, level: Level, corners: tuple[int, ...]) -> tuple[Array, Array]:
        """Places and covariances of these corners in units of the film's spacing (pixels where it has none)."""
        rows, columns = self.reading.spacing_mm
        scale = np.array([columns, rows])
        body = self.bodies[level]
        return body.corners[list(corners)] * scale, body.covariance[list(corners)] * scale[:, None] * scale

    def line(self, points: Array) -> Line:
        """Two points in units of the spacing, on the stored film."""
        rows, columns = self.reading.spacing_mm
        first, second = self.reading.to_stored(points / [columns, rows]).tolist()
        return (first[0], first[1]), (second[0], second[1])

    def refusal(self, level: Level, corners: tuple[int, ...]) -> str | None:
        """Why nothing is measured from these corners of a level; None when it may be."""
        if level not in self.bodies:
            return f"{level} is not named on this film"
        if level in self.doubts:
            return f"{level}: {self.doubts[level]}"
        for plate in (UPPER, LOWER):
            if set(plate) <= set(corners):
                places, covariance = self.points(level, plate)
                uncertain = plus_minus(partial(_turned, places), places, covariance)
                if uncertain > self.plate_deg:
                    which = "upper" if plate == UPPER else "lower"
                    return f"{level}: the direction of its {which} endplate is known to ±{uncertain:.0f}° only"
        return None


def _turned(line: Array, points: Array) -> float:
    """Degrees between a line and what became of it."""
    (x, y), (u, v) = line[0] - line[1], points[0] - points[1]
    return float(np.degrees(np.arctan2(x * v - y * u, x * u + y * v)))


def measurements(named: Named) -> tuple[Measurement, ...]:
    """Everything that is measured on a film, in the order in which it is reported."""
    return (
        _between("lumbar-lordosis", named, Level.L1, named.lowest),
        _between("lumbar-lordosis", named, Level.L1, Level.S1),
        _slope(named),
        *_segments(named),
        *_wedges(named),
    )


def _between(name: str, named: Named, upper: Level, lower: Level) -> Measurement:
    """The upper endplate of one against the lower endplate of the other (of the sacrum: its upper one)."""
    plate = UPPER if lower is Level.S1 else LOWER
    parts = ((upper, UPPER), (lower, plate))
    return _measurement(f"{name}-{upper}-{lower}".lower(), named, parts, angles.lordosis, "deg")


def _slope(named: Named) -> Measurement:
    found = _measurement("sacral-slope", named, ((Level.S1, UPPER),), angles.sacral_slope, "deg")
    if found.value is None:
        return found
    points, _ = named.points(Level.S1, UPPER)
    level_with = np.array([[points[0, 0], points[1, 1]], points[1]])
    return found.model_copy(update={"lines": (*found.lines, named.line(level_with))})


def _segments(named: Named) -> Iterator[Measurement]:
    """Of every lumbar motion segment and the one above L1, between neighbours that are both named."""
    for upper, lower in pairwise(named.bodies):
        if lower.region not in "LS" or not _neighbours(upper, lower):
            continue
        disc = ((upper, LOWER), (lower, UPPER))
        name = f"{upper}-{lower}".lower()
        yield _between("segmental-angle", named, upper, lower)
        if named.reading.film.calibrated and named.reading.film.spacing_mm:
            yield _measurement(f"disc-height-{name}", named, disc, angles.disc_height, "mm")
        yield _measurement(f"relative-disc-height-{name}", named, disc, angles.relative_disc_height, "1")
        yield _measurement(f"anterolisthesis-{name}", named, disc, angles.slip, "1")


def _neighbours(upper: Level, lower: Level) -> bool:
    try:
        Disc(upper, lower)
    except ValueError:
        return False
    return True


def _wedges(named: Named) -> Iterator[Measurement]:
    for level in named.bodies:
        if level.region in "TL":
            yield _measurement(f"wedge-ratio-{level}".lower(), named, ((level, (0, 1, 2, 3)),), angles.wedge, "1")


def _measurement(
    name: str,
    named: Named,
    parts: tuple[tuple[Level, tuple[int, ...]], ...],
    value: Callable[[Array], float],
    unit: str,
) -> Measurement:
    """``value`` of these corners of these levels, or why it is not given."""
    film = named.reading.film
    levels = tuple(str(level) for level, _ in parts)
    for level, corners in parts:
        if reason := named.refusal(level, corners):
            return Measurement(
                name=name, levels=levels, value=None, unit=unit, reason=f"not given: {reason}",
                sop_instance_uid=film.sop_instance_uid, frame=film.frame,
            )  # fmt: skip
    found = [named.points(level, corners) for level, corners in parts]
    points, covariance = (np.concatenate([one[side] for one in found]) for side in range(2))
    return Measurement(
        name=name,
        levels=levels,
        value=round(value(points), 3),
        unit=unit,
        uncertainty=round(plus_minus(value, points, covariance), 3),
        sop_instance_uid=film.sop_instance_uid,
        frame=film.frame,
        lines=tuple(named.line(points[index : index + 2]) for index in range(0, len(points), 2)),
    )
