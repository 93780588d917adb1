"""A patient from a seed."""

from __future__ import annotations

import numpy as np

from numbering.anatomy import Level, Variant
from numbering.phantom.anatomy import anomalies, coronal
from numbering.phantom.anatomy.alignment import Sagittal, sample_sagittal
from numbering.phantom.anatomy.bodies import sample_discs, sample_sizes, wedged
from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.anatomy.patient import Patient, Sacrum, Size, Vertebra
from numbering.phantom.anatomy.person import Person, sample_person
from numbering.phantom.anatomy.ribs import sample_ribs
from numbering.phantom.anatomy.soft import sample_soft
from numbering.phantom.anatomy.wedges import leaning

HIGHEST = Level.C2


def sample(seed: int, anomaly: str | None = None) -> Patient:
    """The patient of this seed; the same seed and anomaly always give the same one.

    ``anomaly`` None draws the population with its prevalences, ``"none"`` the usual anatomy, one of
    `anomalies.ANOMALIES` (or several, joined with ``+``) that and nothing else; ``ValueError`` for anything else.
    """
    chosen = anomalies.parse(anomaly)
    person = sample_person(np.random.default_rng([seed, 1]), anomalies.youngest(chosen or ()))
    if chosen is None:
        chosen = anomalies.draw(np.random.default_rng([seed, 2]), person.sex, person.age)
    patient = _usual(seed, person, anomalies.variant(chosen))
    for name in chosen:
        patient = anomalies.edit(patient, name)
    return patient


def _usual(seed: int, person: Person, variant: Variant) -> Patient:
    rng = np.random.default_rng([seed, 3])
    every = variant.levels()
    top = every.index(HIGHEST)
    levels = every[top : every.index(Level.S1)]
    places = np.array([reference(level, variant) for level in levels])
    sizes = sample_sizes(rng, places, person)
    heights, wear = sample_discs(rng, places, person, sizes)
    rises = np.array([size.height for size in sizes]) + heights
    sagittal = sample_sagittal(rng, places, rises, person.age)
    sacrum = _sacrum(rng, person, sagittal, sizes[-1])
    sizes, discs = wedged(sizes, heights, wear, sagittal, sacrum)
    sideways, turn = coronal.usual(rng, places)
    steps = np.clip(rng.normal(0, 1, len(places)), -2.2, 2.2) * np.interp(places, [2, 10, 20], [0.4, 0.6, 0.95])
    scale = float(np.mean([size.height for size in sizes[-5:]])) / 26.2
    thoracic = np.array([level.region == "T" for level in levels])
    ribs = iter(sample_ribs(rng, places[thoracic], scale))
    vertebrae = tuple(
        Vertebra(
            level=level,
            ordinal=top + 1 + index,
            size=sizes[index],
            disc=discs[index],
            forward=0.0,
            sideways=float(sideways[index]),
            turn=float(turn[index]),
            slip_mm=float(steps[index]),
            rib_mm=next(ribs) if thoracic[index] else (0.0, 0.0),
        )
        for index, level in enumerate(levels)
    )
    return Patient(
        seed=seed,
        sex=person.sex,
        age=person.age,
        stature_mm=person.stature_mm,
        weight_kg=person.weight_kg,
        bone_hu=person.bone_hu,
        variant=variant,
        anomalies=(),
        vertebrae=leaning(vertebrae, sacrum),
        sacrum=sacrum,
        soft=sample_soft(rng, person.sex, person.age, person.stature_mm, person.weight_kg),
        supine_loss=float(np.clip(rng.normal(6.5, 1.5), 2, 11)),
    )


def _sacrum(rng: np.random.Generator, person: Person, sagittal: Sagittal, lowest: Size) -> Sacrum:
    male = person.sex == "M"
    grown = 1 + 0.018 * person.tall
    return Sacrum(
        slope=sagittal.slope,
        pelvic_incidence=sagittal.incidence,
        endplate_width=lowest.lower_width * float(np.clip(rng.normal(1.07, 0.035), 0.98, 1.16)),
        endplate_depth=lowest.lower_depth * float(np.clip(rng.normal(0.97, 0.035), 0.88, 1.06)),
        width=float(rng.normal(111 if male else 113, 5)) * grown,
        length=float(rng.normal(117 if male else 109, 7)) * grown,
        bi_iliac=float(rng.normal(280 if male else 275, 14)) * grown,
        squared=float(rng.uniform(0, 0.25)),
        s1_s2_disc_mm=float(rng.uniform(0.8, 2.5)) if rng.random() < 0.5 else 0.0,
        crest_ordinal=float(np.clip(rng.normal(23.4, 0.29), 22.4, 24.3)),
    )
