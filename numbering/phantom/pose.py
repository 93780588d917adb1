"""Where everything of a sampled patient lies, standing or lying: frames and landmarks, pure numpy.

Patient frame of the phantom, mm: x towards the patient's left, y towards the back, z up (so DICOM's LPS), origin at the
middle of the upper endplate of S1. A vertebra's own frame has the same axes and its origin at the middle of its body.
Landmarks come from the anatomy alone, whatever shape is drawn around them, so every view shares them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.anatomy.patient import Patient, Vertebra
from numbering.phantom.anatomy.wedges import lower_wedge, upper_wedge

Array = NDArray[np.float64]
Posture = Literal["standing", "supine"]


@dataclass(frozen=True)
class Frame:
    """A rigid place: ``patient = centre + rotation @ own``."""

    centre: Array
    rotation: Array

    def place(self, own: Array) -> Array:
        """Points ``(n, 3)`` of its own frame, in the patient's."""
        return np.asarray(own @ self.rotation.T + self.centre)

    def own(self, points: Array) -> Array:
        """Points ``(n, 3)`` of the patient's frame, in its own."""
        return np.asarray((points - self.centre) @ self.rotation)


HEMI_REACH, HEMI_HEIGHT = 0.5, 0.25
"""A hemivertebra on its missing side: its tip lies this share of the half width beyond the midline, and is so high in
shares of the body's height."""


def midline_share(vertebra: Vertebra) -> float:
    """Height of the body in its mid-plane over that of its higher side: 1 but for a hemivertebra."""
    if vertebra.missing_half == "none":
        return 1.0
    return HEMI_HEIGHT + (1 - HEMI_HEIGHT) * HEMI_REACH / (1 + HEMI_REACH)


def body_corners(vertebra: Vertebra) -> Array:
    """Mid-sagittal ends of the endplates ``(4, 3)`` in its own frame: upper anterior, upper posterior, lower posterior,
    lower anterior. Anterior is -y; the anterior and posterior heights differ, the endplates tilt by half of it each."""
    size, share = vertebra.size, midline_share(vertebra)
    upper, lower = size.upper_depth / 2, size.lower_depth / 2
    front, back = share * size.height_anterior / 2, share * size.height_posterior / 2
    return np.array([[0, -upper, front], [0, upper, back], [0, lower, -back], [0, -lower, -front]])


def body_edges(vertebra: Vertebra) -> Array:
    """Lateral ends of the endplates ``(4, 3)`` in its own frame: upper right, upper left, lower left, lower right of
    the *patient*. A hemivertebra's missing side ends in its blunt tip, just beyond the midline."""
    size = vertebra.size
    upper, lower, half = size.upper_width / 2, size.lower_width / 2, size.height / 2
    edges = np.array([[-upper, 0, half], [upper, 0, half], [lower, 0, -half], [-lower, 0, -half]])
    if vertebra.missing_half != "none":
        side = edges[:, 0] < 0 if vertebra.missing_half == "right" else edges[:, 0] > 0
        edges[side] *= [HEMI_REACH, 1, HEMI_HEIGHT]
    return edges


@dataclass(frozen=True)
class Placed:
    """A vertebra where it lies."""

    vertebra: Vertebra
    frame: Frame

    def sagittal_corners(self) -> Array:
        """`body_corners` in the patient's frame ``(4, 3)``: a lateral film's four corners."""
        return self.frame.place(body_corners(self.vertebra))

    def coronal_corners(self) -> Array:
        """`body_edges` in the patient's frame ``(4, 3)``: upper-left, upper-right, lower-right, lower-left of an AP
        film (the patient's right is the image's left)."""
        return self.frame.place(body_edges(self.vertebra))


