"""Line integrals of the scene: soft tissue painted along the rays, bone and metal added block by block.

Soft tissue varies slowly and covers one another: it is laid in painting order on a coarse lattice of rays. Bone is
sharp and thin-walled: what it holds *beyond* the soft tissue around it is integrated on a fine lattice, only in blocks
near its surface; deep inside, a block's integral is its depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from numbering.phantom.imaging.film.frustum import Frustum, Window
from numbering.phantom.imaging.film.profile import Profile, inside_share
from numbering.phantom.scene.structure import Structure

CHUNK = 120_000
"""Points of one call to a signed distance: what stays in a core's cache."""


def paint_soft(
    structures: Iterable[Structure],
    frustum: Frustum,
    step: float,
    composition: Callable[[int], tuple[float, ...] | None],
    channels: int,
    window: Window,
    device: torch.device | str,
) -> Tensor:
    """A volume ``(channels, depth, rows, columns)`` of what fills the rays, later structures over earlier ones.

    ``composition`` gives a label's channels (None: it is no soft tissue); depths run from ``window.near`` in ``step``s.
    """
    steps = max(1, round((window.far - window.near) / step))
    volume = torch.zeros((channels, steps, *window.shape), dtype=torch.float32, device=device)
    soft = frustum.cell_at((window.near + window.far) / 2)
    for structure in structures:
        filling = composition(structure.label)
        found = frustum.window(structure.bounds, soft) if filling is not None else None
        part = _shared(found, window, step, steps) if found else None
        if filling is None or part is None:
            continue
        first, last, top, bottom, left, right = part
        rows, columns, depth = _axes(frustum, window, step, part, device)
        share = _shares(structure, frustum, rows, columns, depth, soft, device)
        view = volume[:, first:last, top:bottom, left:right]
        colour = torch.tensor(filling, dtype=torch.float32, device=device)[:, None, None, None]
        view.lerp_(colour.expand_as(view), share[None].expand_as(view))
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
    """Share of each interval of depth that is inside ``(depth, rows, columns)``."""
    source = frustum.source(device)
    ray = frustum.directions(rows[:, None].expand(-1, len(columns)), columns[None].expand(len(rows), -1))
    every = max(1, CHUNK // max(1, ray.shape[0] * ray.shape[1]))
    distances = [structure.signed_distance(source + part[:, None, None, None] * ray) for part in depth.split(every)]
    distance = torch.cat(distances)
    return inside_share(distance[:-1], distance[1:], soft)


@dataclass(frozen=True)
class Blocks:
    """How the fine lattice is cut: ``side`` cells square and ``steps`` steps of ``step`` mm deep."""

    side: int = 8
    steps: int = 4
    step: float = 1.5

    @property
    def depth(self) -> float:
        """mm of depth of a block."""
        return self.steps * self.step


GROUP = 4
"""Blocks are looked for in groups of this many along each axis."""
UNEVEN = 1.6
"""Away from its surface a shape's distance may be off by this factor …"""
NEARLY_TRUE = 1.15
"""… and near it by this one."""


def add_excess(structure: Structure, frustum: Frustum, profile: Profile, blocks: Blocks, image: Tensor) -> None:
    """Add a structure's line integrals (mm times the profile's density) to ``image[row, column]`` of the frustum.

    The image's sides are multiples of ``blocks.side`` (`blocked_shape`).
    """
    window = frustum.window(structure.bounds, 2.0)
    if window is None:
        return
    device = image.device
    near = window.near - blocks.step
    lattice = _every_block(window, blocks, near, device)
    for size in (GROUP, 1):
        if size != GROUP:
            lattice = _split(lattice, window, blocks, near)
        if not len(lattice):
            return
        centre = _points(frustum, lattice, blocks, near, size)
        reach = _half_diagonal(frustum, blocks, size, window.far)
        distance = torch.cat([structure.signed_distance(part) for part in centre.split(CHUNK)])
        if size == 1:
            deep = distance < -NEARLY_TRUE * reach - profile.thickness
            _add_deep(frustum, lattice[deep], blocks, profile.core, image)
            lattice = lattice[(distance < NEARLY_TRUE * reach + profile.soft) & ~deep]
        else:
            lattice = lattice[distance < UNEVEN * reach + 0.5]
    if len(lattice):
        _add_near(structure, frustum, profile, blocks, lattice, near, image)


def blocked_shape(frustum: Frustum, blocks: Blocks) -> tuple[int, int]:
    """`Frustum.shape` rounded up to whole blocks."""
    rows, columns = (-(-n // blocks.side) * blocks.side for n in frustum.shape)
    return rows, columns


def _every_block(window: Window, blocks: Blocks, near: float, device: torch.device) -> Tensor:
    """Groups of blocks ``(n, 3)`` that cover the window: depth, row, column, counted in blocks."""
    side = blocks.side
    layers = int((window.far + blocks.step - near) / blocks.depth) + 1
    ranges = (
        torch.arange(0, layers, GROUP, device=device),
        torch.arange(window.top // side, (window.bottom - 1) // side + 1, GROUP, device=device),
        torch.arange(window.left // side, (window.right - 1) // side + 1, GROUP, device=device),
    )
    return torch.cartesian_prod(*ranges)


def _split(groups: Tensor, window: Window, blocks: Blocks, near: float) -> Tensor:
    """The blocks of these groups, as far as they lie in the window."""
    inside = torch.arange(GROUP, device=groups.device)
    found = (groups[:, None] + torch.cartesian_prod(inside, inside, inside)[None]).reshape(-1, 3)
    side = blocks.side
    fits = (found[:, 1] <= (window.bottom - 1) // side) & (found[:, 2] <= (window.right - 1) // side)
    return found[fits & (found[:, 0] * blocks.depth + near < window.far + blocks.step)]


def _points(frustum: Frustum, lattice: Tensor, blocks: Blocks, near: float, size: int) -> Tensor:
    """Middles ``(n, 3)`` of blocks (or of groups of ``size``)."""
    at = lattice.float() + size / 2
    ray = frustum.directions(at[:, 1] * blocks.side - 0.5, at[:, 2] * blocks.side - 0.5)
    return frustum.source(lattice.device) + (at[:, 0] * blocks.depth + near)[:, None] * ray


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
        slant = frustum.directions(rows.float(), columns.float()).norm(dim=-1)
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
    source = frustum.source(lattice.device)
    planes = torch.arange(blocks.steps + 1, dtype=torch.float32, device=lattice.device) * blocks.step
    for part in lattice.split(max(1, CHUNK // (blocks.side**2 * (blocks.steps + 1)))):
        rows, columns = _cells(part, blocks)
        ray = frustum.directions(rows.float(), columns.float())[:, None]
        depth = (part[:, 0, None] * blocks.depth + near + planes)[:, :, None, None, None]
        distance = structure.signed_distance(source + depth * ray)
        mean = profile.mean(distance[:, :-1], distance[:, 1:]).sum(1)
        length = mean * ray[:, 0].norm(dim=-1) * blocks.step
        image.view(-1).index_add_(0, (rows * image.shape[1] + columns).reshape(-1), length.reshape(-1))
