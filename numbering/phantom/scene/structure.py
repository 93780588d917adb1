"""A structure of the scene: a label and a signed distance; and the painter that turns a list of them into a volume.

Every view paints the same structures: a CT paints HU, an MR tissue parameters, a film attenuation, the truth labels.
Torch, on the device of the grid; float32; the patient frame of `numbering.phantom.pose` unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
Bounds = Array
"""``(2, 3)``: lowest and highest x, y, z in mm, patient frame."""


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
        sign elsewhere."""


@dataclass(frozen=True)
class Grid:
    """A regular lattice ``[slice, row, column]``: ``point = affine @ (slice, row, column, 1)``.

    ``affine`` is ``(4, 4)`` index → mm in the patient frame of the phantom; its columns need not follow the axes
    (oblique slices, gantry tilt).
    """

    affine: Array
    shape: tuple[int, int, int]

    @staticmethod
    def upright(bounds: Bounds, spacing_mm: float | tuple[float, float, float]) -> Grid:
        """Slices along +z, rows along +y, columns along +x (LPS); spacing of slice, row, column."""
        step = np.broadcast_to(np.asarray(spacing_mm, float), 3)
        low, high = np.asarray(bounds, float)
        extent = (high - low)[::-1]
        shape = np.maximum(1, np.ceil(extent / step)).astype(int)
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, ::-1] * step
        affine[:3, 3] = low + (affine[:3, :3] @ np.full(3, 0.5))
        return Grid(affine, (int(shape[0]), int(shape[1]), int(shape[2])))

    @property
    def spacing(self) -> Array:
        """mm between slices, rows and columns ``(3,)``."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def window(self, bounds: Bounds, margin_mm: float = 0.0) -> tuple[slice, slice, slice] | None:
        """The part of the lattice that may lie inside ``bounds``; None where there is none."""
        low, high = np.asarray(bounds, float) + np.array([[-margin_mm], [margin_mm]])
        corners = np.array(np.meshgrid(*zip(low, high, strict=True), indexing="ij")).reshape(3, -1)
        index = np.linalg.inv(self.affine) @ np.vstack([corners, np.ones(8)])
        first = np.maximum(np.floor(index[:3].min(1)).astype(int), 0)
        last = np.minimum(np.ceil(index[:3].max(1)).astype(int) + 1, self.shape)
        if (last <= first).any():
            return None
        return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))

    def points(self, window: tuple[slice, slice, slice], device: torch.device | str = "cpu") -> Tensor:
        """mm ``(slices, rows, columns, 3)`` of the lattice points in a window, float32."""
        affine = torch.as_tensor(self.affine, dtype=torch.float32, device=device)
        axes = [torch.arange(part.start, part.stop, dtype=torch.float32, device=device) for part in window]
        s, r, c = axes[0][:, None, None, None], axes[1][None, :, None, None], axes[2][None, None, :, None]
        return s * affine[:3, 0] + r * affine[:3, 1] + c * affine[:3, 2] + affine[:3, 3]


Shade = Callable[[Structure, Tensor, Tensor], Tensor]
"""``shade(structure, distance, points) -> (channels, ...)``: what the structure looks like at these points, given the
signed distance (so cortex can be told from marrow)."""


def paint(
    structures: Iterable[Structure],
    grid: Grid,
    shade: Shade,
    background: Sequence[float],
    device: torch.device | str = "cpu",
) -> Tensor:
    """A volume ``(channels, slices, rows, columns)``, each structure laid over the earlier ones with a soft edge one
    voxel wide, which is the partial volume of a voxel that a surface cuts."""
    volume = torch.tensor(background, dtype=torch.float32, device=device)[:, None, None, None].repeat(1, *grid.shape)
    edge = float(grid.spacing.min())
    for structure, window, points, distance in _covered(structures, grid, edge, device):
        cover = (0.5 - distance / edge).clamp(0, 1)
        view = volume[:, *window]
        view += (shade(structure, distance, points) - view) * cover
    return volume


def label_volume(structures: Iterable[Structure], grid: Grid, device: torch.device | str = "cpu") -> Tensor:
    """Labels ``(slices, rows, columns)`` uint8: the last structure that holds the voxel's centre."""
    labels = torch.zeros(grid.shape, dtype=torch.uint8, device=device)
    for structure, window, _, distance in _covered(structures, grid, 0.0, device):
        labels[window][distance < 0] = structure.label
    return labels


def _covered(
    structures: Iterable[Structure], grid: Grid, edge: float, device: torch.device | str
) -> Iterable[tuple[Structure, tuple[slice, slice, slice], Tensor, Tensor]]:
    for structure in structures:
        window = grid.window(structure.bounds, edge)
        if window is not None:
            points = grid.points(window, device)
            yield structure, window, points, structure.signed_distance(points)
