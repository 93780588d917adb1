"""What a body goes through: fractures, slips, curves, bony outgrowths, worn discs, and malformed bodies.

Shares: fractures from 50 years 12–20 % with peaks at T7/8 and T12/L1 [E]; degenerative scoliosis 13 % below and 36 %
above 60 years [V]; spondylolysis 5.9 %, 90 % at L5 [V]; malformed bodies, slips and outgrowths [E].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from numbering.phantom.anatomy import coronal
from numbering.phantom.anatomy.anomalies.anomaly import Anomaly, by_age
from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.anatomy.patient import Patient, Vertebra
from numbering.phantom.anatomy.wedges import leaning, lower_wedge, refitted, upper_wedge


def places(patient: Patient) -> np.ndarray:
    """Where each vertebra stands on the usual spine ``(n,)``: 19 is T12, 24 the lowest lumbar one."""
    return np.array([reference(vertebra.level, patient.variant) for vertebra in patient.vertebrae])


def _pick(patient: Patient, rng: np.random.Generator, peaks: Sequence[tuple[float, float, float]]) -> int:
    """Index of a vertebra by chance; each peak is a place, a width in vertebrae and a weight."""
    at = places(patient)
    weights = sum(weight * np.exp(-(((at - place) / width) ** 2) / 2) for place, width, weight in peaks)
    weights = np.where(at < 9, 0.0, weights)
    return int(rng.choice(len(at), p=weights / weights.sum()))


def _compensated(patient: Patient, vertebrae: list[Vertebra], index: int, degrees: float) -> Patient:
    """The patient with these vertebrae, the discs about one of them opened by so many degrees to stay upright."""
    near = range(max(6, index - 3), min(len(vertebrae), index + 3))
    for at in near:
        vertebrae[at] = refitted(vertebrae, at, patient.sacrum, more=degrees / len(near))
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


def _collapsed(patient: Patient, index: int, front: float, back: float) -> Patient:
    vertebrae = list(patient.vertebrae)
    size = vertebrae[index].size
    low = replace(size, height_anterior=size.height_anterior * front, height_posterior=size.height_posterior * back)
    lost = upper_wedge(size) + lower_wedge(size) - upper_wedge(low) - lower_wedge(low)
    vertebrae[index] = replace(vertebrae[index], size=low)
    return _compensated(patient, vertebrae, index, 0.6 * lost)


_FRACTURE_PEAKS = ((14.6, 1.3, 1.0), (19.5, 1.0, 1.5), (18.0, 3.5, 0.35))


def wedge_fracture(patient: Patient, rng: np.random.Generator) -> Patient:
    """One to three bodies lose 20 to 50 % of their anterior height; the spine bends forward over them."""
    for _ in range(int(rng.choice([1, 2, 3], p=[0.7, 0.22, 0.08]))):
        index = _pick(patient, rng, _FRACTURE_PEAKS)
        if patient.vertebrae[index].size.height_anterior < 0.85 * patient.vertebrae[index].size.height_posterior:
            continue
        patient = _collapsed(patient, index, float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.93, 1.0)))
    return patient


def biconcave_fracture(patient: Patient, rng: np.random.Generator) -> Patient:
    """One to three bodies whose endplates sink in by 2 to 6 mm each."""
    for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
        index = _pick(patient, rng, (*_FRACTURE_PEAKS, (21.0, 2.0, 0.8)))
        patient = _collapsed(patient, index, float(rng.uniform(0.9, 0.99)), float(rng.uniform(0.9, 0.99)))
        room = 0.24 * patient.vertebrae[index].size.height
        dents = (min(float(rng.uniform(2.5, 6)), room), min(float(rng.uniform(2, 5)), room))
        vertebrae = list(patient.vertebrae)
        vertebrae[index] = replace(vertebrae[index], endplate_dent_mm=dents)
        patient = replace(patient, vertebrae=tuple(vertebrae))
    return patient


def spondylolisthesis(patient: Patient, rng: np.random.Generator) -> Patient:
    """A vertebra slips forward by 10 to 35 % of the endplate below: the lowest with a severed arch, or the one above
    with worn facets, in older people."""
    lytic = rng.random() < (0.85 if patient.age < 50 else 0.4)
    vertebrae = list(patient.vertebrae)
    index = len(vertebrae) - (1 if lytic else 2)
    slip = float(rng.uniform(0.14, 0.36) if lytic else rng.uniform(0.11, 0.24)) * vertebrae[index].size.lower_depth
    vertebrae[index] = replace(vertebrae[index], slip_mm=slip, lysis=bool(lytic))
    vertebrae[index] = _worn(patient, vertebrae, index, float(rng.uniform(0.5, 0.85)))
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


def _worn(patient: Patient, vertebrae: list[Vertebra], index: int, wear: float) -> Vertebra:
    """The vertebra with its disc worn so far, ×0.5 in height at most."""
    disc = vertebrae[index].disc
    if wear <= disc.degeneration or disc.fused:
        return vertebrae[index]
    height = (disc.height_anterior + disc.height_posterior) / 2
    low = height * (1 - 0.5 * wear) / (1 - 0.42 * disc.degeneration)
    vertebrae[index] = replace(vertebrae[index], disc=replace(disc, degeneration=wear))
    return refitted(vertebrae, index, patient.sacrum, height=max(2.0, low))


def worn_discs(patient: Patient, rng: np.random.Generator) -> Patient:
    """One to three neighbouring discs of the lower back, narrow and black."""
    vertebrae = list(patient.vertebrae)
    low = len(vertebrae) - 1 - int(rng.choice(3, p=[0.55, 0.3, 0.15]))
    for index in range(max(low - int(rng.integers(1, 4)) + 1, 0), low + 1):
        vertebrae[index] = _worn(patient, vertebrae, index, float(rng.uniform(0.65, 0.98)))
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


def osteophytes(patient: Patient, rng: np.random.Generator) -> Patient:
    """Spurs of 2 to 9 mm along a run of lower thoracic or lumbar bodies."""
    middle, reach, most = rng.uniform(17, 23.5), rng.uniform(1.0, 3.0), rng.uniform(3, 9)
    grown = (
        most * np.exp(-(((places(patient) - middle) / reach) ** 2) / 2) * rng.uniform(0.5, 1, len(patient.vertebrae))
    )
    spurs = [
        float(size) if size > 1.0 else vertebra.osteophyte_mm
        for size, vertebra in zip(grown, patient.vertebrae, strict=True)
    ]
    nearest = int(np.argmin(np.abs(places(patient) - middle)))
    spurs[nearest] = max(spurs[nearest], 2.0)
    vertebrae = (
        replace(v, osteophyte_mm=max(spur, v.osteophyte_mm)) for v, spur in zip(patient.vertebrae, spurs, strict=True)
    )
    return replace(patient, vertebrae=tuple(vertebrae))


def scoliosis(patient: Patient, rng: np.random.Generator) -> Patient:
    """A curve of 12° and more standing: lumbar and short in older people, thoracic and long in the young."""
    cobb = float(min(12.5 + rng.exponential(2.8), 30))
    return _curved(patient, rng, cobb)


def severe_scoliosis(patient: Patient, rng: np.random.Generator) -> Patient:
    """A curve of 30 to 60° standing."""
    return _curved(patient, rng, float(rng.uniform(30, 60)))


def _curved(patient: Patient, rng: np.random.Generator, cobb: float) -> Patient:
    degenerative = patient.age > 45 and rng.random() < 0.8
    apex, half = (
        (rng.uniform(20.5, 22.5), rng.uniform(2.4, 3.4))
        if degenerative
        else (rng.uniform(14, 20), rng.uniform(3.2, 4.5))
    )
    bow, turn = coronal.curve(rng, places(patient), cobb, float(apex), float(half))
    offset = float(rng.normal(0, 9))
    leans = _allowed(patient, bow, offset)
    leans = _allowed(patient, bow * float(np.clip(cobb / np.ptp(leans[5:]), 0.7, 1.6)), offset)
    vertebrae = (
        replace(v, sideways=float(lean), turn=v.turn + float(more))
        for v, lean, more in zip(patient.vertebrae, leans, turn, strict=True)
    )
    return replace(patient, vertebrae=tuple(vertebrae))


def _allowed(patient: Patient, bow: np.ndarray, offset: float) -> np.ndarray:
    """Leans ``(n,)`` of a bow in the place of the small curve that everybody has, as far as discs allow, in balance."""
    discs = np.array([(v.disc.height_anterior + v.disc.height_posterior) / 2 for v in patient.vertebrae])
    widths = np.array([max(v.size.lower_width, v.size.upper_width) for v in patient.vertebrae])
    bodies = np.array([v.size.height for v in patient.vertebrae])
    uneven = 0.35 * np.array([vertebra.sideways for vertebra in patient.vertebrae])
    return coronal.balanced(coronal.within_discs(bow + uneven, discs, widths), discs + bodies, offset)


def hemivertebra(patient: Patient, rng: np.random.Generator) -> Patient:
    """A body lacks its right or left half: the spine bends towards that side above it, and back further up and down."""
    index = _pick(patient, rng, ((18.0, 2.5, 1.0), (21.5, 1.2, 0.4)))
    right = bool(rng.random() < 0.5)
    vertebrae = list(patient.vertebrae)
    size = vertebrae[index].size
    vertebrae[index] = replace(
        vertebrae[index],
        missing_half="right" if right else "left",
        slip_mm=0.0,
        size=replace(size, height_anterior=size.height, height_posterior=size.height),
    )
    bend, side = float(rng.uniform(9, 12)), -1.0 if right else 1.0
    for at in range(len(vertebrae)):
        away = at - index  # > 0: below
        lean = 0.0 if away == 0 else -side * np.sign(away) * bend * np.exp(-(((abs(away) - 1) / 2.5) ** 2))
        vertebrae[at] = replace(vertebrae[at], sideways=vertebrae[at].sideways + float(lean))
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


def block_vertebra(patient: Patient, rng: np.random.Generator) -> Patient:
    """Two neighbours that never parted: a trace of a disc, no movement, a waist."""
    at = places(patient)
    weights = np.where(at < 7.5, 1.0, np.where(at < 19, 0.25, 0.7)) * (at < 23.9)
    index = int(rng.choice(len(at), p=weights / weights.sum()))
    vertebrae = list(patient.vertebrae)
    first = vertebrae[index]
    trace = float(rng.uniform(1.0, 2.0))
    disc = replace(
        first.disc, fused=True, degeneration=0.0, height_anterior=trace, height_middle=trace, height_posterior=trace
    )
    small = replace(first.size, lower_width=0.93 * first.size.lower_width, lower_depth=0.93 * first.size.lower_depth)
    vertebrae[index] = replace(first, disc=disc, size=small, slip_mm=0.0)
    below = vertebrae[index + 1]
    small = replace(below.size, upper_width=0.93 * below.size.upper_width, upper_depth=0.93 * below.size.upper_depth)
    vertebrae[index + 1] = replace(below, size=small)
    return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))


WEAR = (
    Anomaly(name="hemivertebra", share=by_age((0, 0.002)), edit=hemivertebra),
    Anomaly(name="block-vertebra", share=by_age((0, 0.005)), edit=block_vertebra),
    Anomaly(name="scoliosis", share=by_age((0, 0.13), (60, 0.36)), edit=scoliosis),
    Anomaly(name="severe-scoliosis", share=by_age((0, 0.003)), edit=severe_scoliosis),
    Anomaly(name="degenerated-discs", share=by_age((0, 0.10), (40, 0.30), (60, 0.50)), edit=worn_discs),
    Anomaly(name="spondylolisthesis", share=by_age((0, 0.03), (50, 0.08)), edit=spondylolisthesis),
    Anomaly(name="wedge-fracture", share=by_age((0, 0.005), (50, 0.08), (70, 0.16)), edit=wedge_fracture, youngest=50),
    Anomaly(
        name="biconcave-fracture",
        share=by_age((0, 0.002), (50, 0.04), (70, 0.08)),
        edit=biconcave_fracture,
        youngest=50,
    ),
    Anomaly(name="osteophytes", share=by_age((0, 0.08), (40, 0.35), (60, 0.7)), edit=osteophytes, youngest=40),
)
