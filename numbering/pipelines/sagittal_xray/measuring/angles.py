"""What is measured from corners: angles between endplates, disc heights, slips, wedges. Pure geometry.

Points are x, y of the film set upright, in pixels or mm; an endplate ``(2, 2)`` is its anterior, then its posterior
end. Degrees. Lordosis is positive when the two lines diverge towards the front (docs/conventions.md, "Coordinates").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRADES = ("I", "II", "III", "IV", "V")
"""Meyerding 1932: by quarters of the lower vertebra's endplate; V is beyond it."""


def lordosis(points: Array) -> float:
    """Between an upper and a lower endplate line ``(4, 2)``, whichever way the patient faces (Cina 2021, Methods)."""
    upper, lower = points[0] - points[1], points[2] - points[3]
    towards_feet = points[2:].mean(0) - points[:2].mean(0)
    normal = np.array([-upper[1], upper[0]])
    if normal @ towards_feet < 0:
        normal = -normal
    return float(np.degrees(np.arctan2(lower @ normal, lower @ upper)))


def sacral_slope(points: Array) -> float:
    """Of an endplate ``(2, 2)`` against the horizontal; positive when its front lies lower."""
    forward, down = points[0] - points[1]
    return float(np.degrees(np.arctan2(down, abs(forward))))


def disc_height(points: Array) -> float:
    """Mean of the anterior and posterior distances between the endplates ``(4, 2)`` above and below a disc."""
    return float(np.linalg.norm(points[2:] - points[:2], axis=1).mean())


def relative_disc_height(points: Array) -> float:
    """`disc_height` as a share of the upper endplate's length."""
    return disc_height(points) / float(np.linalg.norm(points[0] - points[1]))


def slip(points: Array) -> float:
    """How far the upper vertebra has slipped forward on the lower one, as a share of the lower one's endplate.

    ``points`` ``(4, 2)`` are the endplates above and below the disc; the posterior ends are compared along the lower
    endplate (Taillard 1954; Meyerding 1932 grades it). Negative is backward.
    """
    along = points[2] - points[3]
    return float((points[1] - points[3]) @ along / (along @ along))


def grade(share: float) -> str:
    """Meyerding's grade of a `slip`, whichever way."""
    return GRADES[min(max(int(np.ceil(abs(share) * 4)) - 1, 0), 4)]


def wedge(points: Array) -> float:
    """Anterior over posterior height of a body ``(4, 2)``, in the order of `levels.CORNERS`."""
    anterior, posterior = np.linalg.norm(points[[3, 2]] - points[[0, 1]], axis=1)
    return float(anterior / posterior)
