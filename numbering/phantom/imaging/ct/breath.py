"""A breath let go during the scan: organs below the diaphragm jump between two slices, the skeleton does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Bounds, Grid, Structure

MOVED = frozenset(
    {Label.LIVER, Label.SPLEEN, Label.STOMACH, Label.KIDNEY_RIGHT, Label.KIDNEY_LEFT, Label.RENAL_PELVIS_RIGHT,
     Label.RENAL_PELVIS_LEFT, Label.HEART}
)  # fmt: skip


@dataclass(frozen=True)
class Stepped:
    """A structure that stands ``by_mm`` higher in all slices below a height."""

    whole: Structure
    height: float
    by_mm: float

    @property
    def label(self) -> int:
        """The structure's own."""
        return self.whole.label

    @property
    def bounds(self) -> Bounds:
        """Both places."""
        return np.asarray(self.whole.bounds + np.array([[0, 0, 0], [0, 0, self.by_mm]]))

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        moved = points.clone()
        moved[..., 2] -= torch.where(points[..., 2] < self.height, self.by_mm, 0.0)
        return self.whole.signed_distance(moved)


def breathing(structures: Sequence[Structure], skeleton: Skeleton, protocol: Protocol, grid: Grid) -> list[Structure]:
    """The scene as this scan meets it: unchanged unless the protocol lets the breath go."""
    if protocol.breath_mm <= 0:
        return list(structures)
    middle = float(grid.affine[2, 3] + grid.affine[2, :3] @ ((np.array(grid.shape) - 1) / 2))
    height = float(np.clip(middle, skeleton.height(21.0), skeleton.height(18.0)))
    return [Stepped(one, height, protocol.breath_mm) if one.label in MOVED else one for one in structures]
