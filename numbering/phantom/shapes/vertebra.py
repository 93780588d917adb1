"""A vertebra out of its parts, in place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numbering.phantom.anatomy.patient import Castellvi, Vertebra
from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.shapes import arch
from numbering.phantom.shapes.axis import atlas, dens
from numbering.phantom.shapes.body import body, bridge, spurs
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.habit import habit
from numbering.phantom.shapes.joints import SIDES, joint, place_of
from numbering.phantom.shapes.sacrum import ala_top, lateral, posterior
from numbering.phantom.shapes.solids import Part, bar, drum, grown, moved
from numbering.phantom.shapes.transverse import PSEUDO_JOINT_MM, transverse

CLEARANCE_MM = 0.8
"""Between a vertebra and the arch below it."""


def vertebra(skeleton: Skeleton, placed: Placed) -> list[Bone]:
    """The vertebra in place; with C2 comes C1."""
    index, kept, frame = place_of(skeleton, placed), placed.vertebra, placed.frame
    last = index == len(skeleton.vertebrae) - 1
    highest = int(str(kept.level)[1:]) == 2 and kept.level.region == "C"
    parts: list[Part] = [drum(body(kept, habit(skeleton.patient.seed, kept))), *spurs(kept, skeleton.patient.seed)]
    parts += dens(kept) if highest else []
    parts += bridge(placed, skeleton.vertebrae[index + 1]) if kept.disc.fused and not last else []
    parts += _arch(skeleton, index)
    parts.append(_canal(placed))
    parts += [] if kept.disc.fused else _room_below(skeleton, index)
    small = min(1.0, kept.size.height / 24)
    parts = [replace(part, blend=part.blend * small) for part in parts]
    found = [Bone(vertebra_label(kept.level), Field(parts), frame)]
    return [Bone(1, Field(atlas(kept)), frame), *found] if highest else found


def _sides(vertebra: Vertebra) -> list[tuple[float, Castellvi]]:
    """The sides that have an arch, and what its process is like; a hemivertebra has one."""
    both = zip(SIDES, vertebra.castellvi, ("right", "left"), strict=True)
    return [(side, castellvi) for side, castellvi, name in both if vertebra.missing_half != name]


def _arch(skeleton: Skeleton, index: int) -> list[Part]:
    placed = skeleton.vertebrae[index]
    kept, frame, own = placed.vertebra, placed.frame, habit(skeleton.patient.seed, placed.vertebra)
    left_behind = np.array([0.0, max(kept.slip_mm, 0.0) if kept.lysis else 0.0, 0.0])
    parts: list[Part] = []
    for side, castellvi in _sides(kept):
        at = arch.pillar(kept, side)
        loose = replace(at, pars=at.pars + left_behind)
        parts += [*arch.pedicle(at), *_upper_facet(skeleton, index, side)]
        parts += [
            *arch.lower_facet(kept, loose, joint(skeleton, placed, side).within(frame)),
            *arch.lamina(kept, loose, own),
        ]
        ala = frame.own(skeleton.sacrum.place(ala_top(skeleton, side)[None]))[0]
        parts += transverse(kept, at, castellvi, ala if index == len(skeleton.vertebrae) - 1 else None, own)
        parts += arch.severed(kept, at) if kept.lysis else []
    return parts + [moved(part, Frame(left_behind, np.eye(3))) for part in arch.spinous(kept, own)]


def _upper_facet(skeleton: Skeleton, index: int, side: float) -> list[Part]:
    if index == 0:
        return []
    placed = skeleton.vertebrae[index]
    above = joint(skeleton, skeleton.vertebrae[index - 1], side).within(placed.frame)
    return arch.upper_facet(placed.vertebra, arch.pillar(placed.vertebra, side), above)


def _room_below(skeleton: Skeleton, index: int) -> list[Part]:
    """What the arch below takes up, a joint's width around it: kissing spines flatten, they never cross."""
    frame = skeleton.vertebrae[index].frame
    if index + 1 < len(skeleton.vertebrae):
        lower = skeleton.vertebrae[index + 1]
        own = habit(skeleton.patient.seed, lower.vertebra)
        other, found = lower.frame, arch.spinous(lower.vertebra, own)
        for side, _ in _sides(lower.vertebra):
            found += arch.lamina(lower.vertebra, arch.pillar(lower.vertebra, side), own)
            found += _upper_facet(skeleton, index + 1, side)
    else:
        other, found = skeleton.sacrum, posterior(skeleton)
        fused = skeleton.vertebrae[-1].vertebra.castellvi
        free = tuple(side for side, castellvi in zip(SIDES, fused, strict=True) if castellvi != "III")
        found += [grown(part, PSEUDO_JOINT_MM) for part in lateral(skeleton.patient.sacrum, free)]
    seen = Frame(frame.own(other.centre[None])[0], frame.rotation.T @ other.rotation)
    return [replace(grown(moved(part, seen), CLEARANCE_MM, carve=True), blend=0.8) for part in found]


def _canal(placed: Placed) -> Part:
    """What must stay free behind the body: a little less than the sampled canal."""
    size = placed.vertebra.size
    back, half = arch.hind_wall(placed.vertebra), size.height
    radius = 0.42 * min(size.canal_depth, size.canal_width)
    y = back + 0.8 + radius + 0.5
    wide = max(size.canal_width / 2 - 0.8 - radius, 0.0)
    return bar([0, y, -half], [0, y, half], radius, wide=wide, blend=1.5, carve=True)
