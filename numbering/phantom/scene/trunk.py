"""The trunk's proportions: heights, and outline of the skin and of the muscles under it, from neck to thigh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.envelope import depth_for_ribs, envelope
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.outline import COS, SIN, halves, superellipse

# at: ordinal of the usual spine, or mm below S1's endplate (negative); half width and half depth of a lean trunk; how
# far the muscles reach behind the middle of the spine; share of the subcutaneous fat at the side, in front and behind;
# how angular the outline is
_ROWS = np.array(
    [
        (-230, 165, 96, 88, 0.9, 0.7, 0.9, 2.2),
        (-170, 168, 98, 94, 1.0, 0.8, 1.0, 2.2),
        (-110, 166, 98, 94, 1.0, 0.9, 1.1, 2.2),
        (-60, 156, 98, 90, 1.0, 1.1, 1.2, 2.2),
        (-25, 148, 97, 77, 1.0, 1.2, 1.3, 2.2),
        (24.9, 142, 96, 65, 1.1, 1.3, 1.4, 2.3),
        (24, 138, 95, 61, 1.15, 1.3, 1.3, 2.35),
        (23, 133, 94, 62, 1.1, 1.2, 1.1, 2.4),
        (22, 131, 94, 63, 1.0, 1.1, 1.0, 2.45),
        (21, 131, 96, 64, 0.85, 1.0, 0.9, 2.45),
        (20, 133, 99, 64, 0.75, 0.8, 0.8, 2.4),
        (18, 132, 106, 63, 0.6, 0.5, 0.7, 2.3),
        (16, 139, 108, 63, 0.55, 0.5, 0.6, 2.25),
        (14, 143, 107, 64, 0.6, 0.6, 0.6, 2.2),
        (12, 152, 100, 65, 0.6, 0.6, 0.6, 2.2),
        (10.3, 172, 90, 66, 0.5, 0.5, 0.6, 2.3),
        (9, 168, 78, 62, 0.4, 0.4, 0.6, 2.3),
        (7.8, 88, 62, 58, 0.3, 0.3, 0.5, 2.0),
        (6.5, 60, 58, 54, 0.2, 0.2, 0.3, 2.0),
        (3, 58, 58, 54, 0.2, 0.2, 0.3, 2.0),
    ]
)
_AT = _ROWS[:, 0]
WAIST = 22.0
_ROW_MM = 8.0
_FURROW_MM = 17.0
ROUNDER = 0.2
"""How much less angular the front of the trunk is than its back."""
_USUAL_BACK_CM2 = 22.0
"""Erector and multifidus together, of one side, that the table's muscles behind the spine stand for."""
_RIBS = np.array([(18, 125, 88), (17, 136, 98), (16, 138, 102), (14, 130, 99), (12, 115, 90), (10, 90, 74)])
"""Half width and half depth that the ribs and their muscles need, at ordinals."""


@dataclass(frozen=True)
class Trunk:
    """Knots from below upwards: heights ``z`` and sizes there, all ``(n,)`` mm."""

    z: Array
    x: Array
    """Middle of the trunk across."""
    back: Array
    """y of the fascia behind the muscles of the back."""
    width: Array
    """Half width of the trunk without fat and skin; ``depth`` likewise."""
    depth: Array
    side_fat: Array
    front_fat: Array
    back_fat: Array
    power: Array
    front_depth: Array
    """What ``depth`` is before the middle: more where the ribs need it."""
    dip: Array
    """How far the muscles stand out behind the spinous processes, between which skin and fascia sink in."""
    bones: Array
    """Radii ``(n, DIRECTIONS)`` that ribs and iliac wings need at least."""

    @property
    def middle(self) -> Array:
        """x and y about which the outlines are drawn ``(n, 2)``."""
        return np.stack([self.x, self.back - self.depth], 1)

    def muscle(self) -> Array:
        """Radii of the muscular trunk ``(n, DIRECTIONS)``."""
        front = superellipse(self.width, self.front_depth, self.power - ROUNDER)
        whole = np.maximum(halves(front, superellipse(self.width, self.depth, self.power)), self.bones)
        return np.asarray(whole - self.furrow(1.0))

    def furrow(self, share: float) -> Array:
        """What the furrow of the back takes from radii ``(n, DIRECTIONS)``."""
        across = self.depth[:, None] * COS / _FURROW_MM
        return np.asarray(share * self.dip[:, None] * np.exp(-(across**2)) * (SIN > 0))

    def skin(self) -> Array:
        """Radii of the body's outline."""
        wide = self.width + self.side_fat
        outline = halves(
            superellipse(wide, self.front_depth + self.front_fat, self.power - ROUNDER),
            superellipse(wide, self.depth + self.back_fat, self.power),
        )
        fat = superellipse(self.side_fat, (self.front_fat + self.back_fat) / 2, 2.0)
        return np.maximum(outline, self.bones + np.maximum(0.7 * fat, 4.0) * (self.bones > 0))

    def at(self, z: Array | float, values: Array) -> Array:
        """One of the sizes at other heights."""
        return np.asarray(np.interp(z, self.z, values))

    def fascia(self, x: Array, z: Array) -> Array:
        """y of the fascia behind the muscles of the back at points."""
        across = np.abs(x - self.at(z, self.x)) / self.at(z, self.width)
        power, depth = self.at(z, self.power), self.at(z, self.depth)
        sunk = self.at(z, self.dip) * np.exp(-(((x - self.at(z, self.x)) / _FURROW_MM) ** 2))
        flat = depth * (1 - (1 - np.minimum(across, 0.98) ** power) ** (1 / power))
        return np.asarray(self.at(z, self.back) - flat - sunk)

    def front(self, x: Array | float, z: Array | float) -> Array:
        """y of the front of the muscular trunk at points."""
        across = np.abs(x - self.at(z, self.x)) / self.at(z, self.width)
        power, deep = self.at(z, self.power) - ROUNDER, self.at(z, self.front_depth)
        return np.asarray(self.at(z, self.middle[:, 1]) - deep * (1 - np.minimum(across, 0.98) ** power) ** (1 / power))


