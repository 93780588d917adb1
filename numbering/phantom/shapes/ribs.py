"""Ribs: curved tubes around the thorax, as long as sampled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.solids import Array, Part, bar

REACH = (
    # half width and half depth of the thorax at ribs 1 to 12, drop from head to front end; mm
    (52, 40, 42), (73, 55, 62), (90, 66, 80), (101, 75, 92), (110, 82, 102), (117, 88, 110),
    (123, 91, 116), (127, 93, 118), (129, 94, 115), (127, 92, 105), (121, 88, 88), (110, 82, 72),
)  # fmt: skip
THORAX_FORWARD_MM = 62.0


def ribs(skeleton: Skeleton) -> list[Bone]:
    """Every rib, right and left."""
    found = []
    for placed in skeleton.vertebrae:
        for side, label in ((-1.0, Label.RIB_RIGHT), (1.0, Label.RIB_LEFT)):
            path = rib_path(skeleton, placed, side)
            if path is not None:
                found.append(Bone(label, Field(_tube(path))))
    return found


def rib_path(skeleton: Skeleton, placed: Placed, side: float, steps: int = 24) -> Array | None:
    """The middle of a rib ``(steps, 3)`` mm, patient frame, from its head; None where there is none."""
    length = placed.vertebra.rib_mm[0 if side < 0 else 1]
    if length <= 0:
        return None
    thoracic = [other for other in skeleton.vertebrae if other.vertebra.level.region == "T"]
    number = int(str(placed.vertebra.level)[1:]) if placed.vertebra.level.region == "T" else 99
    last = int(str(thoracic[-1].vertebra.level)[1:])
    place = min(12.0, 1 + (number - 1) * 11 / (last - 1))
    table = np.array(REACH) * skeleton.patient.scale
    width, depth, drop = (float(np.interp(place, np.arange(1, 13), table[:, i])) for i in range(3))
    size, free = placed.vertebra.size, place > 10.5
    head = placed.frame.place(
        np.array([[side * size.upper_width * 0.47, size.upper_depth * 0.42, size.height * (0.1 if free else 0.38)]])
    )[0]
    middle = np.array([head[0] * 0.2 + placed.frame.centre[0] * 0.8, head[1] - THORAX_FORWARD_MM * depth / 92, head[2]])
    angle = np.linspace(0.33, 2.55, 60)
    sweep = np.stack(
        [
            side * width * np.sin(angle) ** 0.92,
            depth * np.cos(angle) + 12 * np.exp(-(((angle - 0.55) / 0.4) ** 2)),
            -drop * ((1 - np.cos(angle * 0.92)) / 2) ** 1.15 + 5 * np.exp(-(((angle - 0.5) / 0.3) ** 2)) * (not free),
        ],
        1,
    )
    sweep[:, 2] -= np.interp(place, [1, 7, 10, 12], [0.05, 0.2, 0.4, 0.62]) * np.abs(sweep[:, 0])
    path = np.concatenate([head[None], middle + sweep])
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    curve = CubicSpline(lengths, path, axis=0)
    fine = curve(np.linspace(0, lengths[-1], 400))
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    want = np.linspace(0, length, steps)
    beyond = np.clip(want - along[-1], 0, None)[:, None] * (fine[-1] - fine[-2]) / (along[-1] - along[-2])
    return np.stack([np.interp(want, along, fine[:, i]) for i in range(3)], 1) + beyond


def _tube(path: Array) -> list[Part]:
    return [bar(a, b, 3.2, across=[0, 0, 1], wide=2.5, blend=1.0) for a, b in pairwise(path)]
