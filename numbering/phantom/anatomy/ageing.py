"""The same patient some years later: discs degenerate and sink, bone thins, calcium and fat grow. Levels stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numbering.phantom.anatomy.patient import DiscBelow, Patient, SoftTissue, Vertebra

DEGENERATION_A_YEAR = 0.012
"""Mean over discs. An estimate: from 0 at twenty to about 0.7 at eighty."""
SINKING = 0.45
"""Share of its height that a disc loses between healthy (0) and collapsed (1)."""
BONE_HU_A_YEAR = -2.5
"""Trabecular HU of L1 (n = 20,374, 120 kV)."""
OLDEST = 99


def aged(patient: Patient, years: int) -> Patient:
    """The patient ``years`` later (0: unchanged). The same patient and years always give the same."""
    years = min(years, OLDEST - patient.age)
    if years <= 0:
        return patient
    # One draw a patient, not a year: who degenerates fast does so at every visit.
    pace = np.random.default_rng([patient.seed, 31]).gamma(4, 0.25, len(patient.vertebrae))
    return replace(
        patient,
        age=patient.age + years,
        stature_mm=patient.stature_mm - 0.9 * max(0, patient.age + years - max(40, patient.age)),
        bone_hu=max(40.0, patient.bone_hu + BONE_HU_A_YEAR * years),
        vertebrae=tuple(_vertebra(one, float(p) * years) for one, p in zip(patient.vertebrae, pace, strict=True)),
        soft=_soft(patient.soft, years),
    )


def _vertebra(vertebra: Vertebra, years: float) -> Vertebra:
    disc = vertebra.disc
    if disc.fused or disc.cage:
        return vertebra
    degeneration = min(1.0, disc.degeneration + DEGENERATION_A_YEAR * years)
    osteophyte = vertebra.osteophyte_mm + 4.0 * max(0.0, degeneration - max(0.45, disc.degeneration))
    return replace(vertebra, disc=_sunk(disc, degeneration), osteophyte_mm=osteophyte)


def _sunk(disc: DiscBelow, degeneration: float) -> DiscBelow:
    share = (1 - SINKING * degeneration) / (1 - SINKING * disc.degeneration)
    return replace(
        disc,
        height_anterior=disc.height_anterior * share,
        height_middle=disc.height_middle * share,
        height_posterior=disc.height_posterior * share,
        degeneration=degeneration,
    )


def _soft(soft: SoftTissue, years: int) -> SoftTissue:
    return replace(
        soft,
        muscle_fat=min(0.6, soft.muscle_fat + 0.004 * years),
        aortic_calcification=min(1.0, soft.aortic_calcification + 0.012 * years),
    )