def trunk(skeleton: Skeleton) -> Trunk:
    """The proportions of this patient in this posture."""
    patient, soft = skeleton.patient, skeleton.patient.soft
    scale, fat = patient.scale, soft.subcutaneous_mm
    z = np.array([skeleton.height(at) if at > 0 else at * scale for at in _AT])
    order = np.argsort(z)
    z, rows = z[order], _ROWS[order]
    at_waist = _ROWS[_AT == WAIST][0]
    lean_width = soft.waist_half_width - fat * at_waist[4]
    lean_depth = soft.waist_half_depth - fat * (at_waist[5] + at_waist[6]) / 2
    reference = np.where(rows[:, 0] > 0, rows[:, 0], 25 - rows[:, 0] / 33)
    near_waist = np.interp(
        reference, [16, 18, 19.5, 20.5, 21.5, 24, 28], [0, 0.1, 0.35, 0.75, 1, 1, 0.6]
    )  # ribs do not give
    width = scale * rows[:, 1] * (1 + near_waist * (lean_width / (scale * at_waist[1]) - 1))
    depth = scale * rows[:, 2] * (1 + near_waist * (lean_depth / (scale * at_waist[2]) - 1))
    for index, ribs in ((1, width), (2, depth)):
        need = np.interp(reference, _RIBS[::-1, 0], _RIBS[::-1, index], left=0, right=0) * scale
        np.maximum(ribs, need, out=ribs)
    spine_x, spine_y = _midline(skeleton, z)
    lumbar = np.interp(reference, [14, 18, 20, 24, 26], [0.2, 0.4, 1, 1, 0.4])
    muscular = (soft.erector_cm2[2] + soft.multifidus_cm2[2]) / (_USUAL_BACK_CM2 * scale**2)
    thicker = 36 * scale * (np.sqrt(np.clip(muscular, 0.45, 2.5)) - 1) * lumbar
    knots = np.stack(
        [spine_x * 0.6, spine_y + rows[:, 3] * scale + thicker, width, depth, *(fat * rows[:, 4:7].T), rows[:, 7]], 1
    )
    fine = np.linspace(z[0], z[-1], round((z[-1] - z[0]) / _ROW_MM) + 1)
    x, back, width, depth, side, front, behind, power = PchipInterpolator(z, knots)(fine).T
    needed = gaussian_filter1d(_back_for_muscles(skeleton, fine, back), 12 / _ROW_MM, mode="nearest")
    back = np.maximum(back, needed)
    middle = np.stack([x, back - depth], 1)
    front_depth = np.maximum(depth, depth_for_ribs(skeleton, fine, middle, width))
    front_depth = gaussian_filter1d(front_depth, 20 / _ROW_MM, mode="nearest")
    bones = envelope(skeleton, fine, middle)
    dip = np.clip(np.minimum(back - _spinous_tips(skeleton, fine) - 4, 0.7 * (back - needed) + 5), 0, 13)
    return Trunk(fine, x, back, width, depth, side, front, behind, power, front_depth, dip, bones)


def _back_for_muscles(skeleton: Skeleton, z: Array, usual: Array) -> Array:
    """y of the fascia that leaves room for the muscles of the back in the loins; elsewhere before the ``usual`` one."""
    soft, scale = skeleton.patient.soft, skeleton.patient.scale
    at = np.array([skeleton.height(ordinal) for ordinal in (24, 23, 22, 21, 20)])
    area = 100 * (np.array(soft.erector_cm2) + np.array(soft.multifidus_cm2))[::-1]
    wide = 70 * scale * np.clip(np.sqrt(area / (2000 * scale**2)), 0.85, 1.25)
    depths = [
        (p.frame.centre[2], (p.vertebra.size.upper_depth + p.vertebra.size.lower_depth) / 4) for p in skeleton.vertebrae
    ]
    body = np.interp(z, *np.array(depths)[::-1].T)
    room = np.interp(z, at, area / (0.8 * wide)) + body + 17 * scale
    held = (z > at[0] - 15) & (z < at[-1] + 25)
    return np.where(held, skeleton.midline(z)[1] + room, usual - 10)


def _spinous_tips(skeleton: Skeleton, z: Array) -> Array:
    """y of the tips of the spinous processes, in a line; far behind below them."""
    tips = []
    for placed in skeleton.vertebrae[::-1]:
        size = placed.vertebra.size
        tips.append(placed.frame.place(np.array([[0, size.spinous_length - size.upper_depth / 2, 0]]))[0])
    y, heights = np.array(tips)[:, 1], np.array(tips)[:, 2]
    return gaussian_filter1d(np.interp(z, heights, y, left=1e3), 1.5, mode="nearest")


def _midline(skeleton: Skeleton, z: Array) -> tuple[Array, Array]:
    """x and y of the spine at heights, softened, for the skin does not follow every vertebra."""
    fine = np.arange(z.min() - 60, z.max() + 60, 4.0)
    x, y = skeleton.midline(fine)
    return np.interp(z, fine, gaussian_filter1d(x, 5)), np.interp(z, fine, gaussian_filter1d(y, 5))
