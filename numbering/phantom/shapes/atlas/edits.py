"""What a sampled vertebra has beyond its dimensions, from the procedural parts: a mesh of a healthy one lacks it."""

from __future__ import annotations

import numpy as np

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.shapes.arch import pillar
from numbering.phantom.shapes.body import bridge, spurs
from numbering.phantom.shapes.joints import SIDES, place_of
from numbering.phantom.shapes.sacrum import ala_top
from numbering.phantom.shapes.solids import Part, ball
from numbering.phantom.shapes.transverse import transverse


def added(skeleton: Skeleton, placed: Placed) -> list[Part]:
    """Spurs, the bridge of a block vertebra and a transitional vertebra's processes, own frame."""
    vertebra, index = placed.vertebra, place_of(skeleton, placed)
    parts = list(spurs(vertebra, skeleton.patient.seed))
    if index + 1 < len(skeleton.vertebrae):
        if vertebra.disc.fused:
            parts += bridge(placed, skeleton.vertebrae[index + 1])
        return parts
    for side, castellvi in zip(SIDES, vertebra.castellvi, strict=True):
        if castellvi != "none":
            ala = placed.frame.own(skeleton.sacrum.place(ala_top(skeleton, side)[None]))[0]
            parts += transverse(vertebra, pillar(vertebra, side), castellvi, ala)
    return parts


def dents(vertebra: Vertebra) -> list[Part]:
    """Balls that press the endplates in by `endplate_dent_mm` and leave their rims, own frame."""
    size, found = vertebra.size, []
    for deep, width, depth, end in (
        (vertebra.endplate_dent_mm[0], size.upper_width, size.upper_depth, 1.0),
        (vertebra.endplate_dent_mm[1], size.lower_width, size.lower_depth, -1.0),
    ):
        if deep > 0:
            across = 0.36 * min(width, depth)
            radius = (across**2 + deep**2) / (2 * deep)
            middle = np.array([0, 0, end * (size.height / 2 - 1.5 - deep + radius)])
            found.append(ball(middle, radius, blend=1.5, carve=True))
    return found


def joined_to_sacrum(vertebra: Vertebra) -> bool:
    """Whether a transverse process grows into the sacrum, so that no joint lies between them."""
    return bool({"III", "IV"} & set(vertebra.castellvi))
