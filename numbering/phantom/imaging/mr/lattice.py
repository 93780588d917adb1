"""The lattice that a slice is painted on: finer than the image across the slice, longer than it along both sides.

Along each side of the image, three lengths share one centre: what is shown, what is encoded (after which phase encoding
repeats), and what is painted. Painting goes on beyond the image and fades out, so no edge of the simulated world rings
or throws ghosts into the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Array
from numbering.phantom.scene.structure import Grid

_SUBSLICE_MM = 1.4
_MOST_SUBSLICES = 4
_PAINTED_SHARE = 1.15
"""Painted pixels over acquired ones: the object is finer than what is measured."""
_NO_WRAP = 0.5
"""Oversampling from which nothing folds into the image; less is painted then."""
_MARGIN = 0.06
"""Painted beyond the image on each side, and encoded beyond it along readout, as a share of its length."""


@dataclass(frozen=True)
class Side:
    """One side of the image, in pixels."""

    shown: int
    encoded: int
    """Reconstructed pixels before the oversampled rest is cut off, ``shown`` plus an even number."""
    period: int
    """Painted pixels over the encoded length."""
    painted: int
    """Painted pixels; more than ``period`` where the body beyond folds into the image."""
    fade: int
    """Painted pixels at each end over which the object fades out."""
    acquired: int
    """Samples of k-space."""

    @property
    def painted_pixel(self) -> float:
        """Length of a painted pixel in reconstructed ones."""
        return self.encoded / self.period


def sides(protocol: Protocol) -> tuple[Side, Side]:
    """Of the rows' direction (down) and of the columns' (across)."""
    rows, columns = protocol.size
    finest = max(rows, columns) / (protocol.matrix[0] * _PAINTED_SHARE)
    samples, lines = protocol.matrix
    down, across = (lines, samples) if protocol.readout == "row" else (samples, lines)
    return (
        _side(rows, finest, down, protocol.oversampling if protocol.readout == "row" else None),
        _side(columns, finest, across, None if protocol.readout == "row" else protocol.oversampling),
    )


def _side(shown: int, finest: float, samples: int, oversampling: float | None) -> Side:
    """``oversampling`` of a phase direction; None along readout, where nothing can fold."""
    share = _MARGIN if oversampling is None else oversampling / 2
    encoded = shown + 2 * round(shown * share)
    period = 2 * max(8, round(encoded / finest / 2))
    pixel = encoded / period
    if oversampling is None:
        painted, fade = period, (period - shown / pixel) / 2
    elif oversampling < _NO_WRAP:
        painted = period + 2 * (period // 3)
        fade = period // 6
    else:
        painted = min(period, 2 * round(shown * (1 + 2 * _MARGIN) / pixel / 2))
        fade = (painted - shown / pixel) / 2
    return Side(shown, encoded, period, painted, max(0, int(fade)), round(samples * encoded / shown))


def painted_grid(grid: Grid, protocol: Protocol) -> Grid:
    """The lattice to paint for an image's ``grid``: sub-slices first, the same centre."""
    count = min(_MOST_SUBSLICES, max(1, round(protocol.thickness_mm / _SUBSLICE_MM)))
    across_slice = grid.affine[:3, 0] / count
    centre = grid.affine @ np.array([0, *(0.5 * (n - 1) for n in grid.shape[1:]), 1])
    affine, shape = np.eye(4), [count]
    affine[:3, 0] = across_slice
    for axis, side in enumerate(sides(protocol), 1):
        affine[:3, axis] = grid.affine[:3, axis] * side.painted_pixel
        shape.append(side.painted)
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(affine, (shape[0], shape[1], shape[2]))


def mid_slice(grid: Grid) -> Grid:
    """The middle of a lattice's sub-slices."""
    affine: Array = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (grid.shape[0] - 1) / 2
    return Grid(affine, (1, *grid.shape[1:]))


def faded(protocol: Protocol, device: torch.device | str) -> Tensor:
    """1 within the image, falling to 0 at the ends of what is painted ``(rows, columns)``."""
    down, across = (_ends(side) for side in sides(protocol))
    return torch.as_tensor(np.outer(down, across), dtype=torch.float32, device=device)


def _ends(side: Side) -> Array:
    from_end = np.minimum(np.arange(side.painted), np.arange(side.painted)[::-1]) + 0.5
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(from_end / max(side.fade, 1), 0, 1)))


def folded(image: Tensor, protocol: Protocol) -> Tensor:
    """The painted image over one period of each side, centred: what lies beyond folds over."""
    found = image
    for axis, side in enumerate(sides(protocol)):
        shape = list(found.shape)
        shape[axis] = side.period
        place = torch.arange(side.painted, device=image.device)
        place = (place + (side.period - side.painted) // 2).remainder(side.period)
        found = found.new_zeros(shape).index_add(axis, place, found)
    return found
