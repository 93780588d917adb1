"""The scene painted on the scanner's grid: HU and labels, from one evaluation of each surface."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.ct.cover import covered
from numbering.phantom.imaging.ct.threads import side_by_side
from numbering.phantom.scene.blocks import Blocks, Part
from numbering.phantom.scene.places import Places
from numbering.phantom.scene.structure import Array, Grid, Structure

AIR_HU = -1000.0
SLAB_VOXELS = 12_000_000
"""Painted by a thread at a time, at most; bounds the memory."""
SLABS = 4
"""A volume has a multiple of so many slabs, all of the same depth: as many threads are done at the same time."""
THIN_MM = 1.35
"""A slice as thin as this is one layer."""
RELIEF_REACH_MM = 2.5
"""Surfaces are roughened by less than this."""


Slab = tuple[int, int, int, int]
"""First slice, how many, layers from slice to slice, layers in a slice."""


class Shading(Protocol):
    """What structures look like: a `Look`, or means alone."""

    def hu(self, label: int, distance: Tensor, places: Places, edge_mm: float) -> Tensor:
        """HU ``(n,)``; distance ``(n,)``."""

    def relief(self, label: int, places: Places) -> Tensor | None:
        """How far inwards the surface lies ``(n,)`` at places near it, mm; None: as the scene has it."""


@dataclass
class Painted:
    """``[slice, row, column]`` each: HU float32, labels uint8."""

    hu: Tensor
    labels: Tensor


def paint(
    structures: Sequence[Structure],
    grid: Grid,
    look: Shading,
    device: torch.device | str = "cpu",
    least_edge_mm: float = 0.0,
) -> Painted:
    """Each structure laid over the earlier ones, edges as wide as a pixel, or ``least_edge_mm`` if more."""
    blocks, edge = Blocks(grid, device), max(float(grid.spacing[1:].min()), least_edge_mm)
    clear = torch.ones(len(blocks.open), blocks.voxels, device=device)
    hu = torch.zeros_like(clear)
    labels = torch.zeros_like(clear, dtype=torch.uint8)
    for structure in reversed(structures):
        for part in blocks.near(structure, edge):
            before = clear.index_select(0, part.blocks)
            rough = _roughened(part, structure.label, look, before)
            share = covered(rough, edge).mul_(before)
            at = share.flatten().nonzero().squeeze(1)
            if len(at) == 0:
                continue
            seen, value = share.flatten().index_select(0, at), torch.zeros_like(share)
            shown = look.hu(structure.label, rough.flatten().index_select(0, at), part.some(at), edge)
            value.view(-1)[at] = shown * seen
            hu.index_add_(0, part.blocks, value)
            here = labels.index_select(0, part.blocks)
            labels[part.blocks] = here.masked_fill_((here == 0) & (rough < 0), structure.label)
            after = before - share
            clear[part.blocks] = after
            blocks.open[part.blocks] = after.amax(1) > 1e-3
    hu += clear * AIR_HU
    return Painted(blocks.volume(hu), blocks.volume(labels))


def _roughened(part: Part, label: int, look: Shading, clear: Tensor) -> Tensor:
    """Distances to a surface that is not quite as smooth as the scene's, where it is not hidden."""
    surface = ((part.distance.abs() < RELIEF_REACH_MM) & (clear > 0)).flatten().nonzero().squeeze(1)
    relief = look.relief(label, part.some(surface)) if len(surface) else None
    if relief is None:
        return part.distance
    rough = part.distance.clone()
    rough.view(-1)[surface] += relief
    return rough


