"""The trunk's proportions: heights, and outline of the skin and of the muscles under it, from neck to thigh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.outline import halves, superellipse

# ordinal of the usual spine, or mm below S1's endplate (negative): half width, half depth of a lean trunk, muscle
# behind the middle of the spine, share of the waist's subcutaneous fat at the side, in front and behind, and how
# angular the outline is
_ROWS = np.array(
    [
        # at,   width, depth, back, side, front, behind, power
        (-230, 165, 96, 88, 0.9, 0.7, 0.9, 2.2),
        (-170, 168, 98, 92, 1.0, 0.8, 1.0, 2.2),
        (-110, 166, 98, 92, 1.0, 0.9, 1.1, 2.2),
        (-60, 156, 97, 78, 1.0, 1.1, 1.2, 2.2),
        (-25, 148, 96, 66, 1.0, 1.2, 1.3, 2.2),
        (24.9, 142, 95, 60, 1.1, 1.3, 1.4, 2.3),
        (24, 138, 94, 58, 1.15, 1.3, 1.3, 2.35),
        (23, 133, 93, 57, 1.1, 1.2, 1.1, 2.4),
        (22, 131, 93, 56, 1.0, 1.1, 1.0, 2.45),
        (21, 133, 95, 56, 0.85, 1.0, 0.9, 2.45),
        (20, 137, 98, 56, 0.75, 0.8, 0.8, 2.4),
        (18, 143, 103, 55, 0.6, 0.5, 0.7, 2.3),
        (16, 146, 105, 55, 0.55, 0.5, 0.6, 2.25),
        (14, 150, 104, 57, 0.6, 0.6, 0.6, 2.2),
        (12, 158, 97, 60, 0.6, 0.6, 0.6, 2.2),
        (10.3, 172, 88, 62, 0.5, 0.5, 0.6, 2.3),
        (9, 172, 78, 62, 0.4, 0.4, 0.6, 2.3),
        (7.8, 88, 62, 58, 0.3, 0.3, 0.5, 2.0),
        (6.5, 60, 58, 54, 0.2, 0.2, 0.3, 2.0),
        (3, 58, 58, 54, 0.2, 0.2, 0.3, 2.0),
    ]
)
_AT = _ROWS[:, 0]
WAIST = 22.0


@dataclass(frozen=True)
class Trunk:
    """Knots head to foot and below: heights ``z``, middle of the spine, smoothed back, sizes (all ``(n,)``, mm)."""

    z: Array
    x: Array
    """Middle of the trunk across."""
    back: Array
    """y of the fascia behind the muscles of the back."""
    width: Array
    """Half width of the trunk without fat and skin."""
    depth: Array
    side_fat: Array
    front_fat: Array
    back_fat: Array
    power: Array

    @property
    def middle(self) -> Array:
        """x and y about which the outlines are drawn ``(n, 2)``."""
        return np.stack([self.x, self.back - self.depth], 1)

    def muscle(self, inset_mm: float | Array = 0.0) -> Array:
        """Radii of the muscular trunk ``(n, directions)``, less an inset."""
        return superellipse(self.width - inset_mm, self.depth - inset_mm, self.power)

    def skin(self) -> Array:
        """Radii of the body's outline."""
        wide = self.width + self.side_fat
        return halves(
            superellipse(wide, self.depth + self.front_fat, self.power),
            superellipse(wide, self.depth + self.back_fat, self.power),
        )


def trunk(skeleton: Skeleton) -> Trunk:
    """The proportions of this patient in this posture."""
    patient, soft = skeleton.patient, skeleton.patient.soft
    scale, fat = patient.scale, soft.subcutaneous_mm
    z = np.array([skeleton.height(at) if at > 0 else at * scale for at in _AT])
    order = np.argsort(z)
    z, rows = z[order], _ROWS[order]
    at_waist = _ROWS[_AT == WAIST][0]
    lean_width, lean_depth = (
        soft.waist_half_width - fat * at_waist[4],
        soft.waist_half_depth - fat * (at_waist[5] + at_waist[6]) / 2,
    )
    reference = np.where(rows[:, 0] > 0, rows[:, 0], 25 - rows[:, 0] / 33)
    near_waist = np.interp(reference, [6, 9, 16, 20, 24, 28], [0.0, 0.25, 0.6, 1, 1, 0.6])
    width = scale * rows[:, 1] * (1 + near_waist * (lean_width / (scale * at_waist[1]) - 1))
    depth = scale * rows[:, 2] * (1 + near_waist * (lean_depth / (scale * at_waist[2]) - 1))
    spine_x, spine_y = _midline(skeleton, z)
    return Trunk(
        z=z,
        x=spine_x * 0.6,
        back=spine_y + rows[:, 3] * scale,
        width=width,
        depth=depth,
        side_fat=fat * rows[:, 4],
        front_fat=fat * rows[:, 5],
        back_fat=fat * rows[:, 6],
        power=rows[:, 7],
    )


def _midline(skeleton: Skeleton, z: Array) -> tuple[Array, Array]:
    """x and y of the spine at heights, softened, for the skin does not follow every vertebra."""
    fine = np.arange(z.min() - 60, z.max() + 60, 4.0)
    x, y = skeleton.midline(fine)
    return np.interp(z, fine, gaussian_filter1d(x, 5)), np.interp(z, fine, gaussian_filter1d(y, 5))
