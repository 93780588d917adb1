"""Sizes of vertebrae and discs about their means, and the wedges that make them fit the alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.alignment import Sagittal
from numbering.phantom.anatomy.morphometry import FACET_SD, mean_discs, mean_sizes
from numbering.phantom.anatomy.patient import DiscBelow, Sacrum, Size
from numbering.phantom.anatomy.person import Person
from numbering.phantom.anatomy.wedges import fitted, lower_wedge, upper_wedge

Array = NDArray[np.float64]


def _chain(rng: np.random.Generator, count: int, correlation: float) -> Array:
    """Standard normal numbers of which neighbours correlate."""
    found = rng.normal(0, 1, count)
    for index in range(1, count):
        found[index] = correlation * found[index - 1] + np.sqrt(1 - correlation**2) * found[index]
    return np.clip(found, -2.6, 2.6)


def sample_sizes(rng: np.random.Generator, places: Array, person: Person) -> list[Size]:
    """Sizes of the vertebrae: means of their places, times factors of sex, stature, person, neighbourhood and level."""
    count, male = len(places), 1.0 if person.sex == "M" else -1.0
    build, ring, stalk = rng.normal(0, 1, 3)
    height = 0.041 * male + 0.026 * person.tall + 0.026 * rng.normal() + 0.044 * _chain(rng, count, 0.3)
    wedge = 0.014 * rng.normal(0, 1, count)
    width = 0.054 * male + 0.015 * person.tall + 0.034 * build + 0.028 * _chain(rng, count, 0.8)
    depth = 0.054 * male + 0.012 * person.tall + 0.030 * build + 0.034 * _chain(rng, count, 0.8)
    canal = 0.018 * male + (0.06 * ring + 0.065 * _chain(rng, count, 0.6)) * np.interp(places, [22, 24], [1, 1.7])
    pedicle_width = 0.05 * male + 0.8 * (width - 0.054 * male) + 0.07 * stalk + 0.07 * _chain(rng, count, 0.6)
    reach = 0.055 * male + 0.5 * build * 0.034 + 0.06 * _chain(rng, count, 0.5)
    facets = rng.normal(0, 1) * 6 + rng.normal(0, 1, count) * np.sqrt(FACET_SD**2 - 36)
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
    sizes = {name: mean * np.exp(own[name]) for name, mean in mean_sizes(places).items()}
    sizes["facet_angle"] = np.clip(sizes["facet_angle"] + facets, 5, 88)
    return [Size(**{name: float(column[index]) for name, column in sizes.items()}) for index in range(count)]


def sample_discs(rng: np.random.Generator, places: Array, person: Person, sizes: list[Size]) -> tuple[Array, Array]:
    """Mean heights ``(n,)`` and degeneration ``(n,)`` 0…1, of the discs below the vertebrae."""
    count = len(places)
    mean = mean_discs(places)
    strain = np.interp(places, [2, 5, 8, 14, 18, 21, 23, 24], [0.3, 0.75, 0.2, 0.35, 0.3, 0.55, 1.0, 1.0])
    years = max(0.0, (person.age - 20) / 70)
    wear = strain * years * 0.7 + 0.09 * rng.normal() * (0.4 + years) + 0.13 * _chain(rng, count, 0.3) * (0.4 + years)
    wear = np.clip(wear, 0, 0.85)
    male = 1.0 if person.sex == "M" else -1.0
    own = np.interp(places, [2, 7, 14, 19, 21, 24], [0.5, 0.7, 1.05, 1.2, 1.25, 1.5])
    height = mean * np.exp(0.04 * male + 0.03 * person.tall + 0.06 * rng.normal()) + own * _chain(rng, count, 0.25)
    return np.maximum(height, 0.45 * mean) * (1 - 0.42 * wear), wear


def wedged(
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
