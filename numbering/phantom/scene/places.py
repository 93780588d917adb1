"""Places at which a structure is shaded, and what changes so slowly from place to place that few of them are asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from numbering.phantom.scene.blocks import Part

Steps = tuple[float, float, float]
"""mm along x, y, z of the patient."""
ASKED = 20
"""A look at a texture takes as long as so many values worked out between knots."""


class Places:
    """Points of the patient frame, ``(n, 3)`` mm."""

    def __init__(self, points: Tensor) -> None:
        self.points = points

    def slowly(self, function: Callable[[Tensor], Tensor], steps: Steps, name: Hashable) -> Tensor:
        """``function`` of points ``(m, 3)``, of one value ``(m,)`` or several ``(m, channels)`` a point, at all places;
        it may be worked out at points ``steps`` apart and taken as linear between them. ``name`` tells functions apart.
        """
        return function(self.points)


class PlacesWithin(Places):
    """Some voxels of a part of a grid, ``at`` indices ``(n,)`` into its voxels."""

    def __init__(self, part: Part, at: Tensor) -> None:
        self._part, self._at = part, at

    @property
    def points(self) -> Tensor:  # type: ignore[override]
        """See `Places`."""
        return self._part.points_at(self._at)

    def slowly(self, function: Callable[[Tensor], Tensor], steps: Steps, name: Hashable) -> Tensor:
        """See `Places`."""
        kept = self._part.kept
        if name not in kept:
            knots = self._part.knots(steps)
            blocks = len(self._part.blocks)
            if len(self._at) * ASKED <= blocks * (knots.number * ASKED + knots.voxels):
                return function(self.points)
            found = function(self._part.points_on(knots).reshape(-1, 3))
            channels = found.reshape(blocks, knots.number, -1).permute(2, 0, 1).reshape(-1, knots.number)
            kept[name] = knots.between(channels).view(-1, blocks * knots.voxels), found.ndim > 1
        whole, several = kept[name]
        chosen = torch.stack([channel.index_select(0, self._at) for channel in whole])
        return chosen.t() if several else chosen[0]
