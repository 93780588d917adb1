"""A simulated patient on a frontal image: where each vertebra and disc lies. Nothing is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians, sin

from numbering.anatomy import Level
from numbering.phantom.anatomy.patient import Patient

PIXEL_MM = 0.5
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Spine:
    """Corners of the vertebrae C2…S1 in pixels, head up, and their true names; a disc lies below each but the last."""

    levels: tuple[Level, ...]
    corners: tuple[Corners, ...]
    anomalies: tuple[str, ...]
    usual: bool

    def body(self, index: int) -> tuple[float, float]:
        """Middle of a body."""
        return _mean(*self.corners[index])

    def disc(self, index: int) -> tuple[float, float]:
        """Middle of the disc below a body."""
        return _mean(*self.corners[index][2:], *self.corners[index + 1][:2])

    def height(self, index: int) -> float:
        """Of a body, pixels."""
        return self.corners[index][3][1] - self.corners[index][0][1]


def lay_out(patient: Patient) -> Spine:
    """Bodies and discs stacked along the patient's own coronal curve, with the heights and widths that were sampled."""
    x, y = 0.0, 0.0
    corners: list[Corners] = []
    for vertebra in patient.vertebrae:
        size, lean = vertebra.size, sin(radians(vertebra.sideways))
        x += lean * size.height
        corners.append(_corners(x, y, size.upper_width, size.lower_width, size.height, lean))
        y += size.height + max(vertebra.disc.height_middle, 0.0)
    sacrum = patient.sacrum
    corners.append(_corners(x, y, sacrum.endplate_width, 0.8 * sacrum.endplate_width, 28.0, 0.0))
    levels = (*(vertebra.level for vertebra in patient.vertebrae), Level.S1)
    usual = (patient.variant.thoracic, patient.variant.lumbar) == (12, 5)
    return Spine(levels, tuple(corners), patient.anomalies, usual)


def _corners(x: float, y: float, upper: float, lower: float, height: float, lean: float) -> Corners:
    def at(across: float, down: float) -> tuple[float, float]:
        return (x + across) / PIXEL_MM, (y + down + lean * across) / PIXEL_MM

    return at(-upper / 2, 0), at(upper / 2, 0), at(lower / 2, height), at(-lower / 2, height)


def _mean(*points: tuple[float, float]) -> tuple[float, float]:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
