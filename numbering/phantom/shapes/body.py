"""The body of a vertebra, with its endplates, spurs and what fuses it to the next, in the vertebra's own frame."""

from __future__ import annotations

import numpy as np

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.pose import Placed
from numbering.phantom.shapes.habit import USUAL, Habit
from numbering.phantom.shapes.solids import Drum, Part, bar, drum

RIM_MM = 0.25
"""How far the drum is drawn beyond the sampled sizes, for rounding takes as much off its rims."""


def body(vertebra: Vertebra, own: Habit = USUAL) -> Drum:
    """The drum whose rims pass through `numbering.phantom.pose.body_corners` and, below the neck, `body_edges`."""
    size, region = vertebra.size, vertebra.level.region
    number = int(str(vertebra.level)[1:])
    upper_dent, lower_dent = vertebra.endplate_dent_mm
    wedge = (size.height_posterior - size.height_anterior) / 2
    usual = {"C": (0.4, 0.9), "T": (0.9, 1.1), "L": (1.3, 2.1)}[region]
    hook = {"C": 0.2 * size.upper_width}.get(region, 0.0)
    hollow = {"C": 0.0, "T": 1.6, "L": 2.0 - 0.5 * number}[region]
    return Drum(
        upper_width=size.upper_width + 2 * RIM_MM,
        lower_width=size.lower_width + 2 * RIM_MM,
        upper_depth=size.upper_depth + 2 * RIM_MM,
        lower_depth=size.lower_depth + 2 * RIM_MM,
        top=size.height / 2 + RIM_MM,
        bottom=-size.height / 2 - RIM_MM,
        upper_tilt=wedge / size.upper_depth,
        lower_tilt=-wedge / size.lower_depth,
        upper_dish=usual[0] * own.dish + upper_dent,
        lower_dish=usual[1] * own.dish + lower_dent,
        waist={"C": 0.08, "T": 0.13, "L": 0.17}[region] * own.waist,
        hollow=max(hollow, -0.5),
        hook=0.0 if number == 2 and region == "C" else hook,
        lower_hook=0.75 * hook,
        widest=0.1 if region == "T" else 0.06,
        rounding=0.9 if region == "C" else 1.3,
        wedge={"none": 0.0, "right": -1.0, "left": 1.0}[vertebra.missing_half],
    )


def spurs(vertebra: Vertebra, seed: int) -> list[Part]:
    """Osteophytes: claws on the rims that reach out and then towards the disc, at the sides and obliquely in front.

    ``seed`` of the patient: no two claws are alike.
    """
    reach = vertebra.osteophyte_mm
    if reach <= 0.3:
        return []
    size, found = vertebra.size, []
    rng = np.random.default_rng([seed, vertebra.ordinal, 62])
    for width, depth, end in (
        (size.upper_width, size.upper_depth, 1.0),
        (size.lower_width, size.lower_depth, -1.0),
    ):
        for angle in (-86, -48, -17, 17, 48, 86):
            share = float(rng.uniform(0.15, 1.0)) ** 1.3
            turned = np.radians(angle + rng.uniform(-8, 8))
            out = np.array([np.sin(turned), -np.cos(turned), 0.0])
            rim = out * [width / 2, depth / 2, 0] + [0, 0, end * (size.height / 2 - 2.0)]
            tip = rim + out * (share * reach) + [0, 0, end * (0.6 + 0.35 * reach * share)]
            found.append(bar(rim - out * 3.5, tip, (2.0, 0.7), across=[0, 0, 1], tall=(2.6, 1.2), blend=3.0))
    return found


def bridge(upper: Placed, lower: Placed) -> list[Part]:
    """Bone in the place of the disc of a block vertebra, in the upper one's frame: a narrow waist between two bodies,
    and fused joints behind."""
    size = upper.vertebra.size
    frame = upper.frame
    tilt = frame.rotation.T @ lower.frame.rotation
    end = frame.own(lower.frame.place(np.array([[0.0, 0.0, lower.vertebra.size.height / 2]])))[0]
    bottom = float(end[2]) - 2.5
    shape = Drum(
        upper_width=0.9 * size.lower_width,
        lower_width=0.9 * lower.vertebra.size.upper_width,
        upper_depth=0.92 * size.lower_depth,
        lower_depth=0.92 * lower.vertebra.size.upper_depth,
        top=-size.height / 2 + 3.5,
        bottom=bottom,
        lower_tilt=float(tilt[2, 1] / max(tilt[1, 1], 0.5)),
        upper_dish=0.0,
        lower_dish=0.0,
        waist=0.04,
        hollow=1.0,
    )
    return [drum(shape, blend=4.0)]
