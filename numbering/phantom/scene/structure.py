"""A structure of the scene: a label and a signed distance; and the painter that turns a list of them into a volume.

Every view paints the same structures: a CT paints HU, an MR tissue parameters, a film attenuation, the truth labels.
Torch, on the device of the grid; float32; the patient frame of `numbering.phantom.pose` unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from numbering.phantom.scene.blocks import Blocks
from numbering.phantom.scene.grid import Array, Bounds, Grid

__all__ = ["Array", "Bounds", "Grid", "Shade", "Structure", "label_volume", "paint"]


class Structure(Protocol):
    """One thing with a surface. Later structures of a scene lie over earlier ones."""

    @property
    def label(self) -> int:
        """A `numbering.phantom.scene.labels` number."""

    @property
    def bounds(self) -> Bounds:
        """A box that holds all points whose distance is below about 3 mm."""

    def signed_distance(self, points: Tensor) -> Tensor:
        """mm ``(...)`` to the surface of points ``(..., 3)`` mm, negative inside; true near the surface, of the right
        sign elsewhere. Outside it may fall short of the true distance, but not exceed it more than 1.5 times: the
        painter passes over blocks that look far away."""


Shade = Callable[[Structure, Tensor, Tensor], Tensor]
"""``shade(structure, distance, points) -> (channels, n)``: what the structure looks like at these points ``(n, 3)``,
given the signed distance ``(n,)`` (so cortex can be told from marrow)."""


def paint(
    structures: Iterable[Structure],
    grid: Grid,
    shade: Shade,
    background: Sequence[float],
    device: torch.device | str = "cpu",
) -> Tensor:
    """A volume ``(channels, slices, rows, columns)``, each structure laid over the earlier ones with a soft edge one
    voxel wide, which is the partial volume of a voxel that a surface cuts.

    Worked from the last structure to the first, so what is hidden is never evaluated.
    """
    blocks = Blocks(grid, device)
    edge = float(grid.spacing.min())
    clear = torch.ones(len(blocks.open), blocks.voxels, device=device)
    channels = [torch.zeros_like(clear) for _ in background]
    for structure in reversed(list(structures)):
        for part in blocks.near(structure, edge):
            before = clear[part.blocks]
            share = before * (0.5 - part.distance / edge).clamp_(0, 1)
            at = share.flatten().nonzero()[:, 0]
            if len(at) == 0:
                continue
            shaded = shade(structure, part.distance.flatten()[at], part.points_at(at))
            weight, laid = share.flatten()[at], torch.zeros_like(share)
            for channel, value in zip(channels, shaded, strict=True):
                laid.view(-1)[at] = value * weight
                channel[part.blocks] += laid
            after = before - share
            clear[part.blocks] = after
            blocks.open[part.blocks] = after.amax(1) > 0
    return torch.stack(
        [blocks.volume(channel.add_(clear * ground)) for channel, ground in zip(channels, background, strict=True)]
    )


def label_volume(structures: Iterable[Structure], grid: Grid, device: torch.device | str = "cpu") -> Tensor:
    """Labels ``(slices, rows, columns)`` uint8: the last structure that holds the voxel's centre."""
    blocks = Blocks(grid, device)
    labels = torch.zeros(len(blocks.open), blocks.voxels, dtype=torch.uint8, device=device)
    empty = torch.ones_like(labels, dtype=torch.bool)
    for structure in reversed(list(structures)):
        for part in blocks.near(structure, 0.0):
            still = empty[part.blocks]
            here = still & (part.distance < 0)
            labels[part.blocks] = labels[part.blocks].masked_fill_(here, structure.label)
            still &= ~here
            empty[part.blocks] = still
            blocks.open[part.blocks] = still.any(1)
    return blocks.volume(labels)
