"""How far out the bones reach under the skin: whoever is thin shows ribs and crests, but has skin over them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.stack import DIRECTIONS
from numbering.phantom.shapes.pelvis import wing
from numbering.phantom.shapes.ribs import rib_path

_OVER_RIBS_MM, _OVER_WINGS_MM = 9.0, 9.0
_FLAT_SHARE = 0.5
"""Of the half width: the front of the trunk is nearly flat so far to either side."""
_FALL = 0.6
"""mm that the wall of the belly falls back, at most, for each mm below the ribs."""


def envelope(skeleton: Skeleton, z: Array, middle: Array) -> Array:
    """Radii ``(n, DIRECTIONS)`` about ``middle (n, 2)`` at evenly spaced heights that the muscular trunk must reach; 0
    where no rib or wing is near."""
    scale = skeleton.patient.scale
    found = np.zeros((len(z), DIRECTIONS))
    for side in (-1, 1):
        for placed in skeleton.vertebrae:
            path = rib_path(skeleton, placed, side)
            if path is not None:
                _reach_over(found, path, z, middle, _OVER_RIBS_MM * scale)
        _reach_over(found, wing(skeleton, side)[:3].reshape(-1, 3), z, middle, _OVER_WINGS_MM * scale)
    found = maximum_filter(found, (5, 7), mode=("nearest", "wrap"))
    return gaussian_filter1d(gaussian_filter1d(found, 1.2, axis=0), 1.5, axis=1, mode="wrap")


def depth_for_ribs(skeleton: Skeleton, z: Array, middle: Array, width: Array) -> Array:
    """Half depth ``(n,)`` that the front of the trunk needs for the ends of the ribs to lie inside of it; 0 without.

    Ends far to the side ask for no more than the ends before them: `envelope` holds them, and the wall of the belly
    spans flat from one margin of the ribs to the other. Below the margin it falls back no steeper than it can hang.
    """
    found = np.zeros(len(z))
    for side in (-1, 1):
        for placed in skeleton.vertebrae:
            path = rib_path(skeleton, placed, side)
            if path is None:
                continue
            rows = np.clip(np.round((path[:, 2] - z[0]) / (z[1] - z[0])).astype(int), 0, len(z) - 1)
            across = np.minimum(np.abs(path[:, 0] - middle[rows, 0]) / width[rows], _FLAT_SHARE)
            forward = middle[rows, 1] - path[:, 1] + _OVER_RIBS_MM
            np.maximum.at(found, rows, forward / np.sqrt(1 - across**2.1))
    front = middle[:, 1] - maximum_filter(found, 5, mode="nearest")
    below = np.minimum.accumulate((front + _FALL * z)[::-1])[::-1] - _FALL * z
    return np.asarray(middle[:, 1] - np.where(found > 0, np.minimum(front, below), below))


def _reach_over(found: Array, points: Array, z: Array, middle: Array, over_mm: float) -> None:
    rows = np.round((points[:, 2] - z[0]) / (z[1] - z[0])).astype(int)
    held = (rows >= 0) & (rows < len(z))
    rows, points = rows[held], points[held]
    away = points[:, :2] - middle[rows]
    columns = np.round(np.arctan2(away[:, 1], away[:, 0]) * DIRECTIONS / (2 * np.pi)).astype(int) % DIRECTIONS
    np.maximum.at(found, (rows, columns), np.hypot(*away.T) + over_mm)
