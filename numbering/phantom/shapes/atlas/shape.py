"""A template warped to a sampled bone: a lattice of signed distances in the bone's own frame, in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from numbering.phantom.pose import Frame
from numbering.phantom.scene.structure import Bounds, Structure
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.atlas.warp import Warp
from numbering.phantom.shapes.field import Field
from numbering.phantom.shapes.lattice import Solid, lattice_points, sampled
from numbering.phantom.shapes.solids import Part

Array = NDArray[np.float64]

COARSE = 3
"""The warp is worked out on every third point of a lattice and is linear between."""
MARGIN_MM = 4.0
SEAM_MM = 3.0
"""How far the seam between a mesh and what is added to it is smoothed."""


@dataclass(frozen=True)
class Fit:
    """A template and where its landmarks must lie in the own frame of the sampled bone; ``slack`` as in `Warp`."""

    template: Template
    targets: Array
    slack: Array

    @cached_property
    def box(self) -> Bounds:
        """Own frame: holds the warped bone and `MARGIN_MM` around it."""
        outline = Warp.through(self.template.landmarks, self.targets, self.slack)(self.template.outline())
        return np.stack([outline.min(0) - MARGIN_MM, outline.max(0) + MARGIN_MM])

    def box_with(self, parts: Sequence[Part]) -> Bounds:
        """`box`, grown to hold the parts that are added."""
        if all(part.carve for part in parts):
            return self.box
        extra = Field(parts).bounds(MARGIN_MM)
        return np.stack([np.minimum(self.box[0], extra[0]), np.maximum(self.box[1], extra[1])])

    def solid(self, pitch: float, device: torch.device | str, box: Bounds) -> Solid:
        """The warped bone within a box; its distances follow the local stretch."""
        low, high = box
        shape = tuple(int(n) for n in np.ceil((high - low) / (pitch * COARSE))[::-1] + 1)
        back = Warp.through(self.targets, self.template.landmarks, self.slack)
        coarse = back.on(lattice_points(low, pitch * COARSE, shape, device))
        fine = functional.interpolate(
            coarse.permute(3, 0, 1, 2)[None],
            size=tuple(COARSE * (n - 1) + 1 for n in shape),
            mode="trilinear",
            align_corners=True,
        )[0].permute(1, 2, 3, 0)
        lattice = self.template.distance
        values = torch.as_tensor(lattice.values, device=device)
        distance = sampled(values, lattice.origin, lattice.pitch, fine)
        a, b, c = torch.gradient(distance, spacing=pitch)
        slope = a.square_().addcmul_(b, b).addcmul_(c, c).sqrt_().clamp_(0.5, 2.0)
        return Solid(distance.div_(slope), low, pitch)


class Bone:
    """A `numbering.phantom.scene.structure.Structure` of a solid in place, made when first looked at."""

    def __init__(self, label: int, frame: Frame, box: Bounds, make: Callable[[], Solid]) -> None:
        self.box = box
        self.label = int(label)
        self.frame = frame
        corners = np.array(np.meshgrid(*box.T, indexing="ij")).reshape(3, -1).T
        placed = frame.place(corners)
        self.bounds: Bounds = np.stack([placed.min(0), placed.max(0)])
        self._make = make

    @cached_property
    def solid(self) -> Solid:
        """Its distances, own frame."""
        return self._make()

    def signed_distance(self, points: Tensor) -> Tensor:
        """mm ``(...)`` of patient points ``(..., 3)``."""
        centre = torch.as_tensor(self.frame.centre, dtype=torch.float32, device=points.device)
        turn = torch.as_tensor(self.frame.rotation, dtype=torch.float32, device=points.device)
        return self.solid.at((points - centre) @ turn)


def edited(solid: Solid, parts: Sequence[Part]) -> Solid:
    """The solid with procedural parts of its own frame added, and those with ``carve`` taken away."""
    points, values = solid.points(), solid.values
    added = [part for part in parts if not part.carve]
    if added:
        theirs = Field(added).signed_distance(points)
        values = torch.minimum(values, theirs) - (SEAM_MM - (values - theirs).abs()).clamp(min=0) ** 2 / (4 * SEAM_MM)
    for part in parts:
        if part.carve:
            values = torch.maximum(values, -Field([replace(part, carve=False)]).signed_distance(points))
    return Solid(values, solid.origin, solid.pitch)


def apart(solid: Solid, frame: Frame, mutual: Sequence[Structure], fixed: Sequence[Structure], gap_mm: float) -> Solid:
    """The solid with a joint as wide as the gap between it and other bones: midway through what it shares with the
    ``mutual`` ones, which give way likewise, and wholly outside the ``fixed`` ones, which do not."""
    values = solid.values.clone()
    centre = torch.as_tensor(frame.centre, dtype=torch.float32, device=values.device)
    turn = torch.as_tensor(frame.rotation, dtype=torch.float32, device=values.device)
    for index, other in enumerate([*mutual, *fixed]):
        corners = frame.own(np.array(np.meshgrid(*other.bounds.T, indexing="ij")).reshape(3, -1).T)
        low = np.maximum(np.floor((corners.min(0) - solid.origin) / solid.pitch), 0).astype(int)
        high = np.ceil((corners.max(0) - solid.origin) / solid.pitch).astype(int) + 1
        window = tuple(slice(int(a), int(max(b, a))) for a, b in zip(low[::-1], high[::-1], strict=True))
        part = values[window]
        if part.numel():
            start = solid.origin + solid.pitch * low
            points = lattice_points(start, solid.pitch, tuple(part.shape), values.device) @ turn.T + centre
            theirs = other.signed_distance(points)
            limit = (solid.values[window] - theirs + gap_mm) / 2 if index < len(mutual) else gap_mm - theirs
            torch.maximum(part, limit, out=part)
    return Solid(values, solid.origin, solid.pitch)
