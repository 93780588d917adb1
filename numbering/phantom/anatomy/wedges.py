"""Wedges of bodies and discs, and the lean of every vertebra that follows from them standing.

Angles in degrees, lordosis (opening to the front) positive; leans front down positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from numbering.phantom.anatomy.patient import DiscBelow, Sacrum, Size, Vertebra


def upper_wedge(size: Size) -> float:
    """Of the upper endplate against the body's mid-plane."""
    return float(np.degrees(np.arctan2(size.height_anterior - size.height_posterior, 2 * size.upper_depth)))


def lower_wedge(size: Size) -> float:
    """Of the lower endplate against the body's mid-plane."""
    return float(np.degrees(np.arctan2(size.height_anterior - size.height_posterior, 2 * size.lower_depth)))


def disc_wedge(disc: DiscBelow, depth: float) -> float:
    """Between the endplates of the neighbours, whose mean depth is given."""
    ratio = (disc.height_anterior - disc.height_posterior) / (2 * depth)
    return float(2 * np.degrees(np.arcsin(np.clip(ratio, -1, 1))))


def fitted(height: float, wanted: float, depth: float) -> tuple[float, float, float]:
    """Heights at the front and the back of a disc of this mean height, for a wanted wedge; and the degrees it lacks.

    Either end keeps a fifth of the mean height, and at least 1 mm.
    """
    most = max(0.0, height - max(1.0, 0.2 * height))
    half = float(np.clip(depth * np.sin(np.radians(wanted) / 2), -most, most))
    return height + half, height - half, wanted - float(2 * np.degrees(np.arcsin(half / depth)))


def depth_below(vertebrae: Sequence[Vertebra], index: int, sacrum: Sacrum) -> float:
    """Mean depth of the two endplates that bound the disc under a vertebra, mm."""
    below = vertebrae[index + 1].size.upper_depth if index + 1 < len(vertebrae) else sacrum.endplate_depth
    return (vertebrae[index].size.lower_depth + below) / 2


def refitted(
    vertebrae: Sequence[Vertebra], index: int, sacrum: Sacrum, *, height: float | None = None, more: float = 0.0
) -> Vertebra:
    """A vertebra whose disc has another mean height or ``more`` degrees of wedge, as far as it can."""
    vertebra = vertebrae[index]
    disc, depth = vertebra.disc, depth_below(vertebrae, index, sacrum)
    mean = (disc.height_anterior + disc.height_posterior) / 2
    front, back, _ = fitted(height or mean, disc_wedge(disc, depth) + more, depth)
    middle = disc.height_middle * (height or mean) / mean
    return replace(vertebra, disc=replace(disc, height_anterior=front, height_middle=middle, height_posterior=back))


def leaning(vertebrae: Sequence[Vertebra], sacrum: Sacrum) -> tuple[Vertebra, ...]:
    """The vertebrae with the ``forward`` lean that their wedges, the discs' and the sacral slope give."""
    found: list[Vertebra] = []
    endplate = sacrum.slope
    for index in range(len(vertebrae) - 1, -1, -1):
        vertebra = vertebrae[index]
        endplate -= disc_wedge(vertebra.disc, depth_below(vertebrae, index, sacrum))
        forward = endplate - lower_wedge(vertebra.size)
        found.append(replace(vertebra, forward=forward))
        endplate = forward - upper_wedge(vertebra.size)
    return tuple(found[::-1])


def segment_angles(vertebrae: Sequence[Vertebra], sacrum: Sacrum) -> np.ndarray:
    """Angles ``(n,)`` from each upper endplate to the next one below, from the wedges alone."""
    return np.array(
        [
            upper_wedge(vertebra.size)
            + lower_wedge(vertebra.size)
            + disc_wedge(vertebra.disc, depth_below(vertebrae, index, sacrum))
            for index, vertebra in enumerate(vertebrae)
        ]
    )
