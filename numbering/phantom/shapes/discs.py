"""Discs between neighbouring endplates: a fibrous ring and the nucleus in it.

Both reach a little into the bones, which are painted after them.
"""

from __future__ import annotations

import numpy as np

from numbering.phantom.anatomy.patient import DiscBelow, Vertebra
from numbering.phantom.pose import Frame, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.body import body
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.course import course
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.solids import Array, Drum, drum

OVERLAP_MM = 0.8


class Disc(Bone):
    """One part of a disc, which knows how worn it is and under which vertebra it lies."""

    def __init__(self, label: int, field: Field, frame: Frame, degeneration: float, ordinal: int) -> None:
        super().__init__(label, field, frame)
        self.degeneration = degeneration
        """0 healthy … 1 black and collapsed."""
        self.ordinal = ordinal
        """Of the vertebra above it."""


def discs(skeleton: Skeleton) -> list[Disc]:
    """Head to foot: the ring, then the nucleus of each disc; none where bone has fused two bodies."""
    found: list[Disc] = []
    for index, placed in enumerate(skeleton.vertebrae):
        kept = placed.vertebra
        if kept.disc.fused:
            continue
        upper = _endplate(kept, placed.frame, -1)
        if index + 1 < len(skeleton.vertebrae):
            other = skeleton.vertebrae[index + 1]
            lower = _endplate(other.vertebra, other.frame, 1)
        else:
            shape = skeleton.patient.sacrum
            lower = _Endplate(skeleton.sacrum, shape.endplate_width, shape.endplate_depth, 1.3)
        found += _between(upper, lower, kept.disc, kept.ordinal)
    return [*found, *remnant(skeleton)]


class _Endplate:
    """An endplate: a frame at its middle whose z is its normal, upwards; width, depth and concavity, mm."""

    def __init__(self, frame: Frame, width: float, depth: float, dish: float) -> None:
        self.frame, self.width, self.depth, self.dish = frame, width, depth, dish


def _endplate(vertebra: Vertebra, frame: Frame, end: int) -> _Endplate:
    shape = body(vertebra)
    tilt = np.arctan(shape.upper_tilt if end > 0 else shape.lower_tilt)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    centre = frame.place(np.array([[0, 0, end * vertebra.size.height / 2]]))[0]
    size = vertebra.size
    width, depth = (size.upper_width, size.upper_depth) if end > 0 else (size.lower_width, size.lower_depth)
    return _Endplate(
        Frame(centre, frame.rotation @ turn), width, depth, shape.upper_dish if end > 0 else shape.lower_dish
    )


def _between(upper: _Endplate, lower: _Endplate, disc: DiscBelow, ordinal: int) -> list[Disc]:
    u, _, v = np.linalg.svd(upper.frame.rotation + lower.frame.rotation)
    frame = Frame((upper.frame.centre + lower.frame.centre) / 2, u @ v)
    (top, top_y, top_x), (bottom, bottom_y, bottom_x) = (_plane(frame, end.frame) for end in (upper, lower))
    worn = disc.degeneration
    ring = Drum(
        upper_width=upper.width,
        lower_width=lower.width,
        upper_depth=upper.depth,
        lower_depth=lower.depth,
        top=top + OVERLAP_MM,
        bottom=bottom - OVERLAP_MM,
        upper_tilt=top_y,
        lower_tilt=bottom_y,
        upper_lean=top_x,
        lower_lean=bottom_x,
        upper_dish=-upper.dish,
        lower_dish=-lower.dish,
        waist=-0.03 - 0.05 * worn,
        hollow=0.5 - 1.5 * worn,
        rounding=0.8,
    )
    share = 0.66 - 0.12 * worn
    core = Drum(
        upper_width=share * upper.width,
        lower_width=share * lower.width,
        upper_depth=share * upper.depth,
        lower_depth=share * lower.depth,
        top=top + OVERLAP_MM,
        bottom=bottom - OVERLAP_MM,
        upper_tilt=top_y,
        lower_tilt=bottom_y,
        upper_lean=top_x,
        lower_lean=bottom_x,
        upper_dish=-0.7 * upper.dish,
        lower_dish=-0.7 * lower.dish,
        waist=-0.12,
        hollow=0.3,
        rounding=float(np.clip(0.35 * (top - bottom), 0.6, 3.5)),
    )
    back = Frame(frame.place(np.array([[0.0, 0.05 * upper.depth, 0.0]]))[0], frame.rotation)
    return [
        Disc(Label.ANNULUS, Field([drum(ring)]), frame, worn, ordinal),
        Disc(Label.NUCLEUS, Field([drum(core)]), back, worn, ordinal),
    ]


def _plane(frame: Frame, end: Frame) -> tuple[float, float, float]:
    """Height and slopes dz/dy, dz/dx of an endplate's plane over the middle of a frame."""
    normal: Array = frame.rotation.T @ end.rotation[:, 2]
    at = frame.own(end.centre[None])[0]
    slope_y, slope_x = float(-normal[1] / normal[2]), float(-normal[0] / normal[2])
    return float(at[2] - slope_y * at[1] - slope_x * at[0]), slope_y, slope_x


def remnant(skeleton: Skeleton) -> list[Disc]:
    """The disc S1-S2, where there is one."""
    shape = skeleton.patient.sacrum
    if shape.s1_s2_disc_mm <= 0:
        return []
    at = course(shape)
    half = shape.s1_s2_disc_mm / 2
    reach = float(np.interp(shape.s1_s2_disc_mm, [1, 5], [0.4, 0.62])) + 0.25 * shape.squared
    ring = Drum(
        upper_width=2.4 * at.wide[1] * reach,
        lower_width=2.4 * at.wide[1] * reach,
        upper_depth=2.2 * at.deep[1] * reach,
        lower_depth=2.2 * at.deep[1] * reach,
        top=half + 0.5,
        bottom=-half - 0.5,
        upper_dish=0.0,
        lower_dish=0.0,
        waist=0.0,
        hollow=0.0,
        rounding=0.5,
    )
    frame = Frame(skeleton.sacrum.place(at.points[1][None])[0], skeleton.sacrum.rotation)
    ordinal = skeleton.patient.lowest_lumbar.ordinal + 1
    return [Disc(Label.ANNULUS, Field([drum(ring)]), frame, 0.6, ordinal)]
