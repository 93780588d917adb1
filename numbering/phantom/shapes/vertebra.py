"""A vertebra out of parts: body, pedicles, laminae and processes, in its own frame."""

from __future__ import annotations

import numpy as np

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import Joint, joint
from numbering.phantom.shapes.solids import Array, Drum, Part, bar, drum

SIDES = (-1.0, 1.0)


def vertebra(skeleton: Skeleton, placed: Placed) -> Bone:
    """The vertebra in place."""
    index = next(i for i, other in enumerate(skeleton.vertebrae) if other is placed)
    parts = [drum(body(placed.vertebra))]
    for side in SIDES:
        below = joint(skeleton, placed, side).within(placed.frame)
        above = joint(skeleton, skeleton.vertebrae[index - 1], side).within(placed.frame) if index else None
        parts += arch(placed.vertebra, side, above, below)
    parts += spinous(placed.vertebra)
    return Bone(vertebra_label(placed.vertebra.level), Field(parts), placed.frame)


def body(vertebra: Vertebra) -> Drum:
    """The body, whose rims pass through `numbering.phantom.pose.body_corners`."""
    size = vertebra.size
    upper, lower = size.upper_depth, size.lower_depth
    tilt = (size.height_posterior - size.height_anterior) / (upper + lower)
    return Drum(
        upper_width=size.upper_width + 0.6,
        lower_width=size.lower_width + 0.6,
        upper_depth=upper + 0.6,
        lower_depth=lower + 0.6,
        top=size.height / 2 + 0.3,
        bottom=-size.height / 2 - 0.3,
        upper_tilt=tilt,
        lower_tilt=-tilt,
    )


def arch(vertebra: Vertebra, side: float, above: Joint | None, below: Joint) -> list[Part]:
    """Pedicle, lamina, articular and transverse process of one side."""
    size, region = vertebra.size, vertebra.level.region
    back = (size.upper_depth + size.lower_depth) / 4
    thick = min(size.pedicle_width, 13.0) / 2
    tall = size.pedicle_height / 2
    root = np.array([side * (size.canal_width / 2 + size.pedicle_width / 2), back - 3, size.height / 2 - tall - 1.0])
    if region == "C":
        root[2] = 0.0
    behind = root + [0, 0.55 * size.canal_depth + 3, -1.0]
    parts = [bar(root, behind, 0.8 * thick, wide=0.2 * thick, tall=max(0.5, tall - 0.8 * thick))]
    pars = behind + [-side * 1.5, 0.25 * size.canal_depth, -0.2 * size.height]
    if above is not None:
        at = above.centre - above.normal * (above.gap_mm / 2 + 3.0)
        parts.append(bar(behind, at, (0.8 * thick + 1, 3.0)))
        parts.append(_facet(above, at))
    at = below.centre + below.normal * (below.gap_mm / 2 + 3.0)
    parts.append(bar(pars, at, 3.2, wide=1.0))
    parts.append(_facet(below, at))
    middle = np.array([side * 1.0, back + size.canal_depth + 3.0, -0.22 * size.height])
    parts.append(bar(behind, pars, 3.5, tall=2.0))
    parts.append(bar(pars, middle, 2.6, across=[0, 0, 1], wide=(0.2 * size.height, 0.28 * size.height)))
    tip = np.array([side * (size.transverse_span / 2 - 2.5), behind[1] + (4 if region == "L" else 9), root[2] + 1.0])
    parts.append(bar(behind, tip, (3.0, 2.5), across=[0, 0, 1], wide=(3.0, 2.0)))
    return parts


def _facet(at: Joint, centre: Array) -> Part:
    lift = at.up * (at.half_height - 2.0)
    return bar(centre - lift, centre + lift, 2.0, across=at.normal, wide=1.0, tall=at.half_width - 2.0)


def spinous(vertebra: Vertebra) -> list[Part]:
    """The spinous process, as long as sampled."""
    size, region = vertebra.size, vertebra.level.region
    back = (size.upper_depth + size.lower_depth) / 4
    start = np.array([0.0, back + size.canal_depth + 3.0, -0.22 * size.height])
    drop = {"L": 0.12, "T": 0.8, "C": 0.4}[region] * size.height
    tip = np.array([0.0, size.spinous_length - back - 3.0, start[2] - drop])
    tall = {"L": 0.3, "T": 0.2, "C": 0.15}[region] * size.height
    return [bar(start, tip, (2.6, 3.0), across=[0, 0, 1], wide=(tall * 0.9, tall))]
