"""Hip bones: wing, socket, sitting bone and pubis; and the upper femora. In the patient's frame.

The table below is a pelvis under a sacral slope of 40° and with the hips 9° in front of the sacrum's endplate; parts
near the sacroiliac joint turn with the sacrum, the rest with the pelvic tilt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from numbering.phantom.pose import Skeleton, rotation
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.sacrum import lateral
from numbering.phantom.shapes.solids import Array, Part, ball, bar, grown, moved, sheet

TABLE_SLOPE, TABLE_TILT = 40.0, 9.1
JOINT_GAP_MM = 2.0
LATTICE_MM = 1.75
"""Hip bones are large, smooth and of a hundred parts each."""
# the wing, left side, from behind to in front: its crest, lines between, its lower border; x, y and z
_WING = np.stack(
    [
        [
            (38, 48, 66, 88, 112, 131, 135, 127),
            (44, 54, 69, 89, 108, 122, 127, 122),
            (51, 60, 71, 87, 102, 112, 117, 117),
            (58, 63, 69, 78, 90, 100, 107, 111),
            (66, 70, 75, 82, 90, 96, 101, 105),
        ],
        [
            (56, 48, 34, 10, -18, -48, -70, -83),
            (50, 42, 27, 6, -20, -46, -64, -76),
            (40, 31, 18, 0, -20, -40, -56, -68),
            (26, 16, 4, -10, -22, -33, -44, -54),
            (16, 6, -4, -12, -20, -27, -34, -42),
        ],
        [
            (-36, -6, 26, 45, 44, 24, -6, -27),
            (-42, -16, 10, 22, 20, 4, -18, -36),
            (-50, -30, -14, -8, -12, -24, -38, -54),
            (-62, -56, -52, -54, -60, -66, -72, -76),
            (-74, -76, -80, -86, -90, -92, -92, -92),
        ],
    ],
    axis=-1,
).astype(float)
_THICK = np.array(
    [
        (6.0, 6.5, 6.0, 5.5, 6.0, 6.0, 5.5, 5.0),
        (7.5, 7.5, 4.5, 3.2, 3.4, 4.2, 4.2, 4.0),
        (8.0, 9.0, 5.5, 2.6, 2.6, 3.6, 4.6, 4.5),
        (7.5, 9.0, 8.0, 6.0, 6.0, 7.0, 7.0, 6.5),
        (8.0, 9.0, 10.0, 11.0, 11.0, 11.0, 10.0, 8.0),
    ]
)
HIP = np.array([89.0, -18.0, -112.0])


@dataclass(frozen=True)
class Setting:
    """How the table's pelvis becomes this patient's."""

    size: float
    wide: float
    tall: float
    """Stretch of the wings above the sacroiliac joint."""
    sacral: Array
    pelvic: Array

    def place(self, points: Array, side: float) -> Array:
        """Points ``(..., 3)`` of the table's left side, in the patient's frame on either side."""
        own = np.array(points, float)
        high = own[..., 2] > -30
        own[..., 2] = np.where(high, -30 + (own[..., 2] + 30) * self.tall, own[..., 2])
        lateral_ = np.clip((own[..., 0] - 60) / 70, 0, 1)
        own[..., 0] *= 1 + (self.wide - 1) * lateral_
        follow = (np.clip((own[..., 1] - 5) / 25, 0, 1) * np.clip((100 - own[..., 0]) / 30, 0, 1))[..., None]
        own = own * self.size * np.array([side, 1, 1])
        return np.asarray(follow * (own @ self.sacral.T) + (1 - follow) * (own @ self.pelvic.T))


def setting(skeleton: Skeleton) -> Setting:
    """The patient's, such that crests and width are as sampled."""
    patient, frame = skeleton.patient, skeleton.sacrum.rotation
    slope = float(np.degrees(np.arctan2(-frame[1, 2], frame[2, 2])))
    level = frame @ rotation(slope, 0, 0).T
    tilt = patient.sacrum.pelvic_incidence - slope
    size = patient.sacrum.width / 112
    sacral, pelvic = frame @ rotation(TABLE_SLOPE, 0, 0).T, level @ rotation(tilt - TABLE_TILT, 0, 0).T
    found = Setting(size, 1.0, 1.0, sacral, pelvic)
    reach = max(abs(found.place(_WING, side)[..., 0]).max() for side in SIDES) + 5.5
    wide = float(np.clip(1 + (patient.sacrum.bi_iliac / 2 - reach) / reach * 1.15, 0.8, 1.25))
    want = skeleton.height(patient.sacrum.crest_ordinal)
    tall = 1.0
    for _ in range(3):
        found = Setting(size, wide, tall, sacral, pelvic)
        crest = np.mean([found.place(_WING[0], side)[:, 2].max() for side in SIDES]) + 5.0
        tall = float(np.clip(tall * (want + 30 * size) / max(crest + 30 * size, 10.0), 0.6, 1.7))
    return Setting(size, wide, tall, sacral, pelvic)


