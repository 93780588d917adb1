"""Where the direct network sees L1, told by the vertebrae that the walks found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from numbering.pipelines.ct.reading.eyes import DirectLook
from numbering.pipelines.ct.reading.found import VOXEL, Found
from numbering.pipelines.ct.reading.working import Working

Array = NDArray[np.float64]

REACH_MM = 12.0
"""Voxels of L1 so near to a vertebra still speak for it: the direct grid is coarse."""


@dataclass(frozen=True, eq=False)
class Direct:
    """L1 by the direct network: its volume (0: it sees none) and middle, and which share of it lies in each of the
    vertebrae that were found; the rest lies in none of them."""

    volume_mm3: float
    centre: Array | None
    shares: Array

    @property
    def elsewhere(self) -> float:
        """The share of it that lies in none of them."""
        return float(1 - self.shares.sum()) if self.volume_mm3 else 0.0


def largest(look: DirectLook, working: Working) -> tuple[float, Array, Array]:
    """Volume in mm³ of the largest piece of L1, its voxels as working indices ``(n, 3)``, and their probabilities."""
    probabilities = look.probabilities[look.classes.index("L1")]
    pieces, count = label(probabilities >= VOXEL)
    if count == 0:
        return 0.0, np.zeros((0, 3)), np.zeros(0)
    sums = np.bincount(pieces.ravel(), probabilities.ravel())
    at = np.argwhere(pieces == 1 + int(np.argmax(sums[1:])))
    voxel = float(np.prod(look.step)) * working.spacing_mm**3
    return len(at) * voxel, at * look.step + look.first, probabilities[tuple(at.T)].astype(float)


def direct(look: DirectLook, found: Sequence[Found], working: Working) -> Direct:
    """What the direct network says of these vertebrae."""
    volume, at, weights = largest(look, working)
    shares = np.zeros(len(found))
    if not volume:
        return Direct(0.0, None, shares)
    centre = np.asarray(weights @ at / weights.sum())
    if not found:
        return Direct(volume, centre, shares)
    away = np.stack([_distance_mm(one, at, working.spacing_mm) for one in found])
    nearest = away.argmin(0)
    near = away[nearest, np.arange(len(at))] <= REACH_MM
    np.add.at(shares, nearest[near], weights[near])
    return Direct(volume, centre, shares / weights.sum())


def _distance_mm(one: Found, at: Array, spacing_mm: float) -> Array:
    """How far points lie from a vertebra: 0 within it, else to its middle, less the radius of a ball of its size."""
    index = np.rint(at - one.corner).astype(int)
    inside = ((index >= 0) & (index < one.share.shape)).all(1)
    within = np.zeros(len(at), bool)
    within[inside] = one.mask[tuple(index[inside].T)]
    radius = (3 * one.voxels / (4 * np.pi)) ** (1 / 3)
    return np.where(within, 0.0, np.maximum(np.linalg.norm(at - one.centre, axis=1) - radius, 0.5) * spacing_mm)
