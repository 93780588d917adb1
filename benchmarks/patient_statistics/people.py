"""Bone density, muscles, landmarks and ribs, and how common every anomaly is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.patient_statistics.drawn import Drawn
from benchmarks.patient_statistics.rows import Array, Row, normal, share, within
from numbering.phantom.anatomy.anomalies import ANOMALIES, BY_NAME
from numbering.phantom.anatomy.patient import Patient

PSOAS = {"M": (2.5, 5.5, 9.5, 13.5, 14.0), "F": (1.5, 3.3, 6.0, 8.5, 9.0)}


def bone(drawn: Drawn) -> list[Row]:
    """Trabecular HU of L1 by age."""
    patients = drawn.patients
    age, hu = np.array([p.age for p in patients]), np.array([p.bone_hu for p in patients])
    rate, start = np.polyfit(age[age >= 30], hu[age >= 30], 1)
    return [
        normal("L1, HU", "below 30 years", hu[age < 30], 226, 44, 17, "[V]", (0.7, 1.3)),
        within("L1, HU", "change a year", "-2.5 [V]", float(rate), -2.8, -1.9),
        within("L1, HU", "at 90 years", "89 ± 38 [V]", float(start + 90 * rate), 74, 104, 0),
    ]


def soft(drawn: Drawn) -> list[Row]:
    """Muscles and landmarks of vessels, cord and crest, in patients without a lumbosacral anomaly."""
    found, patients = [], drawn.patients
    for sex, word in (("M", "men"), ("F", "women")):
        areas = np.array([patient.soft.psoas_cm2 for patient in patients if patient.sex == sex])
        for index, mean in enumerate(PSOAS[sex]):
            quantity = f"psoas L{index + 1}, {word}"
            found.append(
                normal("muscle, cm²", quantity, areas[:, index], mean, mean / 4, 0.12 * mean, "[E]", (0.7, 1.4))
            )
    plain = [p for p in patients if not any(BY_NAME[name].places & {"lumbosacral"} for name in p.anomalies)]
    for quantity, at, wanted in (
        ("aorta divides at L4", [p.soft.bifurcation_ordinal - 23 for p in plain], (67.0, 83.0, "[V]")),
        ("right renal artery at L1", [p.soft.right_renal_artery_ordinal - 20 for p in plain], (54.0, 54.0, "[V]")),
        ("conus at L1", [p.soft.conus_ordinal - 20 for p in plain], (56.0, 56.0, "[V]")),
        ("crests at L4", [p.sacrum.crest_ordinal - 23 for p in plain], (45.0, 45.0, "[E]")),
    ):
        found.append(share("landmark", quantity, np.abs(np.array(at)) < 0.38, *wanted, slack=3))
    return found


def ribs(drawn: Drawn) -> list[Row]:
    """Lengths of the last two ribs where they are usual."""
    plain = [p for p in drawn.usual if not {"short-rib-12", "absent-rib-12"} & set(p.anomalies)]
    eleven, twelve = (np.array([p.vertebrae[index].rib_mm for p in plain]).mean(1) for index in (16, 17))
    return [
        normal("rib, mm", "11", eleven, 195, 20, 8, "[E]", (0.75, 1.4)),
        normal("rib, mm", "12", twelve, 115, 35, 8, "[E]", (0.75, 1.3)),
    ]


def published(drawn: Drawn) -> list[Row]:
    """Shares as the literature groups them."""
    name, patients = "share", drawn.patients
    old = [p for p in patients if p.age >= 60]

    def any_of(group: Sequence[Patient], *names: str) -> Array:
        return np.array([bool(set(names) & set(p.anomalies)) for p in group], float)

    castellvi = tuple(n for n in ANOMALIES if n.startswith("castellvi"))
    curved = ("scoliosis", "severe-scoliosis")
    broken = ("wedge-fracture", "biconcave-fracture", "cement")
    pairs = np.array([sum(v.rib_bearing for v in p.vertebrae if v.level.region == "T") for p in patients])
    presacral = np.array([p.variant.thoracic + p.variant.lumbar for p in patients])
    more = (presacral > 17) | (any_of(patients, "lumbarisation") > 0)
    return [
        share(name, "sacralised: Castellvi I–IV of L5, or L4", any_of(patients, *castellvi, "L4"), 12.3, 12.3, "[V]"),
        share(name, "lumbarised, or L6 (12T)", any_of(patients, "lumbarisation", "L6"), 4.0, 4.0, "[V]"),
        share(name, "one mobile vertebra more, or lumbarised S1", more, 4.3, 4.3, "[V]"),
        share(name, "one mobile vertebra fewer", presacral < 17, 3.3, 3.3, "[V]"),
        share(name, "11 pairs of ribs", pairs == 11, 8.0, 8.0, "[V]"),
        share(name, "13 pairs of ribs", pairs == 13, 0.4, 0.4, "[V]"),
        share(name, "hypoplastic rib 12", any_of(patients, "short-rib-12"), 12.6, 12.6, "[V]"),
        share(name, "lumbar rib", any_of(patients, "lumbar-rib"), 1.5, 5.8, "[V]"),
        share(name, "scoliosis, below 60", any_of([p for p in patients if p.age < 60], *curved), 13, 13, "[V]"),
        share(name, "scoliosis, from 60", any_of(old, *curved), 36, 36, "[V]"),
        share(name, "fractures, from 50", any_of([p for p in patients if p.age >= 50], *broken), 12, 20, "[E]"),
        share(name, "spinal hardware", any_of(patients, "pedicle-screws", "cage"), 3, 8, "[E]"),
        share(name, "hip prosthesis", any_of(patients, "hip-prosthesis"), 2, 4, "[E]"),
        share(name, "calcified aorta, from 60", any_of(old, "calcified-aorta"), 50, 70, "[E]"),
    ]


def each_anomaly(drawn: Drawn) -> list[Row]:
    """Every anomaly against the share that its people should have, by their sex and age."""
    found, patients = [], drawn.patients
    for name in ANOMALIES:
        wanted = round(100 * float(np.mean([BY_NAME[name].share(p.sex, p.age) for p in patients])), 1)
        hits = np.array([name in p.anomalies for p in patients], float)
        found.append(share("anomaly", name, hits, wanted, wanted, "set"))
    return found
