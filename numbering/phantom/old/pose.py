"""The sampled vertebrae stacked into a standing spine.

Patient frame of the phantom, mm: x towards the patient's left, y towards the back, z up (so DICOM's LPS), origin at the
middle of the upper endplate of S1. A vertebra's own frame has the same axes and its origin at the middle of its body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.old.patient import Patient, Vertebra

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A rigid place: ``patient = centre + rotation @ own``."""

    centre: Array
    rotation: Array

    def place(self, own: Array) -> Array:
        """Points ``(n, 3)`` of its own frame, in the patient's."""
        return np.asarray(own @ self.rotation.T + self.centre)


@dataclass(frozen=True)
class Placed:
    """A vertebra where it stands."""

    vertebra: Vertebra
    frame: Frame

    def corners(self) -> Array:
        """Ends of the endplates in the coronal mid-plane ``(4, 3)``: upper right, upper left, lower left, lower right
        of the *patient*, which is upper-left, upper-right, lower-right, lower-left of an AP film."""
        size = self.vertebra.size
        upper, lower, half = size.upper_width / 2, size.lower_width / 2, size.height / 2
        own = np.array([[-upper, 0, half], [upper, 0, half], [lower, 0, -half], [-lower, 0, -half]])
        return self.frame.place(own)


@dataclass(frozen=True)
class Skeleton:
    """The spine in place, head to foot, and the sacrum under it."""

    patient: Patient
    vertebrae: tuple[Placed, ...]
    sacrum: Frame

    def height(self, reference: float) -> float:
        """z of the spine at an ordinal of the usual spine, mm (8 is T1, 19 is T12), whatever the variant."""
        found = self.vertebrae
        share = np.interp(reference, [4, 7.5, 19.5, 24], [0, *self._edges(), len(found) - 1])
        return float(np.interp(share, np.arange(len(found)), [placed.frame.centre[2] for placed in found]))

    def midline(self, z: float | NDArray[np.floating]) -> tuple[Array, Array]:
        """x and y of the spine at a height."""
        centres = np.array([placed.frame.centre for placed in self.vertebrae])[::-1]
        return np.interp(z, centres[:, 2], centres[:, 0]), np.interp(z, centres[:, 2], centres[:, 1])

    def _edges(self) -> tuple[float, float]:
        regions = [placed.vertebra.level.region for placed in self.vertebrae]
        return regions.index("T") - 0.5, regions.index("L") - 0.5


def rotation(forward: float, sideways: float, turn: float) -> Array:
    """Rotation from a vertebra's frame to the patient's; degrees, signs as in `Vertebra`."""
    a, b, c = np.radians([forward, sideways, turn])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), np.sin(c), 0], [-np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def stand(patient: Patient) -> Skeleton:
    """Build the spine upwards from the sacrum: half a disc, a body, half a disc, each along its own lean."""
    sacrum = Frame(np.zeros(3), rotation(patient.sacral_slope, 0.5 * patient.vertebrae[-1].sideways, 0))
    top, axis_below = np.zeros(3), sacrum.rotation[:, 2]
    placed: list[Placed] = []
    for vertebra in reversed(patient.vertebrae):
        turn = rotation(vertebra.forward, vertebra.sideways, vertebra.turn)
        axis = turn[:, 2]
        across = axis + axis_below
        bottom = top + across / np.linalg.norm(across) * vertebra.size.disc_below
        placed.append(Placed(vertebra, Frame(bottom + axis * vertebra.size.height / 2, turn)))
        top, axis_below = bottom + axis * vertebra.size.height, axis
    return Skeleton(patient, tuple(reversed(placed)), sacrum)
