"""Vertebrae as clouds: a waisted body with endplates, and an arch made of tubes, in the vertebra's own frame."""

from __future__ import annotations

import numpy as np

from numbering.phantom.old.matter import CORTEX, TRABECULAR, Array, Cloud, disc, merged, tube
from numbering.phantom.old.patient import Vertebra
from numbering.phantom.old.pose import Placed

X, Y, Z = np.eye(3)
BODY_EXPONENT = 2.3
WAIST = 0.15
"""How much narrower a body is at mid height than its endplates."""


def vertebra(placed: Placed, bone: float, rng: np.random.Generator) -> Cloud:
    """The whole vertebra in the patient's frame; ``bone`` multiplies its density."""
    own = merged([body(placed.vertebra, rng), *arch(placed.vertebra)])
    return Cloud(placed.frame.place(own.points), own.mass * bone)


def body_outline(vertebra: Vertebra, steps: int = 48) -> Array:
    """Points ``(n, 3)`` on the outer surface of the body, in its own frame: what a box must enclose."""
    share = np.linspace(0, 1, 15)
    angle = np.arange(steps) * 2 * np.pi / steps
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    unit = np.sign(unit) * np.abs(unit) ** (2 / BODY_EXPONENT)
    radii, z = _body_radii(vertebra, share), (share - 0.5) * vertebra.size.height
    flat = unit[None] * radii[:, None]
    return np.concatenate([flat, np.broadcast_to(z[:, None, None], (*flat.shape[:2], 1))], 2).reshape(-1, 3)


def _body_radii(vertebra: Vertebra, share: Array) -> Array:
    """Half width and half depth of the body from its lower (0) to its upper endplate (1)."""
    size = vertebra.size
    lower, upper = np.array([size.lower_width, size.lower_depth]), np.array([size.upper_width, size.upper_depth])
    waist = 1 - WAIST * (1 - np.abs(2 * share - 1) ** 2.2)
    return np.asarray((lower + (upper - lower) * share[:, None]) / 2 * waist[:, None])


def body(vertebra: Vertebra, rng: np.random.Generator) -> Cloud:
    """The vertebral body: thin wall, dished endplates with a hard rim, grainy trabecular core."""
    size = vertebra.size
    share = np.linspace(0, 1, 13)
    path = np.outer((share - 0.5) * size.height, Z)
    shell = tube(path, _body_radii(vertebra, share), X, wall=0.95, core=0, exponent=BODY_EXPONENT)
    core = tube(path, _body_radii(vertebra, share), X, wall=0, core=TRABECULAR, exponent=BODY_EXPONENT)
    grain = np.clip(rng.normal(1, 0.45, len(core.mass)), 0, None)
    near = np.abs(core.points[:, 2]) / (size.height / 2)
    core = Cloud(core.points, core.mass * grain * (0.85 + 0.5 * near**4))
    return merged([shell, core, endplate(vertebra, 1), endplate(vertebra, -1)])


def endplate(vertebra: Vertebra, side: int) -> Cloud:
    """The upper (``side`` 1) or lower (-1) endplate: 0.5 mm thick, thicker at its rim, dished by up to 2 mm."""
    radii = _body_radii(vertebra, np.array([0.5 + side / 2]))[0]
    lattice, cell = disc((radii[0], radii[1]), BODY_EXPONENT)
    out = np.clip((np.abs(lattice / radii) ** BODY_EXPONENT).sum(1), 0, 1)
    dish = vertebra.size.height * (0.075 if side < 0 else 0.05) * (1 - out**1.5)
    z = side * (vertebra.size.height / 2 - dish)
    thickness = 0.5 + 0.8 * np.clip((out - 0.6) / 0.3, 0, 1)
    return Cloud(np.column_stack([lattice, z]), cell * thickness * CORTEX)


