"""Coronal curves with coupled rotation: lean to the side and turn of every vertebra, degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COUPLED_TURN = -0.45
"""Turn of the apical vertebra per degree of Cobb angle [M]: the fronts of the bodies turn towards the convex side, the
spinous processes towards the concave one."""


def curve(rng: np.random.Generator, places: Array, cobb: float, apex: float, half: float) -> tuple[Array, Array]:
    """A bow of this Cobb angle about ``apex``, whose tilt runs like a sine and dies away beyond ``half`` vertebrae
    with a smaller opposite bow on either side. Left or right by chance."""
    side = rng.choice([-1.0, 1.0])
    phase = (places - apex) / half * np.pi / 2
    near = np.exp(-((places - apex) ** 2) / (2 * (1.35 * half) ** 2))
    sideways = np.sin(phase) * near
    reach = np.ptp(sideways)
    return side * cobb * sideways / max(reach, 1e-6), side * COUPLED_TURN * cobb * np.cos(phase) * near


def within_discs(sideways: Array, heights: Array, widths: Array) -> Array:
    """The leans with no disc closed at its side: between neighbours a disc of this mean height ``(n,)`` under an
    endplate of this width ``(n,)`` allows so much and no more; the last one is the sacrum's."""
    most = np.degrees(2 * np.arcsin(np.clip((heights - 1.3) / widths, 0.01, 0.9)))
    steps = np.clip(sideways - np.append(sideways[1:], 0.0), -most, most)
    return np.asarray(np.cumsum(steps[::-1])[::-1])


def balanced(sideways: Array, rises: Array, offset: float) -> Array:
    """The leans with as much added all along as brings C7 ``offset`` mm to the left of the sacrum's middle; ``rises``
    ``(n,)`` is the distance of each centre from the next one's below."""
    above = np.arange(len(sideways))[::-1]
    ramp = np.minimum(1.0, (above + 1) / 5)  # the lowest follow the pelvis
    trunk = slice(5, None)
    stands = float((np.sin(np.radians(sideways[trunk])) * rises[trunk]).sum())
    return sideways + ramp * float(np.degrees((offset - stands) / (ramp[trunk] * rises[trunk]).sum()))


def usual(rng: np.random.Generator, places: Array) -> tuple[Array, Array]:
    """The small curve that everybody has, and the unevenness of single vertebrae."""
    sideways, turn = curve(rng, places, abs(float(rng.normal(0, 4.9))), rng.uniform(14, 22), rng.uniform(3.5, 5.5))
    return sideways + rng.normal(0, 0.7, len(places)), turn + rng.normal(0, 1.6) + rng.normal(0, 0.9, len(places))