def thick(
    structures: Sequence[Structure],
    grid: Grid,
    look: Shading,
    thickness_mm: float,
    device: torch.device | str = "cpu",
) -> Painted:
    """Slices as thick as said, each the mean of an odd number of thin layers; labels are those of its middle plane."""
    stride, count = layers(thickness_mm, float(grid.spacing[0]))
    apart = count < stride
    slab = _depth(grid, count if apart else stride)
    way = _apart if apart else _shared

    def painted(first: int) -> Painted:
        depth = min(slab, grid.shape[0] - first)
        return way(structures, grid, look, (first, depth, stride, count), device)

    return _joined(side_by_side(painted, range(0, grid.shape[0], slab), device))


def _depth(grid: Grid, layers_a_slice: int) -> int:
    """Slices of a slab. It depends on the volume alone, so that any number of threads paints the same."""
    rounds = math.ceil(math.prod(grid.shape) * layers_a_slice / (SLABS * SLAB_VOXELS))
    return math.ceil(grid.shape[0] / (SLABS * rounds))


def _shared(
    structures: Sequence[Structure], grid: Grid, look: Shading, slab: Slab, device: torch.device | str
) -> Painted:
    """Slices side by side: neighbours share the layers between them."""
    first, depth, stride, count = slab
    thin = Grid(_layer(grid, first, stride, (1 - count) / 2, 1), ((depth - 1) * stride + count, *grid.shape[1:]))
    # A surface that lies in the slice must not fall between two layers.
    edge = float(thin.spacing[0]) if count > 1 else 0.0
    return _averaged(paint(structures, thin, look, device, edge), stride, count)


def _apart(
    structures: Sequence[Structure], grid: Grid, look: Shading, slab: Slab, device: torch.device | str
) -> Painted:
    """Slices with gaps between them: only their own layers are painted."""
    first, depth, stride, count = slab
    edge = float(grid.spacing[0]) / stride if count > 1 else 0.0
    painted = []
    for layer in range(count):
        affine = _layer(grid, first, stride, layer - (count - 1) / 2, stride)
        painted.append(paint(structures, Grid(affine, (depth, *grid.shape[1:])), look, device, edge))
    return Painted(torch.stack([one.hu for one in painted]).mean(0), painted[count // 2].labels)


def _layer(grid: Grid, first: int, stride: int, shift: float, step: int) -> Array:
    """Affine that begins ``shift`` layers beside slice ``first`` and goes on in steps of ``step`` layers."""
    affine = grid.affine.copy()
    affine[:3, 3] += (first + shift / stride) * grid.affine[:3, 0]
    affine[:3, 0] *= step / stride
    return affine


def layers(thickness_mm: float, increment_mm: float) -> tuple[int, int]:
    """Layers from one slice to the next, and layers in a slice: an odd number, each at most about 1.3 mm."""
    if thickness_mm <= THIN_MM:
        return 1, 1
    if increment_mm > 1.5 * thickness_mm:
        count = _odd(float(np.ceil(thickness_mm / THIN_MM)) + 0.5)
        return round(increment_mm * count / thickness_mm), count
    least = int(np.ceil(increment_mm / THIN_MM))

    def miss(stride: int) -> float:
        held = thickness_mm * stride / increment_mm
        return abs(held - _odd(held)) / held + 0.02 * stride

    stride = min(range(least, least + 4), key=miss)
    return stride, _odd(thickness_mm * stride / increment_mm)


def _odd(value: float) -> int:
    return 2 * max(0, round((value - 1) / 2)) + 1


def _averaged(painted: Painted, stride: int, count: int) -> Painted:
    def mean(values: Tensor) -> Tensor:
        total = torch.zeros_like(values[: len(values) - count + 1 : stride])
        for layer in range(count):
            total += values[layer : len(values) - count + 1 + layer : stride]
        return total / count

    middle = painted.labels[count // 2 :][::stride][: (len(painted.labels) - count) // stride + 1]
    return Painted(mean(painted.hu), middle.clone())


def _joined(parts: list[Painted]) -> Painted:
    if len(parts) == 1:
        return parts[0]
    return Painted(torch.cat([part.hu for part in parts]), torch.cat([part.labels for part in parts]))
