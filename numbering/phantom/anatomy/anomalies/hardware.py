"""What surgeons leave, and what shines in organs.

Shares: hardware of the spine 3–8 %, hip prosthesis 2–4 %, calcified aorta above 50 % from 60 years on [E]; contrast in
bowel or kidneys 5 % each [E].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numbering.phantom.anatomy.anomalies.anomaly import Anomaly, by_age
from numbering.phantom.anatomy.anomalies.wear import wedge_fracture
from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.anatomy.wedges import leaning, refitted


def pedicle_screws(patient: Patient, rng: np.random.Generator) -> Patient:
    """Screws in two to four neighbours of the lower back, joined by rods; in a third of them down to S1."""
    count, last = int(rng.integers(2, 5)), len(patient.vertebrae) - 1
    to_sacrum = bool(rng.random() < 0.35)
    low = last if to_sacrum else last - int(rng.integers(0, 4))
    vertebrae = tuple(
        replace(vertebra, screws=vertebra.screws or low - count < index <= low)
        for index, vertebra in enumerate(patient.vertebrae)
    )
    return replace(patient, vertebrae=vertebrae, rods=True, sacrum=replace(patient.sacrum, screws=to_sacrum))


def cage(patient: Patient, rng: np.random.Generator) -> Patient:
    """A cage in place of a disc of the lower back (between screws, where there are any), which keeps its height."""
    vertebrae, last = list(patient.vertebrae), len(patient.vertebrae) - 1
    screwed = [index for index in range(last) if vertebrae[index].screws and vertebrae[index + 1].screws]
    if vertebrae[last].screws and patient.sacrum.screws:
        screwed.append(last)
    index = int(rng.choice(screwed)) if screwed else last - int(rng.choice(3, p=[0.45, 0.4, 0.15]))
    disc = vertebrae[index].disc
    vertebrae[index] = replace(vertebrae[index], disc=replace(disc, cage=True, degeneration=1.0))
    height = max((disc.height_anterior + disc.height_posterior) / 2, float(rng.uniform(7.5, 11)))
    vertebrae[index] = refitted(vertebrae, index, patient.sacrum, height=height)
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


def cement(patient: Patient, rng: np.random.Generator) -> Patient:
    """Cement in a fractured body."""
    fractured = wedge_fracture(patient, rng)
    pairs = zip(patient.vertebrae, fractured.vertebrae, strict=True)
    vertebrae = tuple(
        replace(after, cement=after.size.height_anterior < 0.9 * before.size.height_anterior) for before, after in pairs
    )
    return replace(fractured, vertebrae=vertebrae)


def hip_prosthesis(patient: Patient, rng: np.random.Generator) -> Patient:
    """On one side, or on both (a quarter)."""
    side = bool(rng.random() < 0.5)
    sides = (True, True) if rng.random() < 0.25 else (side, not side)
    return replace(patient, sacrum=replace(patient.sacrum, hip_prosthesis=sides))


def calcified_aorta(patient: Patient, rng: np.random.Generator) -> Patient:
    """Specks to a tube; more of it in older people."""
    share = float(np.clip(rng.beta(1.6, 2.2) + 0.006 * (patient.age - 65), 0.08, 1.0))
    return replace(patient, soft=replace(patient.soft, aortic_calcification=share))


def bowel_contrast(patient: Patient, rng: np.random.Generator) -> Patient:
    """Positive contrast in the bowel."""
    return replace(patient, soft=replace(patient.soft, bowel_contrast=True))


def kidney_contrast(patient: Patient, rng: np.random.Generator) -> Patient:
    """Contrast in kidneys and renal pelves."""
    return replace(patient, soft=replace(patient.soft, kidney_contrast=True))


HARDWARE = (
    Anomaly(name="pedicle-screws", share=by_age((0, 0.01), (40, 0.035)), edit=pedicle_screws),
    Anomaly(name="cage", share=by_age((0, 0.005), (40, 0.012)), edit=cage),
    Anomaly(name="cement", share=by_age((0, 0.0), (60, 0.02)), edit=cement, youngest=55),
    Anomaly(name="hip-prosthesis", share=by_age((0, 0.002), (50, 0.02), (65, 0.06)), edit=hip_prosthesis, youngest=40),
    Anomaly(name="calcified-aorta", share=by_age((0, 0.01), (45, 0.25), (60, 0.6)), edit=calcified_aorta, youngest=45),
    Anomaly(name="bowel-contrast", share=by_age((0, 0.05)), edit=bowel_contrast),
    Anomaly(name="kidney-contrast", share=by_age((0, 0.05)), edit=kidney_contrast),
)
