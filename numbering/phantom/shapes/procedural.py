"""Bones from formulas: what ships with the project and needs no outside file."""

from __future__ import annotations

from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes import girdle, pelvis, ribs, sacrum, skull, vertebra


class Procedural:
    """A `numbering.phantom.shapes.source.ShapeSource` of implicit surfaces."""

    name = "procedural"

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra."""
        return [*vertebra.vertebra(skeleton, placed)]

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx."""
        return [sacrum.sacrum(skeleton)]

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones and the upper femora."""
        return [*pelvis.pelvis(skeleton)]

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left; breastbone, collar bones, shoulder blades and upper arms."""
        return [*girdle.girdle(skeleton), *ribs.ribs(skeleton)]

    def skull(self, skeleton: Skeleton) -> list[Structure]:
        """Base of the skull and jaw."""
        return [*skull.skull(skeleton)]
