"""A vertebra out of its parts, in place."""

from __future__ import annotations

from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.shapes import arch
from numbering.phantom.shapes.axis import atlas, dens
from numbering.phantom.shapes.body import body, bridge, spurs
from numbering.phantom.shapes.bone import Bone
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.joints import SIDES, joint, place_of
from numbering.phantom.shapes.sacrum import ala_top
from numbering.phantom.shapes.solids import Part, bar, drum
from numbering.phantom.shapes.transverse import transverse


def vertebra(skeleton: Skeleton, placed: Placed) -> list[Bone]:
    """The vertebra in place; with C2 comes C1."""
    index, kept, frame = place_of(skeleton, placed), placed.vertebra, placed.frame
    last = index == len(skeleton.vertebrae) - 1
    highest = int(str(kept.level)[1:]) == 2 and kept.level.region == "C"
    parts: list[Part] = [drum(body(kept)), *spurs(kept)]
    if highest:
        parts += dens(kept)
    if kept.disc.fused and not last:
        parts += bridge(placed, skeleton.vertebrae[index + 1])
    for side, castellvi, missing in zip(SIDES, kept.castellvi, ("right", "left"), strict=True):
        if kept.missing_half == missing:
            continue
        at = arch.pillar(kept, side)
        below = joint(skeleton, placed, side).within(frame)
        above = joint(skeleton, skeleton.vertebrae[index - 1], side).within(frame) if index else None
        ala = frame.own(skeleton.sacrum.place(ala_top(skeleton, side)[None]))[0] if last else None
        parts += [*arch.pedicle(at), *arch.articular(kept, at, above, below), *arch.lamina(kept, at)]
        parts += transverse(kept, at, castellvi, ala)
    parts += arch.spinous(kept)
    parts.append(_canal(placed))
    found = [Bone(vertebra_label(kept.level), Field(parts), frame)]
    return [Bone(1, Field(atlas(kept)), frame), *found] if highest else found


def _canal(placed: Placed) -> Part:
    """What must stay free behind the body: a little less than the sampled canal."""
    size = placed.vertebra.size
    back, half = arch.hind_wall(placed.vertebra), size.height
    radius = 0.42 * min(size.canal_depth, size.canal_width)
    y = back + 0.8 + radius + 0.5
    wide = max(size.canal_width / 2 - 0.8 - radius, 0.0)
    return bar([0, y, -half], [0, y, half], radius, wide=wide, blend=1.5, carve=True)
