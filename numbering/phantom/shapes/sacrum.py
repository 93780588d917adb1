"""Sacrum and coccyx: five bodies, wings, canal, foramina and crest, in the sacrum's own frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from numbering.phantom.anatomy.patient import Sacrum
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.course import Course, course
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES, joint
from numbering.phantom.shapes.solids import Array, Drum, Part, bar, drum

_REACH = (0.49, 0.465, 0.37, 0.27, 0.18)
"""Lateral edge of the segments, shares of the sacrum's width."""


def sacrum(skeleton: Skeleton) -> Bone:
    """The sacrum in place."""
    shape = skeleton.patient.sacrum
    at = course(shape)
    parts = [*_bodies(shape, at), *lateral(shape), *_coccyx(at), *posterior(skeleton)]
    return Bone(Label.SACRUM, Field([*parts, *_holes(shape, at)]), skeleton.sacrum)


def posterior(skeleton: Skeleton) -> list[Part]:
    """Roof of the canal, crest, and the facets that carry the lowest lumbar vertebra."""
    at = course(skeleton.patient.sacrum)
    parts = _back(at)
    for side in SIDES:
        facet = joint(skeleton, skeleton.vertebrae[-1], side).within(skeleton.sacrum)
        thick = 3.0
        centre = facet.centre - facet.normal * (facet.gap_mm / 2 + thick)
        across = np.cross(facet.up, facet.normal) * max(facet.half_width - 2, 1)
        bow = facet.normal * facet.hollow_mm
        foot = np.array([centre[0], at.behind(0)[1] + 3.0, -9.0])
        parts.append(bar(foot, centre - facet.up * 3.0, (5.0, 4.0), blend=4.0))
        parts.append(
            bar(
                centre - across - bow * 0.5,
                centre + across - bow * 0.5,
                2.6,
                across=facet.normal,
                wide=thick - 2.6,
                tall=facet.half_height - 2.6,
                bow=-bow,
                blend=2.5,
            )
        )
    return parts


def ala_top(skeleton: Skeleton, side: float) -> Array:
    """The top of the wing where a transverse process may meet it ``(3,)``, sacrum's own frame."""
    shape = skeleton.patient.sacrum
    x = shape.endplate_width / 2 + 0.42 * (shape.width - shape.endplate_width) / 2
    return np.array([side * x, 5.0, -1.5])


def lateral(shape: Sacrum, sides: tuple[float, ...] = SIDES) -> list[Part]:
    """The wings and the lateral masses beside the foramina; the hip bones are hollowed by the same."""
    at, half, found = course(shape), shape.width / 2, []
    scale = shape.width / 112
    for side in sides:
        edges = []
        for index, reach in enumerate(_REACH):
            middle = at.points[index] * 0.55 + at.points[index + 1] * 0.45
            body = (at.wide[index] + at.wide[index + 1]) / 2
            radius = (8.5, 7.5, 6.0, 4.5, 3.5)[index] * scale
            edge = middle + [
                side * (2 * reach * half - radius),
                (4.0, 6.0, 5.0, 3.0, 0.5)[index] * scale,
                (-5.0, -1.0, 1.0, 0, 0)[index] * scale,
            ]
            wide = np.array([(5.5, 6.5), (9.0, 9.0), (6.5, 5.0), (6.0, 4.0), (5.0, 3.0)][index]) * scale
            lean = (-0.4, -0.25, 0.05, 0.35, 0.6)[index]
            tall = (3.0, 2.0, 1.0, 0.8, 0.2)[index] * scale
            root = middle + [side * body * 0.7, 2.0 * scale, -2.0 if index == 0 else 0.0]
            found.append(
                bar(root, edge, radius, across=[0, lean, 1], wide=tuple(wide), tall=(tall * 0.7, tall), blend=9.0)
            )
            if index < 3:  # narrower behind: the joints run backwards and inwards
                hind = edge + np.array([-side * (13.0, 12.0, 6.0)[index], (13.0, 11.0, 7.0)[index], 0]) * scale
                found.append(
                    bar(
                        root + [0, 10.0 * scale, 0],
                        hind,
                        0.6 * radius,
                        across=[0, lean, 1],
                        wide=0.7 * wide[1],
                        blend=6.0,
                    )
                )
            edges.append((edge, radius))
        for (upper, thick), (lower, thin) in pairwise(edges):
            found.append(bar(upper, lower, (0.9 * thick, 0.9 * thin), across=[0, 1, 0], wide=(2.5, 1.0), blend=5.0))
    return found


