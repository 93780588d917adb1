"""Ribs: curved tubes around the thorax, as long as sampled."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from numbering.phantom.anatomy.morphometry import reference
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.arch import pillar
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.habit import habit
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.solids import Array, Part, bar
from numbering.phantom.shapes.transverse import tip_centre

REACH = (
    # half width and half depth of the thorax at ribs 1 to 12, drop from head to front end; mm
    (46, 36, 30), (73, 55, 62), (90, 66, 80), (101, 75, 92), (110, 82, 102), (117, 88, 110),
    (123, 91, 116), (127, 93, 118), (129, 94, 115), (127, 92, 105), (121, 88, 88), (110, 82, 72),
)  # fmt: skip
THORAX_FORWARD_MM = 62.0


def ribs(skeleton: Skeleton) -> list[Bone]:
    """Every rib, right and left."""
    found = []
    for placed in skeleton.vertebrae:
        for side, label in zip(SIDES, (Label.RIB_RIGHT, Label.RIB_LEFT), strict=True):
            path = rib_path(skeleton, placed, side)
            if path is not None:
                found.append(Bone(label, Field(_tube(path, place_of_rib(skeleton, placed), skeleton.patient.scale))))
    return found


def place_of_rib(skeleton: Skeleton, placed: Placed) -> float:
    """1 … 12: which rib of the usual spine this one is like; a lumbar rib is like the last."""
    level, variant = placed.vertebra.level, skeleton.patient.variant
    return 12.0 if level.region == "L" else reference(level, variant) - 7


def rib_path(skeleton: Skeleton, placed: Placed, side: float, pitch_mm: float = 11.0) -> Array | None:
    """The middle of a rib ``(n, 3)`` mm, patient frame, from its head, as long as sampled; None where there is none."""
    length = placed.vertebra.rib_mm[0 if side < 0 else 1]
    if length <= 0:
        return None
    fine = _course(skeleton, placed, side)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    want = np.linspace(0, length, max(4, round(length / pitch_mm)) + 1)
    beyond = np.clip(want - along[-1], 0, None)[:, None] * (fine[-1] - fine[-2]) / (along[-1] - along[-2])
    return np.stack([np.interp(want, along, fine[:, i]) for i in range(3)], 1) + beyond


def _course(skeleton: Skeleton, placed: Placed, side: float) -> Array:
    """The way that a rib takes, however long it is: head, neck before the transverse process, angle, flank, front."""
    place, scale = place_of_rib(skeleton, placed), skeleton.patient.scale
    size, lumbar = placed.vertebra.size, placed.vertebra.level.region == "L"
    width, depth, drop = (float(np.interp(place, np.arange(1, 13), row)) * scale for row in np.array(REACH).T)
    at = pillar(placed.vertebra, side)
    tip = tip_centre(placed.vertebra, at, habit(skeleton.patient.seed, placed.vertebra))
    high = float(np.interp(place, [1, 1.5, 10, 11], [0.2, 0.45, 0.4, 0.12])) * size.height
    own = [[side * (size.upper_width * 0.5 + 0.5), 0.36 * size.upper_depth, high]]
    if place < 10.6:
        own.append([tip[0] - side * 0.5, tip[1] - 7.5 * scale, tip[2] + 1.5])
    elif not lumbar:
        own.append([at.behind[0] + side * 13.0, at.behind[1] - 1.0, high - 2.0])
    start = placed.frame.place(np.array(own))
    head = start[0]
    middle = np.array([head[0] * 0.2 + placed.frame.centre[0] * 0.8, head[1] - THORAX_FORWARD_MM * depth / 92, head[2]])
    angle = np.linspace(float(np.interp(place, [1, 2, 3, 5], [0.9, 0.66, 0.48, 0.36])), 2.55, 40)
    near = np.interp(place, [10, 11], [1.0, 0.0])
    sweep = np.stack(
        [
            side * width * np.sin(angle) ** 0.92,
            depth * np.cos(angle) + 12 * np.exp(-(((angle - 0.55) / 0.4) ** 2)) * min(1.0, place / 4),
            -drop * ((1 - np.cos(angle * 0.92)) / 2) ** 1.15 + 5 * near * np.exp(-(((angle - 0.5) / 0.3) ** 2)),
        ],
        1,
    )
    sweep[:, 2] -= np.interp(place, [1, 7, 10, 12], [0.05, 0.2, 0.4, 0.62]) * np.abs(sweep[:, 0])
    path = np.concatenate([start, middle + sweep])
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    curve = CubicSpline(lengths, path, axis=0)(np.linspace(0, lengths[-1], 160))
    return np.asarray(gaussian_filter1d(curve, 2.0, axis=0, mode="nearest"))


def _tube(path: Array, place: float, scale: float) -> list[Part]:
    """Round at head and tubercle, flat and upright farther on; the last ones are slender and end in a point."""
    away = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    length = away[-1]
    slim = float(np.interp(place, [1, 2, 10, 12], [1.1, 0.95, 1.0, 0.8])) * min(1.0, 0.6 + length / 200) * scale
    radius = np.interp(away, [0, 12, 30, 60], [4.2, 3.0, 3.6, 3.1]) * slim
    tall = np.interp(away, [0, 12, 30, 60, 200], [0.8, 1.8, 2.0, 2.9, 3.4]) * slim
    if place > 10.5:
        end = np.interp(length - away, [0, 35], [0.5, 1.0])
        radius, tall = radius * end, tall * end**2
    return [
        bar(
            path[i],
            path[i + 1],
            (float(radius[i]), float(radius[i + 1])),
            across=[0, 0, 1],
            wide=(float(tall[i]), float(tall[i + 1])),
            blend=1.0,
        )
        for i in range(len(path) - 1)
    ]
