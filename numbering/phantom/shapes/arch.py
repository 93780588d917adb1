"""The arch of a vertebra: pedicles, articular processes, laminae and the spinous process, in its own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.shapes.habit import Habit
from numbering.phantom.shapes.joints import Joint
from numbering.phantom.shapes.solids import Array, Part, ball, bar

Z = np.array([0.0, 0.0, 1.0])
ROOF_MM = 8.0
"""Least reach of a lumbar spinous process behind the canal."""


@dataclass(frozen=True)
class Pillar:
    """Where the parts of one side of an arch meet. Points ``(3,)`` mm, own frame; ``side`` -1 right, 1 left."""

    side: float
    root: Array
    """Middle of the pedicle at the body's hind wall."""
    behind: Array
    """Hind end of the pedicle, where lamina and processes leave it."""
    pars: Array
    """The isthmus, between the upper and the lower articular process."""
    thick: float
    """Half the pedicle's width, of what is drawn as one."""
    tall: float
    """Half its height."""


def hind_wall(vertebra: Vertebra) -> float:
    """y of the body's hind wall at mid height."""
    return (vertebra.size.upper_depth + vertebra.size.lower_depth) / 4


def pillar(vertebra: Vertebra, side: float) -> Pillar:
    """The pillar of one side."""
    size, region = vertebra.size, vertebra.level.region
    back, canal = hind_wall(vertebra), size.canal_depth
    thick, tall = size.pedicle_width / 2, size.pedicle_height / 2
    x = size.canal_width / 2 + thick
    if region == "C":
        root = np.array([side * (x - 2.0), back - 4.0, 0.0])
        behind = np.array([side * (x + 1.5), back + 0.12 * canal, 0.0])
        pars = np.array([side * (x + 0.5), back + 0.35 * canal, -1.0])
    elif region == "T":
        root = np.array([side * x, back - 3.0, size.height / 2 - tall - 0.5])
        behind = root + [side * 0.3, 3.0 + 0.55 * canal, 0.5]
        pars = np.array([side * (0.9 * x), back + 0.95 * canal, -0.05 * size.height])
    else:
        spread = float(np.interp(size.pedicle_width, [8, 18], [0.5, 2.0]))
        root = np.array([side * x, back - 3.0, size.height / 2 - tall - 1.5])
        behind = root + [side * spread, 3.0 + 0.5 * canal, -0.5]
        pars = np.array([side * (0.92 * x), back + 0.85 * canal, -0.12 * size.height])
    return Pillar(side, root, behind, pars, thick, tall)


def pedicle(at: Pillar) -> list[Part]:
    """Oval, flared into the body."""
    radius = 0.85 * min(at.thick, at.tall)
    wide, tall = max(at.thick - radius, 0.0), max(0.87 * at.tall - radius, 0.0)
    middle = at.root * 0.35 + at.behind * 0.65
    return [
        bar(at.root, middle, radius, wide=(1.15 * wide, wide), tall=(1.1 * tall, tall), blend=4.5),
        bar(middle, at.behind, (radius, 0.95 * radius), wide=wide * 0.8, tall=tall * 0.8),
    ]


def upper_facet(vertebra: Vertebra, at: Pillar, above: Joint) -> list[Part]:
    """The upper articular process of one side, shaped by its joint, with the mammillary knob of the loin."""
    slim = _slim(vertebra)
    face = _face(above, -1.0, slim)
    foot = face.centre - above.up * (0.55 * above.half_height)
    parts = [bar(at.behind, foot, (slim * 1.15, slim), across=above.normal, tall=0.35 * slim), face.part]
    if vertebra.level.region == "L":
        knob = face.centre - above.normal * 2.0 - above.up * 0.35 * above.half_height
        parts.append(ball(knob + [at.side * 0.8, 1.5, 0], 0.85 * slim))
    return parts


def lower_facet(vertebra: Vertebra, at: Pillar, below: Joint) -> list[Part]:
    """Isthmus and lower articular process of one side."""
    slim = _slim(vertebra)
    face = _face(below, 1.0, slim)
    neck = face.centre + below.up * (0.7 * below.half_height)
    return [
        bar(at.behind, at.pars, (slim, 0.9 * slim), across=Z, wide=0.9 * slim),
        bar(at.pars, neck, (0.9 * slim, 0.85 * slim), across=[1, 0, 0], wide=0.7 * slim),
        face.part,
    ]


def _slim(vertebra: Vertebra) -> float:
    """Half the thickness of an articular process."""
    usual, height = {"L": (3.6, 27.0), "T": (2.6, 21.0), "C": (2.6, 13.0)}[vertebra.level.region]
    return usual * vertebra.size.height / height


@dataclass(frozen=True)
class _Face:
    centre: Array
    part: Part


def _face(at: Joint, behind: float, slim: float) -> _Face:
    """The slab on one side of a joint: 1 for the upper bone's, behind it, -1 for the lower bone's, before it.

    Both are bowed alike, so the gap between them is even.
    """
    thickness = 0.75 * slim
    radius = 0.92 * thickness
    centre = at.centre + behind * at.normal * (at.gap_mm / 2 + thickness)
    across = np.cross(at.up, at.normal)
    side = np.sign(float(across @ [1, 0, 0])) or 1.0
    reach = across * side * max(at.half_width - radius, 0.5)
    bow = at.normal * at.hollow_mm
    return _Face(
        centre,
        bar(
            centre - reach + bow * -0.5,
            centre + reach + bow * -0.5,
            radius,
            across=at.normal,
            wide=thickness - radius,
            tall=at.half_height - radius,
            bow=-bow,
            blend=2.0,
        ),
    )


