"""Anomalies by name: how common each is, which variant it makes, and the edit of the patient that it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from zlib import crc32

import numpy as np

from numbering.anatomy import USUAL, Level, Variant
from numbering.phantom.anatomy import coronal
from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.anatomy.patient import Patient

_VARIANT = {"L4": Variant(12, 4), "L6": Variant(12, 6), "T11": Variant(11, 5), "T13": Variant(13, 5)}
ANOMALIES = ("none", *_VARIANT, "scoliosis", "short-rib-12", "lumbar-rib")
"""What ``anomaly`` may name."""


def parse(anomaly: str | None) -> tuple[str, ...] | None:
    """The names in ``anomaly``, several joined with ``+``; None stays None (the population)."""
    if anomaly is None:
        return None
    names = tuple(anomaly.split("+"))
    for name in names:
        if name not in ANOMALIES:
            raise ValueError(f"no anomaly {name!r}: expected one of {', '.join(ANOMALIES)}")
    return tuple(name for name in names if name != "none")


def draw(rng: np.random.Generator, sex: Literal["F", "M"], age: int) -> tuple[str, ...]:
    """The anomalies of a person of the population."""
    return ()


def variant(chosen: tuple[str, ...]) -> Variant:
    """The variant that the chosen anomalies make."""
    return next((_VARIANT[name] for name in chosen if name in _VARIANT), USUAL)


def ages(chosen: tuple[str, ...]) -> tuple[int, int]:
    """Youngest and oldest person that the chosen anomalies suit."""
    return 18, 92


def edit(patient: Patient, name: str) -> Patient:
    """The patient with this anomaly."""
    rng = np.random.default_rng([patient.seed, 4, crc32(name.encode())])
    patient = replace(patient, anomalies=(*patient.anomalies, name))
    vertebrae = list(patient.vertebrae)
    if name == "scoliosis":
        places = np.array([reference(v.level, patient.variant) for v in vertebrae])
        sideways, turn = coronal.curve(rng, places, rng.uniform(15, 35), rng.uniform(14, 22), rng.uniform(3.5, 5.0))
        vertebrae = [
            replace(v, sideways=v.sideways + float(s), turn=v.turn + float(t))
            for v, s, t in zip(vertebrae, sideways, turn, strict=True)
        ]
    for index, vertebra in enumerate(vertebrae):
        if (name, vertebra.level) in (("short-rib-12", Level.T12), ("lumbar-rib", Level.L1)):
            right, left = np.clip(rng.normal(26, 6, 2), 12, 36)
            vertebrae[index] = replace(vertebra, rib_mm=(float(right), float(left)))
    return replace(patient, vertebrae=tuple(vertebrae))
