"""The part of a scene that a scan meets, with boxes that are not worked out again for every slab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from numbering.phantom.imaging.ct.geometry import heights
from numbering.phantom.scene.structure import Bounds, Grid, Structure


@dataclass(frozen=True, eq=False)
class Boxed:
    """A structure whose box is known."""

    whole: Structure
    bounds: Bounds
    label: int

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return self.whole.signed_distance(points)


def near(structures: Sequence[Structure], grid: Grid) -> list[Structure]:
    """Those structures that may lie between the first and the last slice, whatever their place across."""
    low, high = heights(grid)
    boxed = [Boxed(one, np.asarray(one.bounds), int(one.label)) for one in structures]
    return [one for one in boxed if one.bounds[0, 2] <= high + 3 and one.bounds[1, 2] >= low - 3]