def severed(vertebra: Vertebra, at: Pillar) -> list[Part]:
    """The cleft of a spondylolysis, square to the isthmus."""
    middle = at.behind * 0.35 + at.pars * 0.65 + [0.0, 0.0, -0.12 * vertebra.size.height]
    across = np.array([9.0, 0.0, 0.0])
    lean = np.array([0.0, 0.75, -0.65])
    return [bar(middle - across, middle + across, 0.9, across=lean, tall=12.0, blend=1.0, carve=True)]


def lamina(vertebra: Vertebra, at: Pillar, own: Habit) -> list[Part]:
    """The plate from the isthmus to the root of the spinous process."""
    size, region = vertebra.size, vertebra.level.region
    height = size.height
    thick = {"L": 2.9, "T": 2.1, "C": 1.6}[region] * height / {"L": 27, "T": 21, "C": 13}[region]
    tall = {"L": (0.26, 0.33), "T": (0.38, 0.42), "C": (0.36, 0.4)}[region]
    low = {"L": -0.27, "T": -0.22, "C": -0.15}[region] * height
    start = at.pars * [1, 1, 0] + Z * low * 0.7
    end = np.array([at.side * 0.5, hind_wall(vertebra) + size.canal_depth + thick + 1.0, low])
    lean = np.array([0.0, {"L": -0.25, "T": -0.2, "C": -0.35}[region], 1.0])
    bow = np.array([at.side * 0.8, 1.0, 0.0])
    wide = (tall[0] * height - thick * 0.5, tall[1] * height * own.blade - thick * 0.5)
    return [bar(start, end, thick * 0.9, across=lean, wide=wide, bow=bow, blend=3.0)]


def spinous(vertebra: Vertebra, own: Habit) -> list[Part]:
    """The spinous process: its tip lies at the sampled length from the front of the body, but behind the canal's roof
    where that is farther back."""
    size, region = vertebra.size, vertebra.level.region
    height, number = size.height, int(str(vertebra.level)[1:])
    start_y = hind_wall(vertebra) + size.canal_depth + 2.0
    tip_y = max(size.spinous_length - size.upper_depth / 2, start_y + ROOF_MM * height / 27)
    run = tip_y - start_y
    if region == "L":
        return _hatchet(
            start_y, tip_y, height, float(np.interp(number, [1, 3, 5], [0.36, 0.38, 0.27])) * own.blade, own
        )
    if region == "T":
        slope = float(np.interp(number, [1, 4, 7, 10, 12], [0.75, 1.3, 1.9, 1.2, 0.45]))
        tall = float(np.interp(number, [1, 8, 11, 12], [0.16, 0.15, 0.22, 0.32])) * height
        start = np.array([0.0, start_y, -0.2 * height])
        least = float(np.interp(number, [1, 4, 7, 10, 12], [0.35, 0.6, 0.75, 0.5, 0.3])) * height
        tip = np.array([own.aside, tip_y - 3.2, -0.25 * height - max(slope * run, least) - own.drop])
        up = np.array([0.0, 0.0, 1.0])
        return [
            bar(start, tip, (2.3, 2.2), across=up, wide=(1.6 * tall, 0.6 * tall), blend=4.0),
            bar(tip + [0, -1.5, 1.5], tip, (2.4, 3.2), blend=3.0),
        ]
    long_ = number in (2, 7)
    start = np.array([0.0, start_y - 0.5, -0.18 * height])
    drop = (0.12 if number == 2 else 0.42) * run
    tip = np.array([own.aside, tip_y - 2.2, start[2] - drop - own.drop])
    tall = (0.3 if number == 2 else 0.2) * height
    parts = [bar(start, tip, (1.9, 2.2), across=[0, 0, 1], wide=(tall, 0.7 * tall if long_ else 0.4 * tall))]
    if number != 7:
        parts += [bar(tip + [0, -4, 0.5], tip + [side * 3.4, -0.2, -1.2], (1.8, 2.2)) for side in (-1.0, 1.0)]
    return parts


def _hatchet(start_y: float, tip_y: float, height: float, tall: float, own: Habit) -> list[Part]:
    """The lumbar plate: thin, tall, thickened along its hind and lower edge."""
    low, half = -0.36 * height, tall * height
    start, tip = (
        np.array([0, start_y, low + 0.08 * height]),
        np.array([own.aside, tip_y - 3.8, low - 0.1 * height - own.drop]),
    )
    edge = half - 3.2
    return [
        bar(start, tip, (2.8, 2.3), across=[0, 0, 1], wide=(0.75 * half, half - 3.0), blend=4.0),
        bar(tip + [0, 0, edge * 0.8], tip - [0, 0, edge], (2.8, 3.8), blend=3.0),
        bar(tip - [0, 0, edge], start - [0, 0, 0.8 * half], (3.4, 2.2), blend=3.0),
    ]
