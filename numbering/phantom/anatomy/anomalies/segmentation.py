"""How many vertebrae and ribs there are, and how the last lumbar one joins the sacrum.

Shares (ANATOMY table G): 11 pairs of ribs 8.0 %, 13 pairs 0.4 % (n = 1,340) [V]; hypoplastic rib 12 12.6 %,
sacralisation 12.3 %, lumbarisation 4.0 % (CT, n = 551) [V]; lumbar rib 1.5 and 5.8 % [V]; one mobile vertebra more
4.3 %, one fewer 3.3 % (Tins & Balain, *Insights Imaging* 2016;7:199) [V]; Castellvi I 40–45, II 30–35, III 15–20,
IV 5–8 % of them [E]. Complete forms are counted in: L4 among the sacralised, L6 among the lumbarised.

Names follow docs/conventions.md. A nineteenth vertebra without any rib is T12 with both ribs absent when it looks
thoracic and five lumbar-type vertebrae follow it, and L1 of ``T11-L6`` when it looks like the first of six.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numbering.anatomy import Level
from numbering.phantom.anatomy.anomalies.anomaly import Anomaly, Edit, by_age
from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.anatomy.patient import Castellvi, Patient, Size, Vertebra
from numbering.phantom.anatomy.ribs import SHORT_MM
from numbering.phantom.anatomy.wedges import leaning, refitted

_UPPER, _LOWER = frozenset({"thoracolumbar"}), frozenset({"lumbosacral"})
RANK: tuple[Castellvi, ...] = ("none", "I", "II", "III", "IV")


def _with(patient: Patient, level: Level, **changes: object) -> Patient:
    vertebrae = tuple(replace(v, **changes) if v.level is level else v for v in patient.vertebrae)  # type: ignore[arg-type]
    return replace(patient, vertebrae=vertebrae)


def _short(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(26, 6), 12, SHORT_MM - 1))


def _short_rib(patient: Patient, rng: np.random.Generator) -> Patient:
    """Both ribs of T12 shorter than 38 mm, or one of them."""
    right, left = _short(rng), _short(rng)
    usual = next(v for v in patient.vertebrae if v.level is Level.T12).rib_mm
    if rng.random() < 0.3:
        right, left = (right, usual[1]) if rng.random() < 0.5 else (usual[0], left)
    return _with(patient, Level.T12, rib_mm=(right, left))


def _absent_rib(patient: Patient, rng: np.random.Generator) -> Patient:
    """Both ribs of T12 absent (70 %), or one while the other is short or usual."""
    right, left = next(v for v in patient.vertebrae if v.level is Level.T12).rib_mm
    stays = _short(rng) if rng.random() < 0.5 else (right + left) / 2
    lengths = (0.0, 0.0) if rng.random() < 0.7 else ((stays, 0.0) if rng.random() < 0.5 else (0.0, stays))
    return _with(patient, Level.T12, rib_mm=lengths)


def _lumbar_rib(patient: Patient, rng: np.random.Generator) -> Patient:
    """Ribs of L1 shorter than 38 mm, on both sides or on one: with longer ones it would be T13."""
    right, left = _short(rng), _short(rng)
    if rng.random() < 0.4:
        right, left = (right, 0.0) if rng.random() < 0.5 else (0.0, left)
    return _with(patient, Level.L1, rib_mm=(right, left))


def _thirteenth(patient: Patient, rng: np.random.Generator) -> Patient:
    """Ribs of T13, each at least 38 mm long."""
    lengths = np.clip(rng.normal(70, 6) + 12 * rng.normal() + rng.normal(0, 5, 2), SHORT_MM + 1, 130)
    return _with(patient, Level.T13, rib_mm=(float(lengths[0]), float(lengths[1])))


def _bifurcation(patient: Patient, rng: np.random.Generator, mean: float) -> Patient:
    """The aorta divides at this ordinal counted from C1 on average; vessels keep to the count rather than the form."""
    ordinals = [v.ordinal for v in patient.vertebrae]
    places = [reference(v.level, patient.variant) for v in patient.vertebrae]
    wanted = float(np.clip(rng.normal(mean, 0.38), mean - 1, mean + 1))
    return replace(patient, soft=replace(patient.soft, bifurcation_ordinal=float(np.interp(wanted, ordinals, places))))


def _sixth(patient: Patient, rng: np.random.Generator) -> Patient:
    """L6 is free of the sacrum: no joint, at most a broad process; a full-sized disc below."""
    patient = _bifurcation(patient, rng, 23.45 if patient.variant.thoracic == 12 else 23.0)
    broad: tuple[Castellvi, Castellvi] = ("I", "I") if rng.random() < 0.15 else ("none", "none")
    return _with(patient, Level.L6, castellvi=broad)


def _fourth(patient: Patient, rng: np.random.Generator) -> Patient:
    """The fifth lumbar vertebra is one with the sacrum, which is so much longer."""
    patient = _bifurcation(patient, rng, 22.2 if patient.variant.thoracic == 12 else 23.0)
    sacrum = patient.sacrum
    return replace(patient, sacrum=replace(sacrum, length=sacrum.length * float(rng.normal(1.12, 0.03))))


def _thirteen_and_four(patient: Patient, rng: np.random.Generator) -> Patient:
    return _fourth(_thirteenth(patient, rng), rng)


def castellvi(right: Castellvi, left: Castellvi) -> Edit:
    """The edit that gives the lowest lumbar vertebra these classes: the higher, the more it looks sacral.

    Broad processes, a lower and less wedged disc below, a squarer body; with a joint or fusion the aorta divides one
    vertebra higher (ANATOMY table F).
    """

    def edit(patient: Patient, rng: np.random.Generator) -> Patient:
        sides = (right, left) if rng.random() < 0.5 else (left, right)
        rank = max(RANK.index(side) for side in sides)
        vertebrae = list(patient.vertebrae)
        last, disc = vertebrae[-1], vertebrae[-1].disc
        broad = last.size.transverse_span * (1.08 if rank == 1 else 1.22) * float(np.exp(rng.normal(0, 0.04)))
        vertebrae[-1] = replace(last, castellvi=sides, size=replace(last.size, transverse_span=broad))
        if rank > 1:
            lower = 0.72 if rank == 2 else 0.42
            height = (disc.height_anterior + disc.height_posterior) / 2 * lower * float(np.exp(rng.normal(0, 0.1)))
            vertebrae[-1] = replace(vertebrae[-1], size=_squarer(vertebrae[-1], 0.2 * (rank - 1)), slip_mm=0.0)
            vertebrae[-1] = refitted(vertebrae, len(vertebrae) - 1, patient.sacrum, height=max(2.5, height))
            patient = _bifurcation(patient, rng, 22.2)
        return replace(patient, vertebrae=leaning(vertebrae, patient.sacrum))

    return edit


def _squarer(vertebra: Vertebra, share: float) -> Size:
    size = vertebra.size
    wide = (size.upper_width + size.lower_width) / 2
    return replace(
        size,
        upper_width=size.upper_width + share * (wide - size.upper_width),
        lower_width=size.lower_width + share * (wide - size.lower_width) + 4 * share,
    )


def _sacralisation(patient: Patient, rng: np.random.Generator) -> Patient:
    """One of the forms with a joint or fusion, as common as they are among each other."""
    forms: tuple[tuple[Castellvi, Castellvi], ...] = (("II", "none"), ("II", "II"), ("III", "none"))
    forms = (*forms, ("III", "III"), ("II", "III"))
    chosen = forms[int(rng.choice(5, p=[0.37, 0.22, 0.10, 0.19, 0.12]))]
    return castellvi(*chosen)(patient, rng)


def _lumbarisation(patient: Patient, rng: np.random.Generator) -> Patient:
    """S1 looks lumbar: squared, with a disc below, and still joined or fused to the sacrum on one side at least."""
    forms: tuple[tuple[Castellvi, Castellvi], ...] = (("II", "II"), ("II", "none"), ("II", "III"), ("III", "III"))
    right, left = forms[int(rng.choice(4, p=[0.4, 0.2, 0.2, 0.2]))]
    sacrum = replace(
        patient.sacrum,
        squared=float(rng.uniform(0.6, 1.0)),
        s1_s2_disc_mm=float(rng.uniform(4.0, 7.5)),
        castellvi=(right, left) if rng.random() < 0.5 else (left, right),
    )
    return replace(_bifurcation(patient, rng, 23.45), sacrum=sacrum)


def _squared(patient: Patient, rng: np.random.Generator) -> Patient:
    """S1 squared with a disc below, but of the sacrum: fused at both alae."""
    squared, disc = float(rng.uniform(0.45, 0.85)), float(rng.uniform(3.0, 5.5))
    return replace(patient, sacrum=replace(patient.sacrum, squared=squared, s1_s2_disc_mm=disc))


SEGMENTATION = (
    Anomaly(name="T11", share=by_age((0, 0.015)), thoracic=11, places=_UPPER),
    Anomaly(name="T11-L6", share=by_age((0, 0.005)), edit=_sixth, thoracic=11, lumbar=6, places=_UPPER | _LOWER),
    Anomaly(name="T13", share=by_age((0, 0.003)), edit=_thirteenth, thoracic=13, places=_UPPER),
    Anomaly(
        name="T13-L4",
        share=by_age((0, 0.001)),
        edit=_thirteen_and_four,
        thoracic=13,
        lumbar=4,
        places=_UPPER | _LOWER,
    ),
    Anomaly(name="short-rib-12", share=by_age((0, 0.126)), edit=_short_rib, places=_UPPER),
    Anomaly(name="absent-rib-12", share=by_age((0, 0.085)), edit=_absent_rib, places=_UPPER),
    Anomaly(name="lumbar-rib", share=by_age((0, 0.03)), edit=_lumbar_rib, places=_UPPER),
    Anomaly(name="L4", share=by_age((0, 0.018)), edit=_fourth, lumbar=4, places=_LOWER),
    Anomaly(name="L6", share=by_age((0, 0.022)), edit=_sixth, lumbar=6, places=_LOWER),
    Anomaly(name="castellvi-Ia", share=by_age((0, 0.020)), edit=castellvi("I", "none"), places=_LOWER),
    Anomaly(name="castellvi-Ib", share=by_age((0, 0.025)), edit=castellvi("I", "I"), places=_LOWER),
    Anomaly(name="castellvi-IIa", share=by_age((0, 0.022)), edit=castellvi("II", "none"), places=_LOWER),
    Anomaly(name="castellvi-IIb", share=by_age((0, 0.013)), edit=castellvi("II", "II"), places=_LOWER),
    Anomaly(name="castellvi-IIIa", share=by_age((0, 0.006)), edit=castellvi("III", "none"), places=_LOWER),
    Anomaly(name="castellvi-IIIb", share=by_age((0, 0.012)), edit=castellvi("III", "III"), places=_LOWER),
    Anomaly(name="castellvi-IV", share=by_age((0, 0.007)), edit=castellvi("II", "III"), places=_LOWER),
    Anomaly(name="sacralisation", share=by_age((0, 0.0)), edit=_sacralisation, places=_LOWER),
    Anomaly(name="lumbarisation", share=by_age((0, 0.018)), edit=_lumbarisation, places=_LOWER),
    Anomaly(name="squared-s1", share=by_age((0, 0.06)), edit=_squared, places=_LOWER),
)
"""`sacralisation` is drawn under its Castellvi names in the population, so its own share is 0."""