@dataclass(frozen=True)
class Skeleton:
    """The spine in place, head to foot, and the sacrum under it (frame: origin at the middle of S1's upper endplate,
    z along the sacrum's axis upwards, square to that endplate)."""

    patient: Patient
    posture: Posture
    vertebrae: tuple[Placed, ...]
    sacrum: Frame

    def s1_corners(self) -> Array:
        """Anterior and posterior end of the upper endplate of S1 in the mid-sagittal plane ``(2, 3)``."""
        half = self.patient.sacrum.endplate_depth / 2
        return self.sacrum.place(np.array([[0, -half, 0], [0, half, 0]]))

    def at(self, reference: float) -> Array:
        """The spine's midline point ``(3,)`` at an ordinal *of the usual spine* (8 is T1, 19 T12, 24 L5, 25 S1),
        whatever the variant: regions are stretched, so 23.0 is always the last but one lumbar-type vertebra."""
        found = self.vertebrae
        share = np.interp(reference, [2, 7.5, 19.5, 24], [0, *self._edges(), len(found) - 1])
        if reference > 24:
            below = self.sacrum.place(np.array([[0, 0, -15.0]]))[0]
            last = found[-1].frame.centre
            return np.asarray(last + (below - last) * min(reference - 24, 2))
        centres = np.array([placed.frame.centre for placed in found])
        return np.array([np.interp(share, np.arange(len(found)), centres[:, axis]) for axis in range(3)])

    def height(self, reference: float) -> float:
        """z of `at`."""
        return float(self.at(reference)[2])

    def midline(self, z: float | Array) -> tuple[Array, Array]:
        """x and y of the spine at a height."""
        centres = np.array([self.sacrum.centre, *(placed.frame.centre for placed in self.vertebrae[::-1])])
        return np.interp(z, centres[:, 2], centres[:, 0]), np.interp(z, centres[:, 2], centres[:, 1])

    def _edges(self) -> tuple[float, float]:
        regions = [placed.vertebra.level.region for placed in self.vertebrae]
        return regions.index("T") - 0.5, regions.index("L") - 0.5


def rotation(forward: float, sideways: float, turn: float) -> Array:
    """Rotation from a vertebra's frame to the patient's; degrees, signs as in `Vertebra`: about z, then x, then y."""
    a, b, c = math.radians(forward), math.radians(sideways), math.radians(turn)
    (sa, ca), (sb, cb), (sc, cc) = ((math.sin(angle), math.cos(angle)) for angle in (a, b, c))
    return np.array(
        [
            [cb * cc - sb * sa * sc, cb * sc + sb * sa * cc, sb * ca],
            [-ca * sc, ca * cc, -sa],
            [-sb * cc - cb * sa * sc, -sb * sc + cb * sa * cc, cb * ca],
        ]
    )


_SUPINE_SHARE = ((20.0, 0.28), (21.0, 0.28), (22.0, 0.16), (23.0, 0.06), (24.0, 0.22))
"""Which discs lose the lordosis that goes when a patient lies, by place on the usual spine [E]: with these the chords
between centres bend as they do on CT."""
_SUPINE_SLOPE = 0.45
"""Share of the lost lordosis by which the sacral slope falls; the rest is taken up above [E]."""
_SUPINE_KYPHOSIS = 4.0
"""Degrees of kyphosis T1-T12 that go [E]."""
_SUPINE_CURVE = 0.85
"""What is left of coronal curves [E]."""


def pose(patient: Patient, posture: Posture = "standing") -> Skeleton:
    """The patient's spine in place: every vertebra stacked on the disc below it, from the sacrum up.

    The middles of two endplates are as far apart as the mean of the disc's anterior and posterior height, along the
    bisector of their normals; a slip is measured along the lower one. Standing, the angles between endplates are those
    of the wedges; lying, the lumbar discs close at the front.
    """
    lying = posture == "supine"
    loss, curve = (patient.supine_loss, _SUPINE_CURVE) if lying else (0.0, 1.0)
    sacrum = Frame(np.zeros(3), rotation(patient.sacrum.slope - _SUPINE_SLOPE * loss, 0, 0))
    top, endplate = sacrum.centre, sacrum.rotation
    placed: list[Placed] = []
    for vertebra in patient.vertebrae[::-1]:
        lain = _lain(reference(vertebra.level, patient.variant), loss) if lying else 0.0
        turned = rotation(vertebra.forward + lain, vertebra.sideways * curve, vertebra.turn * curve)
        lower = turned @ rotation(lower_wedge(vertebra.size), 0, 0)
        along = endplate[:, 2] + lower[:, 2]
        height = (vertebra.disc.height_anterior + vertebra.disc.height_posterior) / 2
        bottom = top + along / np.linalg.norm(along) * height - endplate[:, 1] * vertebra.slip_mm
        half = turned[:, 2] * midline_share(vertebra) * vertebra.size.height / 2
        placed.append(Placed(vertebra, Frame(bottom + half, turned)))
        top, endplate = bottom + 2 * half, turned @ rotation(-upper_wedge(vertebra.size), 0, 0)
    return Skeleton(patient, posture, tuple(placed[::-1]), sacrum)


def _lain(place: float, loss: float) -> float:
    """Degrees by which a vertebra at this place of the usual spine leans further to the front, lying."""
    places, shares = np.array(_SUPINE_SHARE).T
    lordosis = loss * (float(shares[places >= place - 0.01].sum()) if place > 19.5 else 1.0)
    kyphosis = _SUPINE_KYPHOSIS * float(np.interp(place, [8, 19.5], [1, 0]))
    return lordosis - _SUPINE_SLOPE * loss - kyphosis
