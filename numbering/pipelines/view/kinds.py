"""What the view network tells apart, and the picture that it gets. No network is loaded here."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.films import collimated_region, resize, window_to_grey

SIDE = 112
"""Pixels of the network's square picture: the views differ in large things, and detectors in small ones."""
SMALLEST = 48
"""Films with a side of fewer pixels are not looked at."""


class Kind(StrEnum):
    """AP and PA films are one kind: no picture tells them apart safely."""

    FRONTAL = "frontal"
    LATERAL = "lateral"
    OTHER = "other"


KINDS = tuple(Kind)
"""In the order of the network's outputs."""


def picture(film: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The film without its shutters, squeezed into a square ``(SIDE, SIDE)`` of 0…1, or None when it is too small.

    Squeezed, for the shape of a film tells how it was trimmed and not what it shows.
    """
    if min(film.shape) < SMALLEST:
        return None
    left, top, right, bottom = collimated_region(film)
    if min(right - left, bottom - top) < SMALLEST:
        return None
    grey = window_to_grey(film[top:bottom, left:right])
    return resize(grey, SIDE, SIDE).astype(np.float32) / np.float32(255)