def wing(skeleton: Skeleton, side: float) -> Array:
    """The middle of the iliac wing ``(lines, points, 3)``, patient frame: lines from the crest down, points from behind
    to in front. Muscles lie on it."""
    return setting(skeleton).place(_WING, side)


def hip_centre(skeleton: Skeleton, side: float) -> Array:
    """Middle of the femoral head ``(3,)``, patient frame."""
    return setting(skeleton).place(HIP, side)


def pelvis(skeleton: Skeleton) -> list[Bone]:
    """Hip bones, then femora; right before left."""
    at, shape = setting(skeleton), skeleton.patient.sacrum
    joint = [grown(moved(part, skeleton.sacrum), JOINT_GAP_MM, carve=True) for part in lateral(shape)]
    hips = [Bone(Label.HIP_BONE, Field([*_hip_bone(at, side), *joint]), lattice_mm=LATTICE_MM) for side in SIDES]
    femora = [
        Bone(Label.FEMUR, Field(_femur(at, side, prosthesis)))
        for side, prosthesis in zip(SIDES, shape.hip_prosthesis, strict=True)
    ]
    return [*hips, *femora]


def _hip_bone(at: Setting, side: float) -> list[Part]:
    def place(*point: float) -> Array:
        return at.place(np.array(point), side)

    size = at.size
    wing = _finer(at.place(_WING, side), 7, 12)
    parts = sheet(wing, _finer(_THICK[:, :, None], 7, 12)[..., 0] * size)
    crest = wing[0]
    rim = np.interp(np.linspace(0, 1, 12), np.linspace(0, 1, 8), _THICK[0]) * size
    parts += [
        bar(a, b, (float(r), float(s)), blend=4.0)
        for a, b, r, s in zip(crest[:-1], crest[1:], rim[:-1], rim[1:], strict=True)
    ]
    hip = place(*HIP)
    parts += [
        ball(hip + [side * -2.0, 2.0, 2.0], 28.5 * size, blend=8.0),
        bar(place(74, -38, -104), place(36, -64, -112), (9.0 * size, 6.5 * size), blend=6.0),
        bar(place(36, -64, -112), place(9, -68, -122), (6.5 * size, 6.5 * size), across=[0, 0, 1], wide=(0.5, 5.0)),
        bar(place(9, -67, -120), place(10, -60, -142), 6.0 * size, across=[1, 0, 0], wide=1.5, blend=4.0),
        bar(place(11, -60, -140), place(36, -32, -166), (5.5 * size, 5.0 * size), across=[0, 1, 1], wide=2.0),
        bar(place(36, -32, -166), place(58, 2, -180), (5.0 * size, 8.0 * size), across=[0, 1, 1], wide=2.0, blend=5.0),
        bar(place(80, 4, -122), place(66, 14, -162), (15.0 * size, 12.0 * size), blend=8.0),
        bar(place(66, 14, -162), place(58, 2, -178), (13.0 * size, 10.0 * size), blend=6.0),
        bar(place(68, 16, -80), place(74, 10, -128), (9.0 * size, 13.0 * size), blend=8.0),
        bar(place(70, 18, -112), place(56, 34, -120), (7.0 * size, 2.5 * size), blend=6.0),
        ball(hip, 25.0 * size, blend=2.0, carve=True),
        bar(hip, hip + side * np.array([40.0, 0, 0]) + [0, -14.0, -26.0], (23.0 * size, 34.0 * size), carve=True),
    ]
    return parts


def _femur(at: Setting, side: float, prosthesis: bool) -> list[Part]:
    """Head, neck, trochanters and shaft; a prosthesis has taken head and neck away."""

    def place(*point: float) -> Array:
        return at.place(np.array(point), side)

    size, hip = at.size, at.place(HIP, side)
    neck, shaft = place(124, -8, -137), place(127, -4, -146)
    down = hip + np.array([side * 24.0, 12.0, -185.0]) * size
    parts = [
        bar(neck, shaft, (15.0 * size, 16.0 * size), blend=6.0),
        bar(place(132, 2, -142), place(136, 4, -122), (13.0 * size, 10.0 * size), blend=8.0),
        ball(place(118, 12, -168), 9.0 * size, blend=8.0),
        bar(shaft, down, (17.0 * size, 13.5 * size), blend=8.0),
    ]
    if prosthesis:
        return parts
    return [ball(hip, 23.0 * size), bar(hip, neck, (15.5 * size, 16.0 * size), blend=6.0), *parts]


def _finer(rows: Array, down: int, along: int) -> Array:
    """A lattice ``(rows, columns, n)`` interpolated smoothly."""
    for axis, count in ((0, down), (1, along)):
        at = np.linspace(0, 1, rows.shape[axis])
        rows = CubicSpline(at, rows, axis=axis)(np.linspace(0, 1, count))
    return np.asarray(rows)
