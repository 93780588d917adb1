"""A scan cut from a patient's volume: how much of the body it covers, how thick its slices, how noisy it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from numbering.pipelines.ct.learning.dataset import LEVEL_OF, Volume

SPINE_SHARE = 0.45
"""Share of scans with the field of view of a spine."""
SPINE_MM, BODY_MM = (110.0, 240.0), (300.0, 430.0)
WHOLE_SHARE = 0.25
"""Share of scans that keep the whole length of the volume."""
LEAST_MM, MOST_MM = 70.0, 480.0
"""Length of the others."""
THICK_SHARE, THICKEST_MM = 0.4, 6.0
NOISE_HU = (12.0, 0.7)
"""Median of the noise on the working grid, and its spread (log)."""
REPAINT_SHARE, REPAINT_HU = 0.3, 120.0
"""Share of scans in which each tissue is brighter or darker by chance (SD at most), bones alike."""


def scanned(volume: Volume, spacing_mm: float, rng: np.random.Generator) -> Volume:
    """A part of the patient as one series shows it."""
    window = _window(volume, spacing_mm, rng)
    labels = np.ascontiguousarray(volume.labels[window])
    hu = volume.hu[window].astype(np.float32)
    if rng.random() < REPAINT_SHARE:
        hu = _repainted(hu, labels, rng)
    if rng.random() < THICK_SHARE:
        hu = uniform_filter1d(hu, max(1, round(float(rng.uniform(2, THICKEST_MM)) / spacing_mm)), axis=0)
    noise = float(rng.lognormal(np.log(NOISE_HU[0]), NOISE_HU[1]))
    hu += noise * rng.standard_normal(hu.shape, dtype=np.float32)
    hu = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 8))
    return replace(volume, hu=hu.clip(-1024, 3071).astype(np.int16), labels=labels)


def _window(volume: Volume, spacing_mm: float, rng: np.random.Generator) -> tuple[slice, slice, slice]:
    """Of any length, anywhere along the spine; square across, centred on the spine or on the body."""
    slices, rows, columns = volume.hu.shape
    length = slices
    if rng.random() > WHOLE_SHARE:
        length = min(slices, round(float(rng.uniform(LEAST_MM, MOST_MM)) / spacing_mm))
    first = int(rng.integers(slices - length + 1))
    spine = rng.random() < SPINE_SHARE
    side = round(float(rng.uniform(*(SPINE_MM if spine else BODY_MM))) / spacing_mm)
    middle = np.array([rows / 2, columns / 2])
    if spine:
        there = np.argwhere(is_vertebra(volume.labels[first : first + length : 4, ::2, ::2]))
        if len(there):
            middle = there[:, 1:].mean(0) * 2
    middle = middle + rng.normal(0, 8 / spacing_mm, 2)
    row, column = (slice(*_within(at, side, count)) for at, count in zip(middle, (rows, columns), strict=True))
    return slice(first, first + length), row, column


def _within(middle: float, side: int, count: int) -> tuple[int, int]:
    first = round(middle - side / 2)
    return max(0, min(first, count - 1)), max(1, min(count, first + side))


def _repainted(hu: NDArray[np.float32], labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Each label's grey level shifted by chance; bones by one shift, so that nothing tells a vertebra from the next."""
    shift = rng.normal(0, float(rng.uniform(0, REPAINT_HU)), 256).astype(np.float32)
    shift[0] = 0
    bone = float(shift[1]) / 2
    shift[list(LEVEL_OF)] = bone
    shift[[26, *range(90, 99), 110]] = bone
    return hu + shift[labels]


def is_vertebra(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a presacral vertebra is."""
    return _VERTEBRA[labels]


_VERTEBRA = np.zeros(256, bool)
_VERTEBRA[list(LEVEL_OF)] = True
