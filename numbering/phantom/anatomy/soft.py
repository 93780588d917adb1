"""Muscles, organs, vessels, gas and fat: numbers of ANATOMY, tables E and F.

Estimates, but for: bifurcation of the aorta at L4 in 67–83 %, right renal artery at L1 in 54 % and at the disc below in
34 %, conus at L1 in 56 % (T12–L1 … L2).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from numbering.phantom.anatomy.patient import SoftTissue

_PSOAS = {"M": (2.5, 5.5, 9.5, 13.5, 14.0), "F": (1.5, 3.3, 6.0, 8.5, 9.0)}
_QUADRATUS = (2.0, 4.0, 6.0, 6.5, 3.0)
_ERECTOR = (16.0, 18.0, 18.0, 14.0, 8.0)
_MULTIFIDUS = (2.0, 2.7, 4.0, 6.5, 8.0)
"""cm² of one side at L1…L5; a man's, but psoas."""


def sample_soft(
    rng: np.random.Generator, sex: Literal["F", "M"], age: int, stature_mm: float, weight_kg: float
) -> SoftTissue:
    """The soft tissue of a person; what is an anomaly (calcification, contrast) is not drawn here."""
    bmi = weight_kg / (stature_mm / 1000) ** 2
    build = float(np.exp(rng.normal(0, 0.17) - 0.006 * max(0, age - 50) + 0.012 * (bmi - 26)))
    small = 1.0 if sex == "M" else 0.68

    def muscle(areas: tuple[float, ...], factor: float) -> tuple[float, ...]:
        own = build * factor * float(np.exp(rng.normal(0, 0.17)))
        return tuple(round(area * own * float(np.exp(rng.normal(0, 0.05))), 3) for area in areas)

    height = stature_mm / 1700
    half_width = (150 + 5.2 * (bmi - 26)) * height * float(np.exp(rng.normal(0, 0.04)))
    half_depth = (112 + 4.8 * (bmi - 26)) * float(np.exp(rng.normal(0, 0.05)))
    kidney = float(rng.normal(20.6, 0.45))
    return SoftTissue(
        psoas_cm2=muscle(_PSOAS[sex], 1.0),
        quadratus_cm2=muscle(_QUADRATUS, small),
        erector_cm2=muscle(_ERECTOR, small),
        multifidus_cm2=muscle(_MULTIFIDUS, small),
        muscle_fat=float(
            np.clip(0.06 + 0.004 * max(0, age - 30) + 0.006 * (bmi - 25) + rng.normal(0, 0.06), 0.01, 0.6)
        ),
        waist_half_width=max(115.0, half_width),
        waist_half_depth=max(80.0, half_depth),
        subcutaneous_mm=float(np.clip((19 if sex == "M" else 25) + 2.1 * (bmi - 26) + rng.normal(0, 5), 4, 75)),
        kidney_ordinal=(kidney + 0.25 + float(rng.normal(0, 0.1)), kidney - 0.25 + float(rng.normal(0, 0.1))),
        kidney_length=float(np.clip(rng.normal(110, 10) * (0.97 if sex == "F" else 1.03), 80, 140)),
        bifurcation_ordinal=float(np.clip(rng.normal(23.05 + 0.004 * max(0, age - 50), 0.33), 21.8, 24.3)),
        right_renal_artery_ordinal=float(np.clip(rng.normal(20.33, 0.3), 19.2, 21.6)),
        conus_ordinal=float(np.clip(rng.normal(20.1, 0.5), 18.8, 21.6)),
        aortic_calcification=0.0,
        bowel_gas=float(rng.gamma(4, 0.25)),
    )
