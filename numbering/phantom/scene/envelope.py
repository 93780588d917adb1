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
    """Half depth ``(n,)`` that the front of the trunk needs for the ends of the ribs to lie inside of it; 0 without."""
    found = np.zeros(len(z))
    for side in (-1, 1):
        for placed in skeleton.vertebrae:
            path = rib_path(skeleton, placed, side)
            if path is None:
                continue
            rows = np.clip(np.round((path[:, 2] - z[0]) / (z[1] - z[0])).astype(int), 0, len(z) - 1)
            across = np.minimum(np.abs(path[:, 0] - middle[rows, 0]) / width[rows], 0.85)
            forward = middle[rows, 1] - path[:, 1] + _OVER_RIBS_MM
            np.maximum.at(found, rows, forward / np.sqrt(1 - across**2.1))
    return np.asarray(maximum_filter(found, 5, mode="nearest"))


def _reach_over(found: Array, points: Array, z: Array, middle: Array, over_mm: float) -> None:
    rows = np.round((points[:, 2] - z[0]) / (z[1] - z[0])).astype(int)
    held = (rows >= 0) & (rows < len(z))
    rows, points = rows[held], points[held]
    away = points[:, :2] - middle[rows]
    columns = np.round(np.arctan2(away[:, 1], away[:, 0]) * DIRECTIONS / (2 * np.pi)).astype(int) % DIRECTIONS
    np.maximum.at(found, (rows, columns), np.hypot(*away.T) + over_mm)