def arch(vertebra: Vertebra) -> list[Cloud]:
    """Pedicles, laminae, articular, transverse and spinous processes."""
    size, region = vertebra.size, vertebra.level.region
    parts = [_spinous(vertebra)]
    for side in (-1.0, 1.0):
        base = np.array([side * (size.canal_width + size.pedicle_width) / 2, size.upper_depth / 2, size.height * 0.18])
        back = base + [side * 0.5, 13 if region != "C" else 8, -1]
        narrow, tall = min(size.pedicle_width, 11.5) / 2, size.pedicle_height / 2  # wide ones stand oblique
        radii = [(narrow * 1.15, tall * 1.1), (narrow, tall), (narrow * 1.05, tall * 0.95)]
        parts.append(
            tube([base - 3 * Y, (base + back) / 2, back], radii, X, wall=0.75, core=TRABECULAR * 0.8, exponent=2.2)
        )
        parts += [
            *_articular(vertebra, base, back, side),
            _lamina(vertebra, back, side),
            _transverse(vertebra, back, side),
        ]
    return parts


def _lamina(vertebra: Vertebra, back: Array, side: float) -> Cloud:
    height = vertebra.size.height
    end = np.array([side * 2.0, back[1] + 9, -0.38 * height])
    start = back + [-side * 1.5, 1, -0.15 * height]
    radii = [(0.30 * height, 3.2), (0.34 * height, 3.0), (0.30 * height, 3.2)]
    return tube([start, (start + end) / 2 + [0, 1, 0], end], radii, Z, wall=0.9, core=TRABECULAR * 0.6)


def _articular(vertebra: Vertebra, base: Array, back: Array, side: float) -> list[Cloud]:
    """Upper and lower articular processes; the lower ones stand closer together, except in L5."""
    size = vertebra.size
    lumbar = vertebra.level.region == "L"
    stout = (4.6, 5.4) if lumbar else (4.2, 2.6)
    top = np.array([base[0] + side * (1.5 if lumbar else 0), back[1] + 1, (0.66 if lumbar else 0.62) * size.height])
    foot_x = side * (size.canal_width / 2 + (1.0 if lumbar else 2.0))
    foot = np.array([foot_x, back[1] + 5, (-0.92 if lumbar else -0.62) * size.height])
    pars = back + [-side * 2.0, 2, -0.2 * size.height]
    upper = tube(
        [back, top], [stout, (stout[0] * 0.85, stout[1] * 0.8)], X, wall=0.55, core=TRABECULAR * 0.7, rounded=4
    )
    lower = tube(
        [back, pars, foot], [stout, (stout[0], stout[1] * 0.75), stout], X, wall=0.55, core=TRABECULAR * 0.7, rounded=4
    )
    return [upper, lower]


def _transverse(vertebra: Vertebra, back: Array, side: float) -> Cloud:
    size, region = vertebra.size, vertebra.level.region
    reach = size.transverse_span / 2
    start = back + [side * 1.0, -2, 0]
    if region == "L":
        tip = np.array([side * reach, back[1] + 5, back[2] + 0.10 * size.height])
        radii = [(6.0, 4.0), (4.6, 2.8), (4.2, 2.4)]
    else:
        tip = np.array([side * max(reach, abs(back[0]) + 5), back[1] + 12, back[2] + 0.15 * size.height])
        radii = [(5.0, 4.0), (4.2, 3.6), (4.8, 4.4)]
    if region == "C":
        radii = [(3.0, 3.0)] * 3
    return tube([start, (start + tip) / 2, tip], radii, Z, wall=0.7, core=TRABECULAR * 0.6, rounded=3)


def _spinous(vertebra: Vertebra) -> Cloud:
    """A plate that seen from in front is a teardrop; in the chest it slants far down."""
    size, region = vertebra.size, vertebra.level.region
    root = np.array([0, size.upper_depth / 2 + 20, -0.36 * size.height])
    reach = max(8.0, size.spinous_length - size.upper_depth / 2 - root[1])
    slant = {"L": 0.10, "T": 0.85, "C": 0.35}[region]
    if region == "T" and int(str(vertebra.level)[1:]) >= 11:
        slant = 0.3
    tip = root + [0, reach, -slant * size.height]
    tall = {"L": 0.36, "T": 0.24, "C": 0.2}[region] * size.height
    radii = [(2.6, tall * 0.85), (2.3, tall), (3.9, tall * 0.95)]
    return tube([root, (root + tip) / 2, tip], radii, X, wall=0.6, core=TRABECULAR * 0.7, exponent=2.2, rounded=2)
