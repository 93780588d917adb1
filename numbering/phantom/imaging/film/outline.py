"""The outline of a vertebral body from the anatomy alone: what its box on a film is the extent of."""

from __future__ import annotations

import numpy as np

from numbering.phantom.imaging.film.geometry import Array
from numbering.phantom.pose import Placed

AROUND = 48
"""Points on each rim."""


def body_outline(placed: Placed) -> Array:
    """Points ``(n, 3)`` of the rims of both endplates, patient frame.

    The rims are the widest parts of a body, and flat behind: an ellipse in front, blunter towards the canal. Half a
    body (hemivertebra) has half a rim. Arch and processes are left out.
    """
    size = placed.vertebra.size
    angle = np.arange(AROUND) * 2 * np.pi / AROUND
    across, along = np.cos(angle), np.sin(angle)
    behind = along > 0
    blunt = np.where(behind, (across**4 + along**4) ** -0.25, 1.0)
    across, along = across * blunt, along * blunt
    tilt = (size.height_posterior - size.height_anterior) / (size.upper_depth + size.lower_depth)
    rims = []
    for sign, width, depth in ((1, size.upper_width, size.upper_depth), (-1, size.lower_width, size.lower_depth)):
        y = along * depth / 2
        rims.append(np.column_stack([across * width / 2, y, sign * (size.height / 2 + tilt * y)]))
    points = np.concatenate(rims)
    if placed.vertebra.missing_half != "none":
        left = points[:, 0] > 0
        points = points[left if placed.vertebra.missing_half == "right" else ~left]
    return placed.frame.place(points)
