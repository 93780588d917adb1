"""Breastbone, collar bones, shoulder blades and upper arms: what a whole-spine film shows beside the ribs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.solids import Array, Part, ball, bar, sheet


def girdle(skeleton: Skeleton) -> list[Bone]:
    """Breastbone; then collar bone, shoulder blade and upper arm, right before left."""
    notch = _notch(skeleton)
    found = [Bone(Label.STERNUM, Field(_sternum(skeleton, notch)))]
    for side in SIDES:
        found.append(Bone(Label.CLAVICLE, Field(_clavicle(skeleton, notch, side))))
        found += _shoulder(skeleton, side)
    return found


def _notch(skeleton: Skeleton) -> Array:
    """The upper end of the breastbone ``(3,)``, before T2."""
    return np.asarray(skeleton.at(9.6) + np.array([0.0, -66.0, 0.0]) * skeleton.patient.scale)


def _sternum(skeleton: Skeleton, notch: Array) -> list[Part]:
    scale = skeleton.patient.scale
    angle = notch + np.array([0, -16.0, -46.0]) * scale
    foot = angle + np.array([0, -28.0, -98.0]) * scale
    tip = foot + np.array([0, 2.0, -26.0]) * scale
    x = [1.0, 0.0, 0.0]
    return [
        bar(notch, angle, (5.5, 4.8), across=x, wide=(25.0 * scale, 12.0 * scale), blend=4.0),
        bar(angle - [0, 1, 3], foot, (4.8, 4.5), across=x, wide=(11.0 * scale, 15.0 * scale), blend=3.0),
        bar(foot, tip, (3.0, 2.0), across=x, wide=(5.0, 2.0), blend=4.0),
    ]


def _clavicle(skeleton: Skeleton, notch: Array, side: float) -> list[Part]:
    scale = skeleton.patient.scale
    share = np.linspace(0, 1, 9)
    path = notch + np.stack(
        [
            side * (24 + 132 * share) * scale,
            (70 * share - 12 * np.sin(2 * np.pi * share)) * scale,
            (4 + 34 * share**0.8) * scale,
        ],
        1,
    )
    radius = np.interp(share, [0, 0.15, 0.65, 1], [9.5, 6.2, 5.4, 6.0]) * scale
    return [
        bar(a, b, (float(r), float(s)), blend=2.0)
        for (a, b), (r, s) in zip(pairwise(path), pairwise(radius), strict=True)
    ]


def _shoulder(skeleton: Skeleton, side: float) -> list[Bone]:
    scale = skeleton.patient.scale
    top, bottom = skeleton.at(9.2), skeleton.at(14.6)
    share = np.linspace(0, 1, 6)[:, None]
    spine = top + (bottom - top) * share
    inner = spine + np.array([side, 1, 1]) * (np.array([84.0, 34.0, 0]) + share * [26.0, 6.0, 0]) * scale
    outer = spine + np.array([side, 1, 1]) * (np.array([152.0, -4.0, 10.0]) + share * [-34.0, 42.0, 2.0]) * scale
    middle = (inner + outer) / 2 + [0, 6.0 * scale, 0]
    rows = np.stack([inner, middle, outer])
    thick = np.tile(np.array([[2.6], [1.5], [4.2]]), (1, 6)) * scale
    socket = outer[0] + np.array([side * 6.0, -6.0, 6.0]) * scale
    point = socket + np.array([side * 16.0, 4.0, 26.0]) * scale
    blade: list[Part] = [
        *sheet(rows, thick),
        *(bar(a, b, 3.0 * scale, blend=3.0) for a, b in pairwise(inner)),
        *(bar(a, b, 4.5 * scale, blend=3.0) for a, b in pairwise(outer)),
        bar(outer[0], socket, (7.0 * scale, 11.0 * scale), blend=5.0),
        bar(inner[1] + [0, 6, 0], point, (2.5 * scale, 5.0 * scale), across=[0, 1, 0.3], wide=(3.0, 7.0), blend=4.0),
        bar(socket + [0, -4, 8], socket + np.array([side * -2.0, -30.0, 12.0]) * scale, 4.5 * scale, blend=4.0),
    ]
    head = socket + np.array([side * 29.0, -4.0, 0]) * scale
    arm = [
        ball(head, 22.5 * scale),
        bar(
            head + np.array([side * 10.0, -3.0, 0]) * scale,
            head + np.array([side * 14.0, 0, -150.0]) * scale,
            (17.0 * scale, 10.5 * scale),
            blend=8.0,
        ),
    ]
    return [Bone(Label.SCAPULA, Field(blade)), Bone(Label.HUMERUS, Field(arm))]
