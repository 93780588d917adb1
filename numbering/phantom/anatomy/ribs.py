"""Lengths of ribs: along the bone, head to front end, mm.

Ribs 1–10 estimates; 11 195 ± 20, 12 115 ± 35 (0–180), ANATOMY table A.
"""

from __future__ import annotations

import numpy as np

LENGTHS_MM = (95.0, 175.0, 230.0, 270.0, 300.0, 320.0, 330.0, 325.0, 300.0, 265.0, 195.0, 115.0)
_SD = (6.0, 9.0, 11.0, 12.0, 13.0, 14.0, 14.0, 14.0, 14.0, 16.0, 20.0, 35.0)
SHORT_MM = 38.0
"""Shorter ones at the first lumbar vertebra are lumbar ribs, at T12 hypoplastic (docs/conventions.md)."""


def sample_ribs(rng: np.random.Generator, references: np.ndarray, scale: float) -> list[tuple[float, float]]:
    """Right and left rib of thoracic vertebrae at these places of the usual spine (8 is T1, 19 T12).

    Both sides resemble each other (correlation 0.9), and so do the ribs of one person.
    """
    person = rng.normal(0, 1)
    found = []
    for place in references - 7:
        mean = float(np.interp(place, np.arange(1, 13), LENGTHS_MM)) * scale
        sd = float(np.interp(place, np.arange(1, 13), _SD))
        own = 0.5 * person + np.sqrt(0.75) * rng.normal()
        sides = mean + sd * (np.sqrt(0.9) * own + np.sqrt(0.1) * rng.normal(0, 1, 2))
        right, left = (float(np.clip(side, SHORT_MM + 4, mean + 2 * sd)) for side in sides)
        found.append((right, left))
    return found
