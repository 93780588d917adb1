"""Standing alignment in the sagittal plane: pelvic incidence, sacral slope and the angle of every segment.

Segment angles run from a vertebra's upper endplate to the next one's below, lordosis positive. Means and SDs of L1–S1
and their dependence on pelvic incidence: *Sci Rep* 2022;12 (s41598-022-21840-x), table 2, n = 324 [V]; kyphosis T1–T12
40 ± 10, neck and balance [M]; pelvic tilt 13 ± 6 and sacral slope 41 ± 8 [M].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.morphometry import segment_angles

Array = NDArray[np.float64]

INCIDENCE = (51.0, 11.4)
SLOPE = (38.5, 8.0)
"""Mean and SD of the sacral slope; what is left of the incidence is pelvic tilt, 12 ± 6."""
SLOPE_PER_INCIDENCE = 0.62
"""So that tilt correlates 0.7 and slope 0.87 with incidence [M]."""
_LUMBAR_PER_INCIDENCE = {20: 0.10, 21: 0.144, 22: 0.12, 23: 0.156, 24: 0.096}
"""Degrees of each lumbar segment per degree of incidence: groups of 38.3, 49.6 and 63.3° in the table [V]."""
_SHARED_KYPHOSIS = 0.5
"""SD of what all thoracic segments share, degrees each."""


@dataclass(frozen=True)
class Sagittal:
    """Degrees. ``segments`` ``(n,)``: of every vertebra, head to foot, the last one's with S1."""

    incidence: float
    slope: float
    segments: Array


def sample_sagittal(rng: np.random.Generator, references: Array, rises: Array, age: int) -> Sagittal:
    """Alignment of a spine whose vertebrae stand at ``references`` of the usual spine (C2 is 2, L5 24).

    ``rises`` ``(n,)`` is the distance of each centre from the next one's below, mm. Segments and slope are normal and
    then conditioned on three things that people keep by standing upright: C7 over the sacrum, the slope of T1, and the
    slope of C2 (a level gaze).
    """
    incidence = float(np.clip(rng.normal(*INCIDENCE), 26, 84))
    mean, covariance = _prior(references, incidence)
    drawn = mean + _root(covariance) @ np.clip(rng.normal(0, 1, len(mean)), -2.6, 2.6)
    rows, targets, sds = _balance(references, rises, age)
    wanted = targets + sds * np.clip(rng.normal(0, 1, 3), -2.3, 2.3)
    gain = covariance @ rows.T @ np.linalg.inv(rows @ covariance @ rows.T)
    drawn = drawn + gain @ (wanted - rows @ drawn)
    return Sagittal(incidence, float(np.clip(drawn[0], 8, 68)), drawn[1:])


def _prior(references: Array, incidence: float) -> tuple[Array, Array]:
    """Mean ``(1 + n,)`` and covariance of the slope and the segments, given the incidence."""
    excess = incidence - INCIDENCE[0]
    angles, spreads = segment_angles(references)
    thoracic, lumbar = (references >= 7.5) & (references < 19.5), references >= 19.5
    count = np.ones(len(references))  # angles of a region are shared by more or fewer segments
    for region, usual in ((thoracic, 12), (lumbar, 5)):
        count[region] = usual / region.sum()
    places = sorted(_LUMBAR_PER_INCIDENCE)
    coupling = np.where(lumbar, np.interp(references, places, [_LUMBAR_PER_INCIDENCE[place] for place in places]), 0.0)
    mean = np.concatenate([[SLOPE[0] + SLOPE_PER_INCIDENCE * excess], (angles + coupling * excess) * count])
    spread = np.sqrt(np.maximum(spreads**2 - (coupling * INCIDENCE[1]) ** 2, 1.0))
    slope_sd = np.sqrt(max(SLOPE[1] ** 2 - (SLOPE_PER_INCIDENCE * INCIDENCE[1]) ** 2, 9.0))
    covariance = np.diag(np.concatenate([[slope_sd], spread]) ** 2)
    covariance[1:, 1:] += _SHARED_KYPHOSIS**2 * np.outer(thoracic, thoracic)
    return mean, covariance


def _balance(references: Array, rises: Array, age: int) -> tuple[Array, Array, Array]:
    """Rows ``(3, 1 + n)`` of the linear maps from slope and segments to: how far C7 stands in front of S1's middle
    (mm), the slope of T1, the slope of C2; with their wanted means and SDs."""
    n = len(references)
    neck, back = int(np.argmin(np.abs(references - 7))), int(np.argmin(np.abs(references - 8)))
    lean = np.zeros((n, 1 + n))  # front-down angle of every upper endplate
    for index in range(n):
        lean[index, 0] = 1
        lean[index, 1 + index :] = -1
    forward = np.radians(1) * (rises[neck:-1, None] * (lean[neck:-1] + lean[neck + 1 :]) / 2).sum(0)
    forward += np.radians(1) * rises[-1] * (lean[-1] + np.eye(1 + n)[0]) / 2
    older = max(0, age - 50)
    return (
        np.stack([forward, lean[back], lean[0]]),
        np.array([0.7 * older, 23.5 + 0.1 * older, 9.0]),
        np.array([22.0, 7.0, 8.0]),
    )


def _root(covariance: Array) -> Array:
    return np.asarray(np.linalg.cholesky(covariance))
