"""Anomalies by name: how common each is, which variant it makes, and the edit of the patient that it is."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np

from numbering.anatomy import Variant
from numbering.phantom.anatomy.anomalies.anomaly import Anomaly, Sex
from numbering.phantom.anatomy.anomalies.hardware import HARDWARE
from numbering.phantom.anatomy.anomalies.segmentation import SEGMENTATION
from numbering.phantom.anatomy.anomalies.wear import WEAR
from numbering.phantom.anatomy.patient import Patient

BY_NAME: dict[str, Anomaly] = {anomaly.name: anomaly for anomaly in (*SEGMENTATION, *WEAR, *HARDWARE)}
"""In the order in which they are drawn and applied: numbers first, what surgeons did last."""
ANOMALIES = tuple(BY_NAME)
"""What ``anomaly`` may name, beside ``none``."""


def parse(anomaly: str | None) -> tuple[str, ...] | None:
    """The names in ``anomaly``, several joined with ``+``; None stays None (the population).

    ``ValueError`` for an unknown name and for two that exclude each other.
    """
    if anomaly is None:
        return None
    names = set(anomaly.split("+")) - {"none"}
    unknown = sorted(names - BY_NAME.keys())
    if unknown:
        raise ValueError(f"no anomaly {unknown[0]!r}: expected one of none, {', '.join(ANOMALIES)}")
    chosen = tuple(name for name in ANOMALIES if name in names)
    settled: set[str] = set()
    for name in chosen:
        if settled & BY_NAME[name].places:
            raise ValueError(f"{anomaly!r} names two anomalies of one junction of the spine: expected one at most")
        settled |= BY_NAME[name].places
    return chosen


def draw(rng: np.random.Generator, sex: Sex, age: int) -> tuple[str, ...]:
    """The anomalies of a person of the population, each with its published share."""
    chance = dict(zip(ANOMALIES, rng.random(len(ANOMALIES)), strict=True))
    found: list[str] = []
    taken: set[str] = set()
    for junction in ("thoracolumbar", "lumbosacral"):
        if junction not in taken:
            name = _one_of(junction, float(rng.random()), sex, age)
            if name and not taken & BY_NAME[name].places:
                found.append(name)
                taken |= BY_NAME[name].places
    loose = [a for a in BY_NAME.values() if not a.places and chance[a.name] < a.share(sex, age)]
    chosen = {*found, *(anomaly.name for anomaly in loose)}
    return tuple(name for name in ANOMALIES if name in chosen)


def _one_of(junction: str, chance: float, sex: Sex, age: int) -> str | None:
    """The anomaly of a junction, or none. One that settles both junctions is drawn with the upper one."""
    for anomaly in BY_NAME.values():
        both = len(anomaly.places) > 1
        if junction in anomaly.places and not (both and junction == "lumbosacral"):
            chance -= anomaly.share(sex, age)
            if chance < 0:
                return anomaly.name
    return None


def variant(chosen: tuple[str, ...]) -> Variant:
    """The variant that the chosen anomalies make."""
    thoracic = [BY_NAME[name].thoracic for name in chosen if BY_NAME[name].thoracic != 12]
    lumbar = [BY_NAME[name].lumbar for name in chosen if BY_NAME[name].lumbar != 5]
    return Variant(*(thoracic or [12]), *(lumbar or [5]))


def youngest(chosen: tuple[str, ...]) -> int:
    """Age that somebody has at least who is asked for with these anomalies."""
    return max((BY_NAME[name].youngest for name in chosen), default=18)


def edit(patient: Patient, name: str) -> Patient:
    """The patient with this anomaly, recorded. Its chances are its own: they depend on the seed and the name."""
    rng = np.random.default_rng([patient.seed, 4, crc32(name.encode())])
    return BY_NAME[name].edit(replace(patient, anomalies=(*patient.anomalies, name)), rng)
