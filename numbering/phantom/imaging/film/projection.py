"""Line integrals of the scene: soft tissue painted along the rays, bone and metal added block by block.

Soft tissue varies slowly and covers one another: it is laid in painting order on a coarse lattice of rays. Bone is
sharp and thin-walled: what it holds *beyond* the soft tissue around it is integrated on a fine lattice, only in blocks
near its surface; deep inside, a block's integral is its depth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numbering.phantom.imaging.film.frustum import Frustum, Window
from numbering.phantom.imaging.film.geometry import Array
from numbering.phantom.imaging.film.profile import Profile, inside_shares
from numbering.phantom.scene.structure import Structure

LARGE = 48
"""Cells along both sides of a window that need not be looked at one by one."""
CHUNK = 120_000
"""Points of one call to a signed distance: what stays in a core's cache."""


def paint_soft(
    fillings: Iterable[tuple[Structure, tuple[float, ...], Window]],
    frustum: Frustum,
    step: float,
    channels: int,
    window: Window,
    device: torch.device | str,
) -> Tensor:
    """A volume ``(channels, depth, rows, columns)`` of what fills the rays, later structures over earlier ones.

    ``fillings`` are structures with their channels and the part of the frustum that each may reach; depths run from
    ``window.near`` in ``step``s.
    """
    steps = max(1, round((window.far - window.near) / step))
    volume = torch.zeros((channels, steps, *window.shape), dtype=torch.float32, device=device)
    soft = frustum.cell_at((window.near + window.far) / 2)
    for structure, filling, found in fillings:
        part = _shared(found, window, step, steps)
        if part is None:
            continue
        first, last, top, bottom, left, right = part
        rows, columns, depth = _axes(frustum, window, step, part, device)
        share = _shares(structure, frustum, rows, columns, depth, soft, device)
        view = volume[:, first:last, top:bottom, left:right]
        for channel, value in zip(view, filling, strict=True):
            channel.lerp_(channel.new_tensor(value).expand_as(channel), share)
    return volume


def _shared(found: Window, window: Window, step: float, steps: int) -> tuple[int, int, int, int, int, int] | None:
    first = max(0, int((found.near - window.near) / step))
    last = min(steps, int((found.far - window.near) / step) + 1)
    top, bottom = max(found.top, window.top), min(found.bottom, window.bottom)
    left, right = max(found.left, window.left), min(found.right, window.right)
    if last <= first or bottom <= top or right <= left:
        return None
    return first, last, top - window.top, bottom - window.top, left - window.left, right - window.left


def _axes(
    frustum: Frustum, window: Window, step: float, part: tuple[int, ...], device: torch.device | str
) -> tuple[Tensor, Tensor, Tensor]:
    first, last, top, bottom, left, right = part
    rows = torch.arange(top, bottom, dtype=torch.float32, device=device) + window.top
    columns = torch.arange(left, right, dtype=torch.float32, device=device) + window.left
    depth = torch.arange(first, last + 1, dtype=torch.float32, device=device) * step + window.near
    return rows, columns, depth


