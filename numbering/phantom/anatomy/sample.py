"""A patient from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.phantom.anatomy import anomalies, coronal, morphometry
from numbering.phantom.anatomy.alignment import Sagittal, sample_sagittal
from numbering.phantom.anatomy.morphometry import mean_disc, mean_size, reference
from numbering.phantom.anatomy.patient import DiscBelow, Patient, Sacrum, Size, Vertebra
from numbering.phantom.anatomy.ribs import sample_ribs
from numbering.phantom.anatomy.soft import sample_soft
from numbering.phantom.anatomy.wedges import fitted, leaning, lower_wedge, upper_wedge

Array = NDArray[np.float64]
HIGHEST = Level.C2


@dataclass(frozen=True)
class Person:
    """Who it is; ``tall`` is the stature in SDs of the sex, ``bone_hu`` the trabecular HU of L1."""

    sex: Literal["F", "M"]
    age: int
    stature_mm: float
    weight_kg: float
    bone_hu: float
    tall: float


def sample(seed: int, anomaly: str | None = None) -> Patient:
    """The patient of this seed; the same seed and anomaly always give the same one.

    ``anomaly`` None draws the population with its prevalences, ``"none"`` the usual anatomy, one of
    `anomalies.ANOMALIES` (or several, joined with ``+``) that and nothing else; ``ValueError`` for anything else.
    """
    chosen = anomalies.parse(anomaly)
    person = _person(np.random.default_rng([seed, 1]), chosen)
    if chosen is None:
        chosen = anomalies.draw(np.random.default_rng([seed, 2]), person.sex, person.age)
    patient = _usual(seed, person, anomalies.variant(chosen))
    for name in chosen:
        patient = anomalies.edit(patient, name)
    return patient


def _person(rng: np.random.Generator, chosen: tuple[str, ...] | None) -> Person:
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    age = int(np.clip(rng.normal(55, 17), 18, 92))
    if chosen:
        youngest = anomalies.youngest(chosen)
        age = max(age, youngest + age % (92 - youngest)) if age < youngest else age
    tall = float(np.clip(rng.normal(), -2.5, 2.5))
    stature = (1762 + 70 * tall if sex == "M" else 1628 + 65 * tall) - 1.2 * max(0, age - 45)
    bmi = float(np.clip(26 * np.exp(rng.normal(0, 0.16)), 17, 44))
    return Person(sex, age, stature, bmi * (stature / 1000) ** 2, _bone_hu(rng, age), tall)


def _bone_hu(rng: np.random.Generator, age: int) -> float:
    """Trabecular HU of L1 at 120 kV: 226 ± 44 below 30 years, −2.5 a year after that, 89 ± 38 above 90 (ANATOMY C)."""
    mean = np.interp(age, [25, 90], [233, 85])
    sd = np.interp(age, [30, 90], [44, 38])
    return float(np.clip(rng.normal(mean, sd), 15, 380))


def _usual(seed: int, person: Person, variant: Variant) -> Patient:
    rng = np.random.default_rng([seed, 3])
    levels = [level for level in variant.levels() if HIGHEST <= level < Level.S1]
    places = np.array([reference(level, variant) for level in levels])
    sizes = _sizes(rng, places, person)
    heights, wear = _discs(rng, places, person, sizes)
    rises = np.array([size.height for size in sizes])
    rises = rises + heights
    sagittal = sample_sagittal(rng, places, rises, person.age)
    sacrum = _sacrum(rng, person, sagittal, sizes[-1])
    sizes, discs = _wedged(sizes, heights, wear, sagittal, sacrum)
    sideways, turn = coronal.usual(rng, places)
    steps = np.clip(rng.normal(0, 1, len(places)), -2.2, 2.2) * np.interp(places, [2, 10, 20], [0.4, 0.6, 0.95])
    scale = float(np.mean([size.height for size in sizes[-5:]])) / 26.2
    thoracic = np.array([level.region == "T" for level in levels])
    ribs = iter(sample_ribs(rng, places[thoracic], scale))
    vertebrae = tuple(
        Vertebra(
            level=level,
            ordinal=variant.ordinal(level),
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


def _chain(rng: np.random.Generator, count: int, correlation: float) -> Array:
    """Standard normal numbers of which neighbours correlate."""
    found = rng.normal(0, 1, count)
    for index in range(1, count):
        found[index] = correlation * found[index - 1] + np.sqrt(1 - correlation**2) * found[index]
    return np.clip(found, -2.6, 2.6)


def _sizes(rng: np.random.Generator, places: Array, person: Person) -> list[Size]:
    """Sizes of the vertebrae: means of their places, times factors of sex, stature, person, neighbourhood and level."""
    count, male = len(places), 1.0 if person.sex == "M" else -1.0
    build, canal, pedicle = rng.normal(0, 1, 3)
    height = 0.041 * male + 0.026 * person.tall + 0.026 * rng.normal() + 0.040 * _chain(rng, count, 0.35)
    wedge = 0.014 * rng.normal(0, 1, count)
    width = 0.054 * male + 0.015 * person.tall + 0.034 * build + 0.028 * _chain(rng, count, 0.8)
    depth = 0.054 * male + 0.012 * person.tall + 0.030 * build + 0.034 * _chain(rng, count, 0.8)
    canal = 0.018 * male + (0.06 * canal + 0.065 * _chain(rng, count, 0.6)) * np.interp(places, [22, 24], [1, 1.7])
    pedicle_width = 0.05 * male + 0.8 * (width - 0.054 * male) + 0.07 * pedicle + 0.07 * _chain(rng, count, 0.6)
    reach = 0.055 * male + 0.5 * build * 0.034 + 0.06 * _chain(rng, count, 0.5)
    facets = rng.normal(0, 1) * 6 + rng.normal(0, 1, count) * np.sqrt(morphometry.FACET_SD**2 - 36)
    own = {
        "upper_width": width + rng.normal(0, 0.012, count),
        "lower_width": width + rng.normal(0, 0.012, count),
        "upper_depth": depth + rng.normal(0, 0.012, count),
        "lower_depth": depth + rng.normal(0, 0.012, count),
        "height_anterior": height + wedge,
        "height_posterior": height - wedge,
        "canal_width": canal,
        "canal_depth": canal + rng.normal(0, 0.06, count),
        "pedicle_width": pedicle_width,
        "pedicle_height": height + rng.normal(0, 0.06, count),
        "spinous_length": reach,
        "transverse_span": reach + rng.normal(0, 0.03, count),
        "facet_angle": np.zeros(count),
    }
    found = []
    for index, place in enumerate(places):
        mean = mean_size(float(place))
        size = {name: mean[name] * float(np.exp(own[name][index])) for name in morphometry.COLUMNS}
        size["facet_angle"] = float(np.clip(size["facet_angle"] + facets[index], 5, 88))
        found.append(Size(**size))
    return found


def _discs(rng: np.random.Generator, places: Array, person: Person, sizes: list[Size]) -> tuple[Array, Array]:
    """Mean heights ``(n,)`` and degeneration ``(n,)`` 0…1, of the discs below the vertebrae."""
    count = len(places)
    mean = np.array([mean_disc(float(place)) for place in places])
    strain = np.interp(places, [2, 5, 8, 14, 18, 21, 23, 24], [0.3, 0.75, 0.2, 0.35, 0.3, 0.55, 1.0, 1.0])
    years = max(0.0, (person.age - 20) / 70)
    wear = strain * years * 0.7 + 0.09 * rng.normal() * (0.4 + years) + 0.13 * _chain(rng, count, 0.3) * (0.4 + years)
    wear = np.clip(wear, 0, 0.85)
    male = 1.0 if person.sex == "M" else -1.0
    own = np.interp(places, [2, 7, 14, 19, 21, 24], [0.5, 0.7, 0.95, 1.15, 1.3, 1.7])
    height = mean * np.exp(0.04 * male + 0.03 * person.tall + 0.06 * rng.normal()) + own * _chain(rng, count, 0.25)
    return np.maximum(height, 0.45 * mean) * (1 - 0.5 * wear), wear


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
        crest_ordinal=float(np.clip(rng.normal(23.28, 0.42), 22.2, 24.2)),
    )


def _wedged(
    sizes: list[Size], heights: Array, wear: Array, sagittal: Sagittal, sacrum: Sacrum
) -> tuple[list[Size], list[DiscBelow]]:
    """Sizes and discs whose wedges add up to the segments of the alignment.

    What a disc's wedge cannot give, the body above it gives.
    """
    sizes, discs = list(sizes), []
    for index, size in enumerate(sizes):
        below = sizes[index + 1].upper_depth if index + 1 < len(sizes) else sacrum.endplate_depth
        wanted = float(sagittal.segments[index]) - upper_wedge(size) - lower_wedge(size)
        front, back, rest = fitted(float(heights[index]), wanted, (size.lower_depth + below) / 2)
        shift = float(np.radians(rest)) / 4 * (size.upper_depth + size.lower_depth)
        sizes[index] = replace(
            size, height_anterior=size.height_anterior + shift, height_posterior=size.height_posterior - shift
        )
        discs.append(
            DiscBelow(
                height_anterior=front,
                height_middle=float(heights[index]) * (1.08 - 0.06 * float(wear[index])),
                height_posterior=back,
                degeneration=float(wear[index]),
            )
        )
    return sizes, discs
