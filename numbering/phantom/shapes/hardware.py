"""What surgeons left: pedicle screws and rods, cages, cement and hip prostheses, in the patient's frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.shapes import arch
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES
from numbering.phantom.shapes.pelvis import HIP, setting
from numbering.phantom.shapes.solids import Array, Part, ball, bar

ROD_MM = 2.75
"""Radius of a rod."""


def hardware(skeleton: Skeleton) -> list[Bone]:
    """All of it, in painting order: cement, cages, screws and rods, hip prostheses."""
    found = []
    for index, placed in enumerate(skeleton.vertebrae):
        if placed.vertebra.cement:
            found.append(Bone(Label.CEMENT, Field(_cement(placed, skeleton.patient.seed)), placed.frame))
        if placed.vertebra.disc.cage:
            lower = skeleton.vertebrae[index + 1].frame if index + 1 < len(skeleton.vertebrae) else None
            found += _cage(skeleton, placed, lower)
    for side in SIDES:
        found += _fixation(skeleton, side)
    for side, prosthesis in zip(SIDES, skeleton.patient.sacrum.hip_prosthesis, strict=True):
        if prosthesis:
            found += _hip(skeleton, side)
    return found


def screw_axis(placed: Placed, side: float) -> tuple[Array, Array]:
    """Head and tip of a pedicle screw ``(3,)`` each, patient frame."""
    size, at = placed.vertebra.size, arch.pillar(placed.vertebra, side)
    middle = at.root * 0.5 + at.behind * 0.5
    converge = np.tan(np.radians(float(np.interp(size.pedicle_width, [6, 18], [7, 24]))))
    along = np.array([-side * converge, -1.0, -0.03])
    behind = size.canal_depth * 0.62 + 6.0
    tip = middle + along * (0.72 * size.upper_depth)
    head, tip = placed.frame.place(np.stack([middle - along * behind, tip]))
    return head, tip


def _fixation(skeleton: Skeleton, side: float) -> list[Bone]:
    """The screws of one side, head to foot, and their rod."""
    axes = [screw_axis(placed, side) for placed in skeleton.vertebrae if placed.vertebra.screws]
    sacrum = skeleton.patient.sacrum
    if sacrum.screws:
        wide, deep = sacrum.endplate_width, sacrum.endplate_depth
        ends = np.array([[side * 0.44 * wide, deep / 2 + 15.0, -7.0], [side * 0.16 * wide, -0.36 * deep, -9.0]])
        head, tip = skeleton.sacrum.place(ends)
        axes.append((head, tip))
    parts: list[Part] = []
    for head, tip in axes:
        along = (tip - head) / np.linalg.norm(tip - head)
        parts += [
            bar(head, tip - along * 4.0, (3.1, 2.7), blend=0.3),
            bar(tip - along * 4.0, tip, (2.7, 0.7), blend=0.3),
            bar(head - along * 5.0, head + along * 4.0, 2.0, across=[1, 0, 0], wide=3.6, tall=3.6, blend=0.5),
        ]
    heads = [head - 2.0 * (tip - head) / np.linalg.norm(tip - head) for head, tip in axes]
    if skeleton.patient.rods and len(heads) > 1:
        over = [heads[0] + _toward(heads[1], heads[0]) * 8.0, *heads, heads[-1] + _toward(heads[-2], heads[-1]) * 8.0]
        parts += [bar(a, b, ROD_MM, blend=0.3) for a, b in pairwise(over)]
    return [Bone(Label.METAL, Field(parts))] if parts else []


def _toward(start: Array, end: Array) -> Array:
    return np.asarray((end - start) / np.linalg.norm(end - start))


def _cage(skeleton: Skeleton, placed: Placed, lower: Frame | None) -> list[Bone]:
    """A frame of plastic in the disc, with metal markers."""
    below = lower if lower is not None else skeleton.sacrum
    size, disc = placed.vertebra.size, placed.vertebra.disc
    u, _, v = np.linalg.svd(placed.frame.rotation + below.rotation)
    top = placed.frame.place(np.array([[0, 0, -size.height / 2]]))[0]
    middle = top - placed.frame.rotation[:, 2] * (disc.height_anterior + disc.height_posterior) / 4
    frame = Frame(middle, u @ v)
    half_x, half_y, half = 0.3 * size.lower_width, 0.27 * size.lower_depth, max(disc.height_middle / 2, 2.5)
    corners = np.array([[-half_x, -half_y, 0], [half_x, -half_y, 0], [half_x, half_y, 0], [-half_x, half_y, 0]])
    ring = [
        bar(corners[i], corners[(i + 1) % 4], 1.2, across=[0, 0, 1], wide=half - 1.2, tall=1.0, blend=0.5)
        for i in range(4)
    ]
    marks: list[Part] = []
    for corner in corners[[0, 1, 3]]:
        marks.append(bar(corner - [0, 0, 0.4 * half], corner + [0, 0, 0.4 * half], 0.6, blend=0.1))
    return [Bone(Label.CAGE, Field(ring), frame), Bone(Label.METAL, Field(marks), frame)]


def _cement(placed: Placed, seed: int) -> list[Part]:
    """A lumpy cloud in the front half of the body."""
    size = placed.vertebra.size
    rng = np.random.default_rng([seed, placed.vertebra.ordinal, 61])
    reach = np.array([0.27 * size.upper_width, 0.22 * size.upper_depth, 0.2 * size.height])
    lumps = rng.uniform(-1, 1, (9, 3)) * reach + [0, -0.1 * size.upper_depth, 0]
    radii = rng.uniform(0.1, 0.2, 9) * size.height
    return [ball(at, float(radius), blend=1.5) for at, radius in zip(lumps, radii, strict=True)]


def _hip(skeleton: Skeleton, side: float) -> list[Bone]:
    """Cup; head, neck and stem."""
    at = setting(skeleton)
    hip, size = at.place(HIP, side), at.size
    neck, shaft = (at.place(np.array(p), side) for p in ((118.0, -9.0, -133.0), (126.0, -4.0, -150.0)))
    down = shaft + np.array([side * 20.0, 10.0, -110.0]) * size
    mouth = np.array([side * 0.52, -0.12, -0.84])
    cup = [
        ball(hip, 26.0 * size),
        ball(hip, 21.5 * size, blend=0.5, carve=True),
        bar(hip + mouth * 30.0, hip + mouth * 90.0, (28.0, 60.0), blend=0.5, carve=True),
    ]
    stem = [
        ball(hip, 15.0 * size, blend=0.5),
        bar(hip, neck, (6.5, 7.5), blend=2.0),
        bar(neck, shaft, (8.0, 9.5), across=[0, 0, 1], wide=2.0, blend=4.0),
        bar(shaft, down, (9.0, 4.5), blend=4.0),
    ]
    return [Bone(Label.METAL, Field(cup)), Bone(Label.METAL, Field(stem))]
