"""Solids made of other solids, and half spaces to cut them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.grid import Array, Bounds
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube

EVERYWHERE = np.array([[-1e4] * 3, [1e4] * 3])


@dataclass(frozen=True, eq=False)
class Both:
    """What lies in all parts."""

    label: int
    parts: Sequence[Structure]

    @cached_property
    def bounds(self) -> Bounds:
        """The box that the parts share."""
        boxes = np.array([part.bounds for part in self.parts])
        return np.stack([boxes[:, 0].max(0), boxes[:, 1].min(0)])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return reduce(torch.maximum, (part.signed_distance(points) for part in self.parts))


@dataclass(frozen=True, eq=False)
class Either:
    """What lies in any part."""

    label: int
    parts: Sequence[Structure]

    @cached_property
    def bounds(self) -> Bounds:
        """The box around all parts."""
        boxes = np.array([part.bounds for part in self.parts])
        return np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return reduce(torch.minimum, (part.signed_distance(points) for part in self.parts))


@dataclass(frozen=True, eq=False)
class Without:
    """One solid less another."""

    label: int
    whole: Structure
    hole: Structure

    @cached_property
    def bounds(self) -> Bounds:
        """The whole's box."""
        return self.whole.bounds

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return torch.maximum(self.whole.signed_distance(points), -self.hole.signed_distance(points))


@dataclass(frozen=True, eq=False)
class Shifted:
    """A solid whose surface is moved outwards by ``by_mm`` (inwards where negative)."""

    label: int
    whole: Structure
    by_mm: float

    @cached_property
    def bounds(self) -> Bounds:
        """The whole's box, moved too."""
        return np.asarray(self.whole.bounds + np.array([[-1.0], [1.0]]) * max(self.by_mm, 0))

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return self.whole.signed_distance(points) - self.by_mm


@dataclass(frozen=True, eq=False)
class Outside:
    """What lies outside of a solid."""

    whole: Structure
    label: int = 0

    @cached_property
    def bounds(self) -> Bounds:
        """Everywhere."""
        return EVERYWHERE

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return -self.whole.signed_distance(points)


@dataclass(frozen=True, eq=False)
class HalfSpace:
    """All points with ``normal · point < offset``; the normal has length 1."""

    normal: tuple[float, float, float]
    offset: float
    label: int = 0

    @cached_property
    def bounds(self) -> Bounds:
        """Everywhere."""
        return EVERYWHERE

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        x, y, z = points.unbind(-1)
        a, b, c = self.normal
        return x * a + y * b + z * c - self.offset


def kept_within(part: Tube, space: Structure) -> Structure:
    """A tube cut off where it leaves a space; the tube itself where it does not, which is cheaper."""
    away = space.signed_distance(torch.as_tensor(part.path, dtype=torch.float32)).numpy() + part.radius
    return part if float(away.max()) < -1.0 else Both(part.label, [part, space])


def overlaps(bounds: Array, region: Array | None) -> bool:
    """Whether two boxes meet; every box meets None."""
    return region is None or bool((bounds[0] <= region[1]).all() and (region[0] <= bounds[1]).all())
