"""The bones around the spine as clouds: ribs, clavicles, shoulder blades, sacrum, hip bones and femoral heads."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from numbering.phantom.old.anatomy import reference, rib_reach
from numbering.phantom.old.bones import X, Y, Z
from numbering.phantom.old.matter import CORTEX, TRABECULAR, Array, Cloud, merged, sheet, tube
from numbering.phantom.old.pose import Placed, Skeleton

THORAX_FORWARD = 62.0
"""How far the middle of the thorax lies in front of the spine, mm."""


def ribs(skeleton: Skeleton) -> list[Cloud]:
    """Every rib of every rib-bearing vertebra, right and left."""
    bearing = [placed for placed in skeleton.vertebrae if placed.vertebra.rib_bearing]
    return [_rib(skeleton, placed, side) for placed in bearing for side in (-1, 1)]


def _rib(skeleton: Skeleton, placed: Placed, side: int) -> Cloud:
    """From the joint beside the body, back past the transverse process, and forward around the thorax."""
    vertebra, scale = placed.vertebra, skeleton.patient.scale
    size = vertebra.size
    length = vertebra.rib_mm[0 if side < 0 else 1]
    lumbar = vertebra.level.region == "L"
    place = 19.0 if lumbar else reference(vertebra.level, skeleton.patient.variant)
    width, depth, drop, _ = np.array(rib_reach(place)) * scale
    free = place > 17.5  # the last two hang free and run straight down and out
    head = placed.frame.place(
        np.array([[side * size.upper_width * 0.47, size.upper_depth * 0.42, size.height * (0.1 if free else 0.38)]])
    )[0]
    middle = np.array([head[0] * 0.2 + placed.frame.centre[0] * 0.8, head[1] - THORAX_FORWARD * depth / 92, head[2]])
    angle = np.linspace(0.33, 2.55, 60)
    sweep = np.stack(
        [
            side * width * np.sin(angle) ** 0.92,
            depth * np.cos(angle) + 12 * np.exp(-(((angle - 0.55) / 0.4) ** 2)),
            -drop * ((1 - np.cos(angle * 0.92)) / 2) ** 1.15 + 5 * np.exp(-(((angle - 0.5) / 0.3) ** 2)) * (not free),
        ],
        1,
    )
    sweep[:, 2] -= np.interp(place, [8, 14, 17, 19], [0.05, 0.2, 0.4, 0.62]) * np.abs(sweep[:, 0])
    path = np.concatenate([head[None], middle + sweep])
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, min(length, lengths[-1]), 60)
    path = np.stack([np.interp(at, lengths, path[:, i]) for i in range(3)], 1)
    tall = np.interp(at, [0, 15, 40, 200], [4.5, 4.6, 6.2, 6.6]) * (0.8 if free else 1.0) * scale
    radii = np.stack([0.88 * tall, np.full(60, 3.2)], 1)
    return tube(path, radii, Z, wall=0.9, core=TRABECULAR * 0.6, rounded=5, wall_pitch=0.6, core_pitch=1.2)


def clavicles(skeleton: Skeleton) -> list[Cloud]:
    """S-shaped, from beside the breastbone up and out to the shoulder."""
    scale, z = skeleton.patient.scale, skeleton.height(10.0)
    found = []
    for side in (-1, 1):
        share = np.linspace(0, 1, 30)
        path = np.stack(
            [
                side * (20 + 145 * share) * scale,
                -95 + 85 * share - 14 * np.sin(2 * np.pi * share),
                z + 6 + 42 * share**0.8 * scale,
            ],
            1,
        )
        radii = np.stack([np.interp(share, [0, 0.2, 0.7, 1], [11, 6.5, 6, 8]), np.full(30, 6.5)], 1)
        found.append(tube(path, radii, Z, wall=1.3, core=TRABECULAR * 0.4, rounded=4, core_pitch=1.2))
    return found


def shoulder_blades(skeleton: Skeleton) -> list[Cloud]:
    """Thin triangular plates with a hard inner edge, behind ribs two to seven."""
    scale = skeleton.patient.scale
    top, bottom = skeleton.height(9.2), skeleton.height(14.6)
    found = []
    for side in (-1, 1):
        share = np.linspace(0, 1, 12)
        inner = np.stack(
            [side * (88 + 26 * share) * scale, 88 + 12 * np.sin(3 * share), top + (bottom - top) * share], 1
        )
        outer = np.stack([side * (165 - 45 * share) * scale, 45 + 45 * share, top + 14 + (bottom - top) * share], 1)
        found.append(sheet(np.stack([inner, outer], 1), 2.2, pitch=1.0))
        found.append(tube(inner, np.full((12, 2), 2.2), X, wall=0.8, core=TRABECULAR))
        found.append(tube(outer, np.full((12, 2), 5.0), X, wall=1.2, core=TRABECULAR))
    return found


SACRAL_SEGMENTS = ((30.0, 50.0, 33.0), (25.0, 37.0, 24.0), (20.0, 29.0, 17.0), (17.0, 25.0, 12.0), (15.0, 22.0, 9.0))
"""Height, width and depth of S1 to S5, mm."""


def sacrum(skeleton: Skeleton) -> list[Cloud]:
    """Five fused segments with alae; the gaps between their lateral masses are the foramina."""
    patient, frame = skeleton.patient, skeleton.sacrum
    scale, parts = patient.scale, []
    at, lean = np.zeros(3), 0.0
    own: list[tuple[Array, Array, float, float, float]] = []
    for height, width, depth in np.array(SACRAL_SEGMENTS) * scale:
        axis = np.array([0, np.sin(np.radians(lean)), -np.cos(np.radians(lean))])
        end = at + axis * height
        own.append((at, end, height, width, depth))
        at, lean = end, lean - 12
    lateral = np.array([[56.0, 12, -10], [57, 11, -30], [46, 6, -56], [32, -3, -80], [16, -14, -100]]) * scale
    seen = frame.rotation.T @ Y  # from the front
    for index, (top, end, height, width, depth) in enumerate(own):
        next_width, next_depth = own[index + 1][3:] if index < 4 else (width * 0.8, depth * 0.8)
        radii = (
            np.array(
                [(width, depth), (min(width, next_width) * 0.92, (depth + next_depth) / 2.1), (next_width, next_depth)]
            )
            / 2
        )
        parts.append(
            tube([top, (top + end) / 2, end], radii, X, wall=0.5 if index == 0 else 0.2, core=TRABECULAR, exponent=2.3)
        )
        parts.append(_plate(top, radii[0], end - top, 0.9 if index == 0 else 0.45))
        for side in (-1, 1):
            root = top * 0.62 + end * 0.38 + [side * width * 0.36, depth * 0.25, 0]
            far = lateral[index] * [side, 1, 1]
            thick = height * (0.46 if index == 0 else 0.40)
            parts.append(
                tube(
                    [root, (root + far) / 2 + [0, -1, 0], far],
                    [(thick, depth * 0.40), (thick * 0.95, depth * 0.4), (thick * 1.15, 8 * scale)],
                    Z,
                    wall=0.12,
                    core=TRABECULAR * 0.4,
                    rounded=8,
                )
            )
    for side in (-1, 1):
        edge = np.array([(15.0, 7), (14, 7), (10, 6), (8, 5), (5, 4)])
        parts.append(tube(lateral * [side, 1, 1], edge * scale, Y, wall=0.12, core=TRABECULAR * 0.3, rounded=8))
        parts.append(_wing(own, lateral * [side, 1, 1], side, seen))
        parts += [_foramen(own[i][1], own[i][3], side) for i in range(4)]
    crest = np.array([[0.0, 34, -14], [0, 42, -40], [0, 40, -70]]) * scale
    parts.append(tube(crest, np.array([(3.5, 8.0), (3, 7), (3, 4)]) * scale, X, wall=0.3, core=TRABECULAR * 0.6))
    cloud = merged(parts)
    return [Cloud(frame.place(cloud.points), cloud.mass * patient.bone)]


def _wing(own: list[tuple[Array, Array, float, float, float]], lateral: Array, side: int, seen: Array) -> Cloud:
    """Ala and lateral mass of one side: bone about 2 cm thick between the bodies and the joint."""
    tops = np.array(
        [(top * 0.75 + end * 0.25) + [side * width * 0.4, depth * 0.2, 0] for top, end, _, width, depth in own]
    )
    lift = np.array([0, 0, 9.0]) * abs(lateral[0, 0]) / 56
    rows = np.stack([np.vstack([tops[:1] + lift * 0.6, tops]), np.vstack([lateral[:1] + lift, lateral])], 1)
    return sheet(rows, 4.2, facing=seen)


def _foramen(centre: Array, width: float, side: int) -> Cloud:
    """What a foramen takes out of the wing, a rounded hole that runs backwards."""
    at = centre + [side * width * 0.52, 0, 0]
    radius = width * 0.15
    return tube([at - 6 * Y, at + 10 * Y], np.full((2, 2), radius), X, wall=0.25, core=-0.02)


def _plate(centre: Array, radii: Array, along: Array, thickness: float) -> Cloud:
    share = np.linspace(0.02, 1, 30)[:, None, None]
    angle = np.linspace(0, 2 * np.pi, 60)[None, :, None]
    axis = along / np.linalg.norm(along)
    back = np.cross(axis, X)
    rows = centre + share * (radii[0] * np.cos(angle) * X + radii[1] * np.sin(angle) * back)
    return sheet(np.ascontiguousarray(np.broadcast_to(rows, (30, 60, 3))), thickness, pitch=0.5)


_CREST = np.array(
    [
        [44, 44, -28],
        [48, 40, 0],
        [62, 30, 28],
        [84, 10, 46],
        [108, -18, 44],
        [128, -48, 24],
        [134, -68, -2],
        [126, -82, -26],
    ]
)
_MIDDLE = np.array(
    [
        [48, 38, -42],
        [54, 30, -26],
        [66, 20, -10],
        [84, 2, -6],
        [102, -18, -12],
        [112, -38, -24],
        [116, -54, -38],
        [116, -66, -52],
    ]
)
_BRIM = np.array(
    [
        [50, 34, -66],
        [56, 22, -62],
        [62, 6, -60],
        [70, -10, -64],
        [80, -20, -78],
        [90, -28, -86],
        [100, -36, -84],
        [110, -46, -78],
    ]
)


def hip_bones(skeleton: Skeleton) -> list[Cloud]:
    """Iliac wings with their crests, sockets, pubic rami, and the femoral heads."""
    patient = skeleton.patient
    wide = 1.04 if patient.sex == "F" else 1.0
    parts = []
    for side in (-1, 1):
        flip = np.array([side * wide, 1, 1]) * patient.scale
        rows = np.stack([_CREST, _MIDDLE, _BRIM]) * flip
        curve = _smooth(_smooth(rows, 0, 9), 1, 40)
        parts += [sheet(curve + [0, 3, 0], 2.2), sheet(curve - [0, 3, 0], 2.2)]
        parts.append(
            tube(curve[0] - [0, 0, 4], np.full((40, 2), 4.5) * patient.scale, Y, wall=0.45, core=TRABECULAR, rounded=6)
        )
        parts.append(tube(curve[-1], np.full((40, 2), 4.5) * patient.scale, Y, wall=0.25, core=TRABECULAR, rounded=6))
        joint = _smooth(np.array([[52, 35, -6], [57, 28, -32], [50, 36, -66]]) * flip, 0, 20)
        thick = (
            np.stack([np.interp(np.linspace(0, 1, 20), [0, 0.4, 1], [9, 13, 7]), np.full(20, 7.0)], 1) * patient.scale
        )
        parts.append(tube(joint, thick, Y, wall=0.12, core=TRABECULAR, rounded=14))
        parts += _hip(flip)
    cloud = merged(parts)
    return [Cloud(cloud.points, cloud.mass * patient.bone)]


def _hip(flip: Array) -> list[Cloud]:
    centre = np.array([89, -18, -112]) * flip
    size = abs(flip[1])
    ball = [centre + Z * 23 * size, centre - Z * 23 * size]
    cup = [centre + Z * 29 * size, centre - Z * 14 * size]
    ramus = np.array([[72, -35, -104], [45, -58, -112], [10, -62, -128]]) * flip
    seat = np.array([[74, 0, -125], [66, 10, -160], [50, 0, -180], [12, -50, -158]]) * flip
    neck = np.array([[94, -16, -116], [118, -4, -134], [132, 0, -150]]) * flip
    shaft = np.array([[124, 0, -140], [128, 0, -190], [122, 0, -280]]) * flip
    return [
        tube(ball, np.full((2, 2), 23.0) * size, X, wall=0.9, rounded=23 * size, core_pitch=1.2),
        tube(cup, np.full((2, 2), 28.0) * size, X, wall=1.2, core=0, rounded=24 * size),
        tube(ramus, np.array([(9, 8), (6, 6), (9, 7)]) * size, Z, wall=1.2, core_pitch=1.2),
        tube(seat, np.array([(14, 12), (13, 12), (11, 10), (6, 6)]) * size, X, wall=1.2, core_pitch=1.4),
        tube(neck, np.array([(18, 16), (16, 14), (20, 18)]) * size, Z, wall=1.2, core_pitch=1.4),
        tube(shaft, np.array([(19, 18), (14, 14), (13, 13)]) * size, X, wall=4.0, core=0, wall_mu=CORTEX * 0.7),
    ]


def _smooth(rows: Array, axis: int, count: int) -> Array:
    return np.asarray(CubicSpline(np.linspace(0, 1, rows.shape[axis]), rows, axis=axis)(np.linspace(0, 1, count)))
