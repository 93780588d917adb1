"""Patients drawn and posed once, for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.patient_statistics.rows import Array
from numbering.anatomy import USUAL
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.pose import Skeleton, pose


@dataclass(frozen=True)
class Drawn:
    """Patients, and their spines lying; those of 12 thoracic and 5 lumbar vertebrae standing and lying."""

    patients: tuple[Patient, ...]
    lying: tuple[Skeleton, ...]
    usual: tuple[Patient, ...]
    usual_lying: tuple[Skeleton, ...]
    usual_standing: tuple[Skeleton, ...]

    @staticmethod
    def of(patients: Sequence[Patient]) -> Drawn:
        """The patients, posed."""
        lying = tuple(pose(patient, "supine") for patient in patients)
        usual = tuple(patient for patient in patients if patient.variant == USUAL)
        usual_lying = tuple(skeleton for skeleton in lying if skeleton.patient.variant == USUAL)
        return Drawn(tuple(patients), lying, usual, usual_lying, tuple(pose(patient) for patient in usual))

    def usual_centres(self) -> Array:
        """Centres ``(patients, 23, 3)`` of the usual spines, lying."""
        return np.array([[placed.frame.centre for placed in skeleton.vertebrae] for skeleton in self.usual_lying])
