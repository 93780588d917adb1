"""A bone as a lattice of signed distances in its own frame, where it lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from numbering.phantom.pose import Frame
from numbering.phantom.scene.structure import Bounds
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.atlas.warp import Warp

Array = NDArray[np.float64]

COARSE = 3
"""The warp is worked out on every third point of a lattice and is linear between."""


@dataclass(frozen=True)
class Solid:
    """Distances ``values`` ``[z, y, x]`` at ``origin + pitch * (x, y, z)`` of a bone's own frame, mm."""

    values: Tensor
    origin: Array
    pitch: float

    def at(self, own: Tensor) -> Tensor:
        """mm ``(...)`` at points ``(..., 3)`` of the own frame; the nearest edge's value beyond the lattice."""
        return sample(self.values.to(own.device), self.origin, self.pitch, own)

    def lattice(self) -> Tensor:
        """The lattice's points ``(z, y, x, 3)``."""
        return lattice(self.origin, self.pitch, tuple(self.values.shape), self.values.device)


def warped(template: Template, targets: Array, pitch: float, device: torch.device | str) -> Solid:
    """The template after the warp that takes its landmarks to ``targets``; distances follow the local stretch."""
    outline = Warp.through(template.landmarks, targets)(template.outline())
    low = outline.min(0) - 4.0
    shape = tuple(int(n) for n in np.ceil((outline.max(0) + 4.0 - low) / (pitch * COARSE))[::-1] + 1)
    coarse = lattice(low, pitch * COARSE, shape, device)
    back = Warp.through(targets, template.landmarks).on(coarse)
    fine = functional.interpolate(
        back.permute(3, 0, 1, 2)[None],
        size=tuple(COARSE * (n - 1) + 1 for n in shape),
        mode="trilinear",
        align_corners=True,
    )[0].permute(1, 2, 3, 0)
    values = torch.as_tensor(template.distance.values, device=device)
    distance = sample(values, template.distance.origin, template.distance.pitch, fine)
    slope = torch.stack(torch.gradient(distance, spacing=pitch)).norm(dim=0)
    return Solid(distance / slope.clamp(0.5, 2.0), low, pitch)


def lattice(origin: Array, pitch: float, shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Points ``(z, y, x, 3)`` of a lattice."""
    axes = [torch.arange(count, dtype=torch.float32, device=device) * pitch for count in shape]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1) + torch.as_tensor(origin, dtype=torch.float32, device=device)


def sample(values: Tensor, origin: Array, pitch: float, points: Tensor) -> Tensor:
    """``values`` ``[z, y, x]`` at points ``(..., 3)``, linear between the lattice's."""
    counts = torch.tensor(values.shape[::-1], dtype=torch.float32, device=points.device)
    start = torch.as_tensor(origin, dtype=torch.float32, device=points.device)
    index = (points - start) * (2 / pitch / (counts - 1)) - 1
    found = functional.grid_sample(
        values[None, None], index.reshape(1, 1, 1, -1, 3), padding_mode="border", align_corners=True
    )
    return found.reshape(points.shape[:-1])


@dataclass(frozen=True)
class Bone:
    """A `numbering.phantom.scene.structure.Structure`: a solid and its place."""

    label: int
    solid: Solid
    frame: Frame
    bounds: Bounds = field(init=False)

    def __post_init__(self) -> None:
        extent = self.solid.pitch * (np.array(self.solid.values.shape[::-1]) - 1)
        corners = np.array(np.meshgrid(*([0, 1],) * 3, indexing="ij")).reshape(3, -1).T * extent + self.solid.origin
        placed = self.frame.place(corners)
        object.__setattr__(self, "bounds", np.stack([placed.min(0), placed.max(0)]))

    def signed_distance(self, points: Tensor) -> Tensor:
        """mm ``(...)`` of patient points ``(..., 3)``."""
        return self.solid.at(own(self.frame, points))


def own(frame: Frame, points: Tensor) -> Tensor:
    """`Frame.own` on the points' device."""
    centre = torch.as_tensor(frame.centre, dtype=torch.float32, device=points.device)
    turn = torch.as_tensor(frame.rotation, dtype=torch.float32, device=points.device)
    return (points - centre) @ turn