def _shares(
    structure: Structure,
    frustum: Frustum,
    rows: Tensor,
    columns: Tensor,
    depth: Tensor,
    soft: float,
    device: torch.device | str,
) -> Tensor:
    """Share of each interval of depth that is inside ``(depth, rows, columns)``.

    Large windows are looked at in every second row and column only: outlines of organs are smooth.
    """
    sparse = min(len(rows), len(columns)) >= LARGE
    shape = (len(depth), len(rows), len(columns))
    if sparse:
        rows, columns = (axis[0] + torch.arange(0, len(axis) + 1, 2, device=axis.device) for axis in (rows, columns))
    source = frustum.source(device)
    ray = frustum.directions(rows[:, None], columns[None])
    every = max(1, CHUNK // max(1, ray.shape[0] * ray.shape[1]))
    distance = torch.cat(
        [structure.signed_distance(source + part[:, None, None, None] * ray) for part in depth.split(every)]
    )
    if sparse:
        size = (2 * len(rows) - 1, 2 * len(columns) - 1)
        distance = functional.interpolate(distance[None], size=size, mode="bilinear", align_corners=True)[0]
        distance = distance[:, : shape[1], : shape[2]]
    return inside_shares(distance, soft)


@dataclass(frozen=True)
class Blocks:
    """How the fine lattice is cut: ``side`` cells square and ``steps`` steps of ``step`` mm deep.

    Distances are worked out at ``knots`` × ``knots`` rays of a block, its edges among them, and interpolated to its
    cells: a distance is far smoother than what is made of it.
    """

    side: int = 8
    steps: int = 4
    step: float = 1.5
    knots: int = 4

    @property
    def depth(self) -> float:
        """mm of depth of a block."""
        return self.steps * self.step

    @cached_property
    def places(self) -> Array:
        """Where the knots lie ``(knots,)``, cells counted from the block's first."""
        return np.linspace(-0.5, self.side - 0.5, self.knots)

    def spread(self, device: torch.device) -> Tensor:
        """Weights ``(knots², side²)`` of the knots at the cells: a polynomial through the knots along both sides."""
        at = np.arange(self.side)[None]
        weights = np.ones((self.knots, self.side))
        for index, place in enumerate(self.places):
            others = np.delete(self.places, index)[:, None]
            weights[index] = ((at - others) / (place - others)).prod(0)
        return torch.as_tensor(np.kron(weights, weights), dtype=torch.float32, device=device)


GROUP = 4
"""Blocks are looked for in groups of this many along each axis."""
UNEVEN = 1.6
"""Away from its surface a shape's distance may be off by this factor …"""
NEARLY_TRUE = 1.05
"""… and near it by this one."""


def add_excess(structure: Structure, frustum: Frustum, profile: Profile, blocks: Blocks, image: Tensor) -> None:
    """Add a structure's line integrals (mm times the profile's density) to ``image[row, column]`` of the frustum.

    The image's sides are multiples of ``blocks.side`` (`blocked_shape`).
    """
    window = frustum.window(structure.bounds, 2.0)
    if window is None:
        return
    near = window.near - blocks.step
    groups = _every_group(window, blocks, near, image.device)
    distance = _alone(structure, _points(frustum, groups, blocks, near, GROUP))
    groups = groups[distance < UNEVEN * _half_diagonal(frustum, blocks, GROUP, window.far) + 0.5]
    reach = _half_diagonal(frustum, blocks, 1, window.far)
    for some in groups.split(max(1, CHUNK // GROUP**3)):
        lattice, held = _split(some, window, blocks, near)
        distance = _alone(structure, _points(frustum, lattice, blocks, near, 1))
        deep = held & (distance < -NEARLY_TRUE * reach - profile.thickness)
        _add_deep(frustum, lattice[deep], blocks, profile.core, image)
        held &= (distance < NEARLY_TRUE * reach + profile.soft / 2) & ~deep
        if bool(held.any()):
            _add_near(structure, frustum, profile, blocks, lattice[held], near, image)


def _alone(structure: Structure, points: Tensor) -> Tensor:
    """mm ``(...)`` of points ``(..., 3)`` that are no neighbours, and are not looked at as such."""
    return structure.signed_distance(points.reshape(-1, 1, 3)).reshape(points.shape[:-1])


def blocked_shape(frustum: Frustum, blocks: Blocks) -> tuple[int, int]:
    """`Frustum.shape` rounded up to whole blocks."""
    rows, columns = (-(-n // blocks.side) * blocks.side for n in frustum.shape)
    return rows, columns


def _every_group(window: Window, blocks: Blocks, near: float, device: torch.device) -> Tensor:
    """First blocks ``(layers, rows, columns, 3)`` of the groups that cover the window: depth, row, column, counted in
    blocks."""
    side = blocks.side
    layers = int((window.far + blocks.step - near) / blocks.depth) + 1
    ranges = (
        torch.arange(0, layers, GROUP, device=device),
        torch.arange(window.top // side, (window.bottom - 1) // side + 1, GROUP, device=device),
        torch.arange(window.left // side, (window.right - 1) // side + 1, GROUP, device=device),
    )
    return torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1)


def _split(groups: Tensor, window: Window, blocks: Blocks, near: float) -> tuple[Tensor, Tensor]:
    """The blocks ``(n, GROUP³, 3)`` of groups ``(n, 3)``, and which of them lie in the window."""
    inside = torch.arange(GROUP, device=groups.device)
    found = groups[:, None] + torch.cartesian_prod(inside, inside, inside)
    side = blocks.side
    fits = (found[..., 1] <= (window.bottom - 1) // side) & (found[..., 2] <= (window.right - 1) // side)
    return found, fits & (found[..., 0] * blocks.depth + near < window.far + blocks.step)


def _points(frustum: Frustum, lattice: Tensor, blocks: Blocks, near: float, size: int) -> Tensor:
    """Middles ``(..., 3)`` of blocks (or of groups of ``size``)."""
    at = lattice.float() + size / 2
    ray = frustum.directions(at[..., 1] * blocks.side - 0.5, at[..., 2] * blocks.side - 0.5)
    return frustum.source(lattice.device) + (at[..., 0] * blocks.depth + near)[..., None] * ray


def _half_diagonal(frustum: Frustum, blocks: Blocks, size: int, far: float) -> float:
    width = blocks.side * frustum.cell_at(far)
    return size / 2 * float((2 * width**2 + blocks.depth**2) ** 0.5)


def _cells(lattice: Tensor, blocks: Blocks) -> tuple[Tensor, Tensor]:
    """Rows and columns ``(n, side, side)`` of the cells of blocks."""
    inside = torch.arange(blocks.side, device=lattice.device)
    rows = (lattice[:, 1, None] * blocks.side + inside)[:, :, None].expand(-1, -1, blocks.side)
    columns = (lattice[:, 2, None] * blocks.side + inside)[:, None, :].expand(-1, blocks.side, -1)
    return rows, columns


def _add_deep(frustum: Frustum, lattice: Tensor, blocks: Blocks, core: float, image: Tensor) -> None:
    if len(lattice) and core:
        rows, columns = _cells(lattice, blocks)
        slant = frustum.slant(rows, columns)
        image.view(-1).index_add_(
            0, (rows * image.shape[1] + columns).reshape(-1), (slant * core * blocks.depth).reshape(-1)
        )


def _add_near(
    structure: Structure,
    frustum: Frustum,
    profile: Profile,
    blocks: Blocks,
    lattice: Tensor,
    near: float,
    image: Tensor,
) -> None:
    device = lattice.device
    source, spread = frustum.source(device), blocks.spread(device)
    planes = torch.arange(blocks.steps + 1, dtype=torch.float32, device=device) * blocks.step
    places = torch.as_tensor(blocks.places, dtype=torch.float32, device=device)
    cells = blocks.side**2 * (blocks.steps + 1)
    for part in lattice.split(max(1, CHUNK // cells)):
        at = (part[:, 1:] * blocks.side).float()
        ray = frustum.directions(at[:, 0, None, None] + places[:, None], at[:, 1, None, None] + places)
        depth = (part[:, 0, None] * blocks.depth + near + planes)[:, :, None, None]
        points = source + depth * ray.reshape(len(part), 1, -1, 3)
        knots = structure.signed_distance(points.reshape(len(part), -1, 3)).reshape(points.shape[:-1])
        deep = knots.amax((1, 2)) < -profile.thickness - profile.soft / 2
        _add_deep(frustum, part[deep], blocks, profile.core, image)
        cut = ~deep & (knots.amin((1, 2)) < profile.soft / 2)
        if bool(cut.any()):
            rows, columns = _cells(part[cut], blocks)
            mean = profile.means(knots[cut] @ spread).sum(1)
            length = mean * frustum.slant(rows, columns).flatten(1) * blocks.step
            image.view(-1).index_add_(0, (rows * image.shape[1] + columns).reshape(-1), length.reshape(-1))
