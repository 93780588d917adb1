"""Base of the skull, back of the head, jaws: what lies around C1 and C2 on a film or CT that starts there."""

from __future__ import annotations

import numpy as np

from numbering.phantom.pose import Frame, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.solids import Array, Part, ball, bar, sheet


def skull(skeleton: Skeleton) -> list[Bone]:
    """Skull base with the back of the head, and the jaw; none where the spine does not reach C2."""
    top = skeleton.vertebrae[0]
    if str(top.vertebra.level) != "C2":
        return []
    size, scale = top.vertebra.size, skeleton.patient.scale
    base = top.frame.place(np.array([[0, 0, size.height / 2 + 22.0]]))[0]
    level = Frame(base, np.eye(3))
    return [
        Bone(Label.SKULL, Field(_base(scale)), level),
        Bone(Label.SKULL, Field(_jaw(scale)), level),
    ]


def _base(scale: float) -> list[Part]:
    """Shell of the back of the head around the great foramen, petrous bones, clivus, hard palate and upper teeth."""
    polar, around = np.meshgrid(
        np.radians(np.linspace(20, 100, 7)), np.radians(np.linspace(-180, 180, 19)), indexing="ij"
    )
    shell = np.stack(
        [76 * np.sin(polar) * np.sin(around), 18 + 92 * np.sin(polar) * np.cos(around), 62 - 58 * np.cos(polar)], -1
    )
    parts = sheet(shell * scale, np.full(shell.shape[:2], 3.0), blend=1.5)
    for side in SIDES:
        flip = np.array([side, 1, 1]) * scale
        parts += [
            bar(flip * [12, 2, 0], flip * [13, 12, 1], 4.5, blend=3.0),
            bar(flip * [14, -14, 12], flip * [56, 12, 18], (8.0, 10.0), blend=5.0),
            bar(flip * [56, 14, 14], flip * [54, 12, -14], (9.0, 4.5), blend=6.0),
            bar(flip * [24, -38, -4], flip * [22, -62, -6], 6.0, across=[0, 0, 1], wide=3.0, blend=5.0),
            bar(flip * [20, -62, -8], flip * [4, -82, -10], 6.0, across=[0, 0, 1], wide=6.0, blend=5.0),
        ]
    parts += [
        bar(np.array([0, -12, 2]) * scale, np.array([0, -30, 26]) * scale, 6.0, across=[1, 0, 0], wide=8.0, blend=5.0),
        bar(
            np.array([0, -40, -2]) * scale, np.array([0, -78, -4]) * scale, 3.0, across=[1, 0, 0], wide=18.0, blend=3.0
        ),
    ]
    return parts


def _jaw(scale: float) -> list[Part]:
    """Both rami and the arch of the chin with the lower teeth."""
    parts: list[Part] = []
    for side in SIDES:

        def at(*point: float, side: float = side) -> Array:
            return np.array(point) * [side, 1, 1] * scale

        parts += [
            ball(at(52, -12, 6), 6.0),
            bar(at(52, -12, 4), at(47, -16, -44), (4.0, 4.5), across=[0, 1, 0], wide=(8.0, 14.0), blend=4.0),
            bar(
                at(46, -22, -48),
                at(24, -72, -60),
                (6.5, 7.0),
                across=[0, 0, 1],
                wide=(4.5, 6.0),
                bow=at(3, -4, 0),
                blend=5.0,
            ),
            bar(at(24, -72, -60), at(0, -86, -62), 7.0, across=[0, 0, 1], wide=7.0, bow=at(3, -3, 0), blend=5.0),
            bar(at(26, -62, -44), at(4, -80, -44), 4.0, across=[0, 0, 1], wide=4.0, blend=2.0),
        ]
    return parts
