"""A simulated patient: everything that is drawn by chance, drawn once, and kept as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import TypeAdapter

from numbering.anatomy import USUAL, Level, Variant
from numbering.phantom.old.anatomy import SACRAL_SLOPE, Size, mean_size, mean_tilt, reference, rib_reach

ANOMALIES = ("none", "L4", "L6", "T11", "T13", "scoliosis", "short-rib-12", "lumbar-rib")
"""What ``anomaly`` may name. ``None`` (not named) draws the usual spine, mostly straight."""

_VARIANT = {"L4": Variant(12, 4), "L6": Variant(12, 6), "T11": Variant(11, 5), "T13": Variant(13, 5)}
HIGHEST = Level.C4


@dataclass(frozen=True, kw_only=True)
class Vertebra:
    """One vertebra as sampled: its sizes and how it leans.

    ``forward``, ``sideways`` and ``turn`` are degrees about the patient's x (front down positive), y (towards the
    patient's left positive) and z (towards the patient's left positive). ``rib_mm`` is the length of its ribs, right
    and left, 0 where it bears none.
    """

    level: Level
    ordinal: int
    size: Size
    forward: float
    sideways: float
    turn: float
    rib_mm: tuple[float, float]

    @property
    def rib_bearing(self) -> bool:
        """Whether it bears a rib on either side, however short."""
        return max(self.rib_mm) > 0


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A sampled patient. ``scale`` multiplies the mean sizes; ``girth`` the soft tissue; ``bone`` the bone density."""

    seed: int
    sex: Literal["F", "M"]
    variant: Variant
    anomalies: tuple[str, ...]
    scale: float
    girth: float
    bone: float
    sacral_slope: float
    gas: float
    """How much gas the bowel holds, about 1."""
    vertebrae: tuple[Vertebra, ...]
    """Head to foot, from C4 to the lowest lumbar-type vertebra."""

    @property
    def lowest_lumbar(self) -> Vertebra:
        """The lowest lumbar-type vertebra: L5 in the usual spine."""
        return self.vertebrae[-1]


_JSON = TypeAdapter(Patient)


def to_json(patient: Patient) -> str:
    """The patient as JSON; `from_json` gives it back equal."""
    return _JSON.dump_json(patient, indent=1).decode()


def from_json(text: str | bytes) -> Patient:
    """The patient that `to_json` wrote; ``pydantic.ValidationError`` names what does not fit."""
    return _JSON.validate_json(text)


def sample(seed: int, anomaly: str | None = None) -> Patient:
    """The patient of this seed; the same seed and anomaly always give the same one.

    ``anomaly`` is one of `ANOMALIES`; anything else is a ``ValueError`` that lists them.
    """
    if anomaly is not None and anomaly not in ANOMALIES:
        raise ValueError(f"no anomaly {anomaly!r}: expected one of {', '.join(ANOMALIES)}")
    rng = np.random.default_rng([seed, 1])
    variant = _VARIANT.get(anomaly or "", USUAL)
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    scale = float(np.clip(rng.normal(1.04 if sex == "M" else 0.96, 0.04), 0.86, 1.14))
    return Patient(
        seed=seed,
        sex=sex,
        variant=variant,
        anomalies=() if anomaly in (None, "none") else (str(anomaly),),
        scale=scale,
        girth=float(np.clip(rng.normal(1.0, 0.1), 0.82, 1.25)),
        bone=float(np.clip(rng.normal(1.0, 0.15), 0.65, 1.35)),
        sacral_slope=float(np.clip(rng.normal(SACRAL_SLOPE, 7), 22, 56)),
        gas=float(rng.gamma(4, 0.25)),
        vertebrae=_vertebrae(rng, variant, scale, anomaly),
    )


def _vertebrae(rng: np.random.Generator, variant: Variant, scale: float, anomaly: str | None) -> tuple[Vertebra, ...]:
    levels = [level for level in variant.levels() if HIGHEST <= level < Level.S1]
    places = np.array([reference(level, variant) for level in levels])
    sideways, turn = _coronal_curve(rng, places, anomaly == "scoliosis")
    lordosis = float(np.clip(rng.normal(1, 0.18), 0.5, 1.4))
    factors = _correlated(rng, len(levels), 0.035)
    found = []
    for index, (level, place) in enumerate(zip(levels, places, strict=True)):
        size = {name: value * scale * factors[index] for name, value in mean_size(place).items()}
        size = {name: value * float(rng.normal(1, 0.02)) for name, value in size.items()}
        size["disc_below"] *= float(np.clip(rng.normal(1, 0.12), 0.5, 1.3))
        found.append(
            Vertebra(
                level=level,
                ordinal=variant.ordinal(level),
                size=Size(**size),
                forward=mean_tilt(place) * lordosis + float(rng.normal(0, 1)),
                sideways=float(sideways[index]),
                turn=float(turn[index]),
                rib_mm=_ribs(rng, level, variant, scale, anomaly),
            )
        )
    return tuple(found)


def _correlated(rng: np.random.Generator, count: int, sd: float) -> np.ndarray:
    """Factors about 1 whose neighbours resemble each other (correlation 0.7)."""
    steps = rng.normal(0, sd, count)
    for index in range(1, count):
        steps[index] = 0.7 * steps[index - 1] + np.sqrt(1 - 0.7**2) * steps[index]
    return 1 + np.clip(steps, -2.5 * sd, 2.5 * sd)


def _coronal_curve(rng: np.random.Generator, places: np.ndarray, scoliosis: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lean to the side and turn about the long axis of each vertebra, degrees.

    A thoracic and an opposite lumbar bow, whose tilt runs like a cosine along the spine; the bodies turn towards the
    convex side. A mild one is drawn for everybody, 15 to 25° of Cobb angle where scoliosis is asked for.
    """
    cobb = rng.uniform(15, 25) if scoliosis else abs(rng.normal(0, 3.5))
    side = rng.choice([-1.0, 1.0])
    apex, half = rng.uniform(14, 21), rng.uniform(3.5, 5.5)  # position of the apex, vertebrae from it to the ends
    phase = (places - apex) / half * np.pi / 2
    near = np.exp(-((places - apex) ** 2) / (2 * (1.35 * half) ** 2))
    sideways = side * cobb / 2 * np.sin(phase) * near * 1.25
    turn = side * 0.45 * cobb * np.cos(phase) * near
    return sideways + rng.normal(0, 0.6, len(places)), turn + rng.normal(0, 1.2) + rng.normal(0, 0.6, len(places))


def _ribs(
    rng: np.random.Generator, level: Level, variant: Variant, scale: float, anomaly: str | None
) -> tuple[float, float]:
    """Lengths of the right and left rib of this level, mm."""
    chance = rng.normal(0, 1, 3)
    if level.region == "L":
        stubs = (32 + 6 * chance[0], 30 + 8 * chance[1])
        bears = anomaly == "lumbar-rib" and level is Level.L1
        return (max(18.0, float(stubs[0])), max(18.0, float(stubs[1]))) if bears else (0.0, 0.0)
    if level.region != "T":
        return 0.0, 0.0
    mean = rib_reach(reference(level, variant))[3] * scale
    sd = 20 if int(str(level)[1:]) >= variant.thoracic - 1 else 6
    lengths = mean + sd * (0.9 * chance[0] + 0.4 * chance[1:])
    if anomaly == "short-rib-12" and level is Level.T12:
        lengths = 28 + 6 * chance[1:]
    return max(18.0, float(lengths[0])), max(18.0, float(lengths[1]))
