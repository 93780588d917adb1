"""The scene painted on the scanner's grid: HU, what is metal, and labels, from one evaluation of each surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.ct.tissue import Look
from numbering.phantom.scene.blocks import Blocks
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Grid, Structure

AIR_HU = -1000.0
SLAB_VOXELS = 12_000_000
"""Painted at a time; bounds the memory."""


@dataclass
class Painted:
    """``[slice, row, column]`` each: HU float32, the share of metal 0…1 float32 (None where there is none), labels
    uint8."""

    hu: Tensor
    metal: Tensor | None
    labels: Tensor


def paint(
    structures: Sequence[Structure],
    grid: Grid,
    look: Look,
    device: torch.device | str = "cpu",
    least_edge_mm: float = 0.0,
) -> Painted:
    """Each structure laid over the earlier ones, its edge as wide as a pixel, or as ``least_edge_mm``."""
    blocks, edge = Blocks(grid, device), max(float(grid.spacing[1:].min()), least_edge_mm)
    clear = torch.ones(len(blocks.open), blocks.voxels, device=device)
    hu, metal = torch.zeros_like(clear), None
    labels = torch.zeros_like(clear, dtype=torch.uint8)
    empty = torch.ones_like(clear, dtype=torch.bool)
    for structure in reversed(structures):
        for part in blocks.near(structure, edge):
            before = clear[part.blocks]
            share = before * (0.5 - part.distance / edge).clamp_(0, 1)
            seen = share > 0
            if not bool(seen.any()):
                continue
            value = torch.zeros_like(share)
            value[seen] = look.hu(structure.label, part.distance[seen], part.points[seen], edge) * share[seen]
            hu[part.blocks] += value
            if structure.label == Label.METAL:
                metal = torch.zeros_like(hu) if metal is None else metal
                metal[part.blocks] += share
            still = empty[part.blocks]
            here = still & (part.distance < 0)
            labels[part.blocks] = labels[part.blocks].masked_fill_(here, structure.label)
            empty[part.blocks] = still & ~here
            clear[part.blocks] = before - share
            blocks.open[part.blocks] = (before - share).amax(1) > 1e-3
    hu += clear * AIR_HU
    return Painted(blocks.volume(hu), None if metal is None else blocks.volume(metal), blocks.volume(labels))


def thick(
    structures: Sequence[Structure],
    grid: Grid,
    look: Look,
    thickness_mm: float,
    device: torch.device | str = "cpu",
) -> Painted:
    """Slices as thick as said, each the mean of an odd number of thin ones; labels are those of its middle plane."""
    count = layers(thickness_mm)
    normal = np.cross(grid.affine[:3, 2], grid.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    slab = max(1, SLAB_VOXELS // (grid.shape[1] * grid.shape[2]))
    parts = []
    for first in range(0, grid.shape[0], slab):
        depth = min(slab, grid.shape[0] - first)
        painted = []
        for layer in range(count):
            affine = grid.affine.copy()
            shift = (layer - (count - 1) / 2) * thickness_mm / count
            affine[:3, 3] += first * affine[:3, 0] + shift * normal
            layer_grid = Grid(affine, (depth, *grid.shape[1:]))
            # A surface that lies in the slice must not fall between two layers.
            painted.append(paint(structures, layer_grid, look, device, thickness_mm / count))
        parts.append(_mean(painted))
    return _joined(parts)


def layers(thickness_mm: float) -> int:
    """How many thin slices make a thick one: an odd number, each at most about 1 mm."""
    count = int(np.ceil(thickness_mm / 1.05))
    return count + 1 - count % 2


def _mean(painted: list[Painted]) -> Painted:
    metals = [one.metal for one in painted if one.metal is not None]
    hu = sum(one.hu for one in painted) / len(painted)
    metal = sum(metals) / len(painted) if metals else None
    assert isinstance(hu, Tensor)
    assert metal is None or isinstance(metal, Tensor)
    return Painted(hu, metal, painted[len(painted) // 2].labels)


def _joined(parts: list[Painted]) -> Painted:
    if len(parts) == 1:
        return parts[0]
    metal = None
    if any(part.metal is not None for part in parts):
        metal = torch.cat([torch.zeros_like(part.hu) if part.metal is None else part.metal for part in parts])
    return Painted(torch.cat([part.hu for part in parts]), metal, torch.cat([part.labels for part in parts]))
