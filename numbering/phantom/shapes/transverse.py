"""Transverse processes: slender in the loin, stout with a rib's facet in the chest, pierced in the neck; and the
enlarged ones of a transitional vertebra, which touch the sacrum or grow into it."""

from __future__ import annotations

import numpy as np

from numbering.phantom.anatomy.patient import Castellvi, Vertebra
from numbering.phantom.shapes.arch import Pillar, hind_wall
from numbering.phantom.shapes.habit import USUAL, Habit
from numbering.phantom.shapes.solids import Array, Part, ball, bar

Z = np.array([0.0, 0.0, 1.0])
PSEUDO_JOINT_MM = 1.6
"""Width of the joint between a process and the ala (Castellvi II)."""


def tip_centre(vertebra: Vertebra, at: Pillar, own: Habit) -> Array:
    """Middle of the end of the transverse process; its surface lies at half of the sampled span."""
    size, region, number = vertebra.size, vertebra.level.region, int(str(vertebra.level)[1:])
    reach = at.side * (size.transverse_span / 2)
    back = hind_wall(vertebra)
    vary = np.array([0.0, own.back, own.lift + at.side * own.uneven / 2])
    if region == "L":
        return vary + np.array(
            [
                reach - at.side * (3.2 if vertebra.size.pedicle_width > 15 else 2.6),
                at.behind[1] + 5.5,
                at.behind[2] + (2.5 if number >= 4 else 0.5),
            ]
        )
    if region == "T":
        away = float(np.interp(number, [1, 6, 10, 12], [0.55, 0.95, 0.85, 0.4])) * size.canal_depth
        short, lift = (4.0 if number < 12 else 2.4), (1.5 if number < 11 else -1.0)
        return vary + np.array([reach - at.side * short, at.behind[1] + away, at.behind[2] + lift])
    return vary + np.array([reach - at.side * 3.0, back - 1.0, -2.0])


def transverse(
    vertebra: Vertebra, at: Pillar, castellvi: Castellvi, ala: Array | None, own: Habit = USUAL
) -> list[Part]:
    """The process of one side; ``ala``: top of the sacral ala under it ``(3,)``, own frame, of a last vertebra."""
    region, number = vertebra.level.region, int(str(vertebra.level)[1:])
    tip, height = tip_centre(vertebra, at, own), vertebra.size.height
    if castellvi != "none" and ala is not None:
        return _transitional(vertebra, at, tip, castellvi, ala)
    if region == "L":
        stout = vertebra.size.pedicle_width > 15.0
        root = at.behind + [at.side * 0.3 * at.thick, -2.0 if not stout else -5.0, -1.0]
        if stout:  # the last one: a pyramid from pedicle and body
            return [
                bar(root, tip, (4.4, 3.2), across=Z, wide=(0.19 * height, 0.3), tall=(2.0, 0.0), blend=5.0),
            ]
        middle = root * 0.45 + tip * 0.55
        return [
            bar(root, middle, (2.8, 2.0), across=Z, wide=(0.13 * height, 0.085 * height), blend=3.5),
            bar(middle, tip, (2.0, 2.6), across=Z, wide=(0.085 * height, 0.02 * height), blend=1.0),
        ]
    if region == "T":
        if number >= 12:
            return [
                bar(at.behind, tip, (3.4, 3.4), blend=3.0),
                ball(tip + [0, 1.0, 4.5], 2.6),
                ball(tip + [-at.side, 0.5, -5.0], 2.4),
            ]
        root = at.behind + [0, 1.0, -0.5]
        return [
            bar(root, tip, (3.4, 3.2), across=Z, wide=(0.1 * height, 0.02 * height), blend=3.0),
            ball(tip, 4.0, blend=2.0),
        ]
    return _cervical(at, tip)


def _cervical(at: Pillar, tip: Array) -> list[Part]:
    """Two bars around the hole of the vertebral artery."""
    front = np.array([at.root[0], at.root[1] - 5.0, -0.5])
    behind = np.array([at.behind[0], at.behind[1] - 1.0, -1.0])
    ahead = tip + [-at.side * 2.0, -4.0, 0]
    return [
        bar(front, ahead, (1.9, 1.9), across=Z, wide=0.8, blend=1.5),
        bar(behind, tip, (2.2, 2.2), across=Z, wide=1.0, blend=1.5),
        bar(ahead, tip, (1.9, 2.4), blend=1.5),
    ]


def _transitional(vertebra: Vertebra, at: Pillar, tip: Array, castellvi: Castellvi, ala: Array) -> list[Part]:
    """I: at least 19 mm tall. II: reaches down to the ala, a joint between them. III: bone as far as the ala."""
    height = vertebra.size.height
    root = at.behind + [at.side * 0.2 * at.thick, -5.0, -0.08 * height]
    half = max(0.40 * height, 10.2)
    if castellvi == "I":
        end = np.array([tip[0], tip[1], tip[2] - 2.0])
        return [bar(root, end, (4.4, 3.6), across=Z, wide=(0.2 * height, half - 3.6), tall=(1.5, 1.0), blend=5.0)]
    wing = np.array([ala[0], 0.5 * (tip[1] + ala[1]), 0.5 * (root[2] + ala[2]) + 2.0])
    stalk = bar(root, wing, (5.0, 5.0), across=Z, wide=(0.2 * height, 0.3 * height), tall=(2.5, 4.0), blend=5.0)
    if castellvi == "II":
        foot = ala + [0, 0, 1.0]  # the sacrum's share is taken away from it, and a joint's width more
        return [stalk, bar(wing, foot, (4.5, 3.0), across=[1, 0, 0], wide=(5.0, 8.0), tall=(5.0, 6.0), blend=4.0)]
    return [
        stalk,
        bar(wing, ala - [0, 0, 5.0], (5.5, 6.0), across=[1, 0, 0], wide=(5.0, 8.0), tall=(5.0, 6.0), blend=5),
    ]
