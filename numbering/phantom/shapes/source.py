"""The one interface behind which bones get their shape."""

from __future__ import annotations

from typing import Protocol

from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.structure import Structure


class ShapeSource(Protocol):
    """Shapes for one anatomy. Corners, centres and heights are the anatomy's, so the truth does not depend on it."""

    @property
    def name(self) -> str:
        """``procedural``, or the atlas's name: what ``splits.json`` reserves."""

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra (one structure with its `vertebra_label`; body, arch and processes)."""

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx."""

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones and the upper femora."""

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left; breastbone, collar bones, shoulder blades and upper arms."""

    def skull(self, skeleton: Skeleton) -> list[Structure]:
        """Base of the skull and jaw, where the spine reaches C2."""
