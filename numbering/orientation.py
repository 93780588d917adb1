"""Axial, sagittal or coronal: what slices are called by how they lie.

Axial slices are often tilted along a disc, and the lumbosacral one may be nearer to coronal than to axial. So a steep
slice is axial where it is tilted forward or back alone and the series has others that surely are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from numbering.plane import Plane
from numbering.study import View

STEEP_DEGREES = 62.0
"""Slices along a lumbosacral disc are tilted up to about this; sacra are rarely steeper."""
SIDEWAYS_DEGREES = 20.0
"""A steep slice along a disc is not tilted to the side by more."""

_VIEWS = (View.SAGITTAL, View.CORONAL, View.AXIAL)


def view_of(normal: ArrayLike) -> View:
    """The view that a plane of this normal (LPS) is nearest to."""
    return _VIEWS[int(np.argmax(np.abs(np.asarray(normal, float))))]


def views(planes: Iterable[Plane]) -> dict[Plane, View]:
    """The view of each of a series' planes."""
    found = {plane: view_of(plane.normal) for plane in planes}
    if View.AXIAL in found.values():
        return {plane: View.AXIAL if _along_a_disc(plane) else view for plane, view in found.items()}
    return found


def of_view(planes: Iterable[Plane], view: View) -> list[Plane]:
    """Those of a series' planes that are called so."""
    return [plane for plane, called in views(planes).items() if called is view]


def _along_a_disc(plane: Plane) -> bool:
    sideways, _, upwards = np.abs(plane.normal)
    return bool(upwards >= np.cos(np.radians(STEEP_DEGREES)) and sideways <= np.sin(np.radians(SIDEWAYS_DEGREES)))
