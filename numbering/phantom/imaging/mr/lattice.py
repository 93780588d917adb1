"""The lattice that a slice is painted on: finer than the image across the slice, longer along phase encoding."""

from __future__ import annotations

import torch
from torch import Tensor

from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Array
from numbering.phantom.scene.structure import Grid

_SUBSLICE_MM = 1.4
_PAINTED_SHARE = 1.15
"""Painted pixels over acquired ones: the object is finer than what is measured."""
_NO_WRAP = 0.5
"""Oversampling from which nothing folds into the image; less is painted then."""


def painted_grid(grid: Grid, protocol: Protocol) -> tuple[Grid, tuple[slice, slice], int]:
    """The lattice to paint: finer across the slice, about as fine as what is acquired within it, and longer along
    phase encoding; the window of it that is the field of view; and the length after which phase encoding repeats."""
    _, rows, columns = grid.shape
    pixel = protocol.fov_mm * max(1.0, protocol.fov_ratio) / (protocol.matrix[0] * _PAINTED_SHARE)
    spacing = grid.spacing
    size = [2 * max(8, round(n * s / pixel / 2)) for n, s in ((rows, spacing[1]), (columns, spacing[2]))]
    axis = 0 if protocol.readout == "row" else 1
    fov = size[axis]
    # Half of what is acquired beyond the field of view, on each side; then what folds back into it.
    period = 2 * round(fov * (1 + protocol.oversampling) / 2)
    beyond = (period - fov) // 2 + (0 if protocol.oversampling >= _NO_WRAP else min(period // 2, fov // 2))
    if protocol.oversampling >= _NO_WRAP:
        beyond = 0
    whole = list(size)
    whole[axis] = fov + 2 * beyond
    count = max(1, round(protocol.thickness_mm / _SUBSLICE_MM))
    affine = grid.affine.copy()
    step = grid.affine[:3, 0] / count
    row, column = (grid.affine[:3, 1 + k] * ((rows, columns)[k] / size[k]) for k in (0, 1))
    corner = grid.affine[:3, 3] - grid.affine[:3, 1] / 2 - grid.affine[:3, 2] / 2
    first = corner + row / 2 + column / 2 - step * (count - 1) / 2 - (row, column)[axis] * beyond
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = step, row, column, first
    window = [slice(0, size[0]), slice(0, size[1])]
    window[axis] = slice(beyond, beyond + fov)
    return Grid(affine, (count, whole[0], whole[1])), (window[0], window[1]), period


def mid_slice(grid: Grid) -> Array:
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (grid.shape[0] - 1) / 2
    return affine


def folded(image: Tensor, axis: int, period: int) -> Tensor:
    """The image along phase encoding as an acquisition of this period sees it, centred: longer parts fold over."""
    length = image.shape[axis]
    shape = list(image.shape)
    shape[axis] = period
    found = image.new_zeros(shape)
    first = (period - length) // 2  # negative where the painted part is longer
    place = torch.arange(length, device=image.device).add(first).remainder(period)
    return found.index_add(axis, place, image)