def _bodies(shape: Sacrum, at: Course) -> list[Part]:
    wide, deep, end = at.wide, at.deep, at.points[1]
    first = Drum(
        upper_width=2 * wide[0] + 0.5,
        lower_width=2 * wide[1],
        upper_depth=2 * deep[0] + 0.5,
        lower_depth=2 * deep[1],
        top=0.25,
        bottom=float(end[2]),
        upper_dish=1.3,
        lower_dish=0.0,
        waist=0.03 + 0.06 * shape.squared,
        hollow=0.0,
        sway=float(end[1]),
    )
    parts = [drum(first)]
    for index in range(1, 5):
        section = (max(0.85 * deep[index], 3.0), max(0.85 * deep[index + 1], 2.5))
        flat = tuple(max(w - r, 0.0) for w, r in zip(wide[index : index + 2], section, strict=True))
        start = at.points[index] * 0.85 + at.points[index + 1] * 0.15
        parts.append(bar(start, at.points[index + 1], section, wide=(flat[0], flat[1]), blend=5.0))
    return parts


def _back(at: Course) -> list[Part]:
    """Roof of the canal and the median crest."""
    parts = []
    for index in range(4):
        front = at.behind(index, 0.5)
        height = float(np.linalg.norm(at.points[index + 1] - at.points[index]))
        depth = (17.0, 14.0, 11.0, 8.0)[index]
        roof = front + [0, depth, -2.0]
        for side in SIDES:
            root = front + [side * (at.wide[index + 1] + 5.0), 4.0 + 0.2 * depth, 0]
            parts.append(bar(root, roof, (3.2, 2.6), across=[0, 0.2, 1], wide=0.3 * height, blend=4.0))
        parts.append(bar(roof, roof + [0, 6.0 - index, -3.0], (2.8, 3.2), across=[0, 0, 1], wide=0.2 * height))
    return parts


def _coccyx(at: Course) -> list[Part]:
    points = [at.points[5] + [0, -1.0, -1.5]]
    for lean, length in ((-52, 11.0), (-62, 9.0), (-74, 7.0)):
        points.append(points[-1] + length * np.array([0, np.sin(np.radians(lean)), -np.cos(np.radians(lean))]))
    radii = (4.2, 3.6, 2.8, 2.2)
    return [
        bar(points[i], points[i + 1] * 0.85 + points[i] * 0.15, (radii[i], radii[i + 1]), wide=(4.5 - i, 3.0 - i * 0.8))
        for i in range(3)
    ]


def _holes(shape: Sacrum, at: Course) -> list[Part]:
    """The canal, the foramina in front and behind, and the disc S1-S2 where there is one."""
    scale = shape.width / 112
    found = [
        bar(
            at.behind(index, 0.0) + [0, 7.5 - 1.2 * index, 4.0 if index == 0 else 0],
            at.behind(index + 1, 0.0) + [0, 6.3 - 1.2 * index, 0],
            (5.5 - 1.0 * index, 4.5 - 1.0 * index),
            wide=(7.0 - 1.8 * index, 5.2 - 1.8 * index),
            blend=2.0,
            carve=True,
        )
        for index in range(3)
    ]
    for side in SIDES:
        for index in range(1, 5):
            canal = at.behind(index) + [0, 4.0, 0]
            x = at.wide[index] + (4.0, 3.5, 3.0, 2.5)[index - 1] * scale
            size = (5.4, 5.0, 4.2, 3.4)[index - 1] * scale
            forward = 2 * at.deep[index] + 12.0
            found.append(
                bar(
                    canal + [side * x * 0.55, 0, 1.0],
                    canal + [side * x * 1.12, -forward, -2.0],
                    (0.7 * size, 1.15 * size),
                    blend=3.0,
                    carve=True,
                )
            )
            found.append(
                bar(
                    canal + [side * x * 0.7, 0, 0],
                    canal + [side * x * 0.95, 20.0, 1.0],
                    0.62 * size,
                    blend=2.0,
                    carve=True,
                )
            )
    found += _parted(shape, at)
    if shape.s1_s2_disc_mm > 0:
        half = shape.s1_s2_disc_mm / 2
        place = at.points[1]
        share = float(np.interp(shape.s1_s2_disc_mm, [1, 5], [0.4, 0.62])) + 0.25 * shape.squared
        reach = at.wide[1] * share
        found.append(
            bar(
                place - [reach, 0, 0],
                place + [reach, 0, 0],
                0.8 * half,
                across=[0, 0, 1],
                wide=0.2 * half,
                tall=at.deep[1] * share,
                blend=1.0,
                carve=True,
            )
        )
    return found


def _parted(shape: Sacrum, at: Course) -> list[Part]:
    """A lumbarised S1: its wings stand free of S2's (I), or meet them in a joint (II)."""
    found = []
    for side, castellvi in zip(SIDES, shape.castellvi, strict=True):
        gap = {"I": 4.0, "II": 0.9, "IV": 0.9}.get(castellvi, 0.0)
        if gap:
            inner = at.points[1] + [side * at.wide[1] * 0.9, 3.0, -1.0]
            outer = inner + [side * shape.width / 2, 3.0, -3.0]
            found.append(bar(inner, outer, gap, across=[0, 1, 0], wide=26.0, blend=1.0, carve=True))
    return found
