"""Slices painted some at a time: neighbours of a stack share one lattice, which is much faster than one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from numbering.phantom.imaging.mr.lattice import mid_slice, painted_grid
from numbering.phantom.imaging.mr.planes import Planned
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Array
from numbering.phantom.scene.structure import Grid, Shade, Structure, paint

_MOST_VOXELS = 5_000_000
_NEAR_SHARE = 0.3
"""Gap over thickness up to which a slice may be taken for as thick as its spacing: real profiles spill over as much."""


def painted(
    structures: Sequence[Structure],
    appearance: Shade,
    channels: int,
    planned: Sequence[Planned],
    protocol: Protocol,
    device: torch.device | str,
) -> Iterator[Tensor]:
    """Channels ``(channels, rows, columns)`` of each slice, on the lattice of `painted_grid`: water and fat of each
    contrast."""
    for group in _groups(planned, protocol):
        grids = [painted_grid(one.grid, protocol) for one in group]
        count = grids[0].shape[0]
        volume = paint(structures, _joined(grids), appearance, (0.0,) * channels, device)
        # An excited slice is no box: its middle counts more than its edges.
        profile = torch.exp(-0.5 * (torch.linspace(-1, 1, count, device=volume.device) * 0.9) ** 2)
        weighted = volume.unflatten(1, (len(group), count)) * (profile / profile.sum())[:, None, None]
        yield from weighted.sum(2).unbind(1)


def _groups(planned: Sequence[Planned], protocol: Protocol) -> Iterator[list[Planned]]:
    """Consecutive slices of one stack, as many as memory bears; one by one where the gaps are wide."""
    shape = painted_grid(planned[0].grid, protocol).shape
    most = max(1, _MOST_VOXELS // (shape[0] * shape[1] * shape[2]))
    most = most if protocol.gap_mm <= _NEAR_SHARE * protocol.thickness_mm else 1
    group: list[Planned] = []
    for one in planned:
        if group and (one.stack != group[0].stack or len(group) == most):
            yield group
            group = []
        group.append(one)
    yield group


def _joined(grids: Sequence[Grid]) -> Grid:
    """One lattice through the sub-slices of neighbouring slices, evenly spaced."""
    if len(grids) == 1:
        return grids[0]
    count, rows, columns = grids[0].shape
    first, second = (_middle(grid) for grid in grids[:2])
    affine = grids[0].affine.copy()
    affine[:3, 0] = (second - first) / count
    affine[:3, 3] = first - affine[:3, 0] * (count - 1) / 2
    return Grid(affine, (count * len(grids), rows, columns))


def _middle(grid: Grid) -> Array:
    corner: Array = mid_slice(grid).affine[:3, 3]
    return corner
