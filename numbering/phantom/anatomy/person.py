"""Who the patient is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Person:
    """Who it is; ``tall`` is the stature in SDs of the sex, ``bone_hu`` the trabecular HU of L1."""

    sex: Literal["F", "M"]
    age: int
    stature_mm: float
    weight_kg: float
    bone_hu: float
    tall: float


def sample_person(rng: np.random.Generator, youngest: int) -> Person:
    """A grown person, 55 ± 17 years; never younger than ``youngest``."""
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    age = int(np.clip(rng.normal(55, 17), 18, 92))
    if age < youngest:
        age = youngest + age % (92 - youngest)
    tall = float(np.clip(rng.normal(), -2.5, 2.5))
    stature = (1762 + 70 * tall if sex == "M" else 1628 + 65 * tall) - 1.2 * max(0, age - 45)
    bmi = float(np.clip(26 * np.exp(rng.normal(0, 0.16)), 17, 44))
    return Person(sex, age, stature, bmi * (stature / 1000) ** 2, _bone_hu(rng, age), tall)


def _bone_hu(rng: np.random.Generator, age: int) -> float:
    """Trabecular HU of L1 at 120 kV: 226 ± 44 below 30 years, −2.5 a year after that, 89 ± 38 above 90 (ANATOMY C)."""
    mean = np.interp(age, [25, 90], [233, 85])
    sd = np.interp(age, [30, 90], [44, 38])
    return float(np.clip(rng.normal(mean, sd), 15, 380))
