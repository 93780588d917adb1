"""Bone as weighted points: tubes and sheets with a hard wall and a soft core.

A `Cloud` can be projected on a film from any side, or dropped into a voxel grid; one model serves every modality.
Attenuation is what bone adds to soft tissue, per mm at about 80 kV; a point's ``mass`` is attenuation times volume
(mm², as 1/mm · mm³).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

CORTEX = 0.050
TRABECULAR = 0.0085
WATER = 0.0195
"""Attenuation of soft tissue itself, 1/mm; air is taken as none."""

WALL_PITCH = 0.5
CORE_PITCH = 0.8


@dataclass(frozen=True)
class Cloud:
    """Points ``(n, 3)`` mm with ``mass (n,)``."""

    points: Array
    mass: Array


def merged(clouds: Iterable[Cloud]) -> Cloud:
    """All of them as one."""
    every = list(clouds)
    return Cloud(np.concatenate([cloud.points for cloud in every]), np.concatenate([cloud.mass for cloud in every]))


def tube(
    path: ArrayLike,
    radii: ArrayLike,
    first_axis: ArrayLike,
    *,
    wall: float,
    core: float = TRABECULAR,
    exponent: float = 2.0,
    wall_mu: float = CORTEX,
    rounded: float = 0.0,
    wall_pitch: float = WALL_PITCH,
    core_pitch: float = CORE_PITCH,
) -> Cloud:
    """A bone along a path ``(n, 3)`` whose cross-section is a superellipse of ``radii (n, 2)``.

    The first radius points along ``first_axis`` made square to the path. ``wall`` is the cortex's thickness in mm
    (0: none), ``core`` the attenuation inside. Over the last ``rounded`` mm at either end the tube closes like a dome.
    """
    centre, radius, axes, step = _stations(np.asarray(path, float), np.asarray(radii, float), first_axis, rounded)
    parts = []
    if wall > 0:
        parts.append(_wall(centre, radius, axes, exponent, wall * wall_mu, wall_pitch))
    if core != 0:
        parts.append(_core(centre, radius, axes, step, exponent, core, core_pitch))
    return merged(parts)


def disc(radii: tuple[float, float], exponent: float, pitch: float = WALL_PITCH) -> tuple[Array, float]:
    """A lattice ``(n, 2)`` that fills a superellipse, and the area that each point stands for."""
    across, along = (np.arange(-r + pitch / 2, r, pitch) for r in radii)
    lattice = np.stack(np.meshgrid(across, along, indexing="ij"), -1).reshape(-1, 2)
    inside = (np.abs(lattice / radii) ** exponent).sum(1) <= 1
    return lattice[inside], pitch**2


def sheet(
    rows: Array, thickness: float, mu: float = CORTEX, pitch: float = 0.8, facing: ArrayLike | None = None
) -> Cloud:
    """A plate through ``rows (n, m, 3)`` (n curves of m points), refined to the pitch.

    ``thickness`` is measured along the plate's normal, or along the unit vector ``facing``.
    """
    surface = _refined(_refined(rows, pitch, 0), pitch, 1)
    along, across = np.gradient(surface, axis=0), np.gradient(surface, axis=1)
    normal = np.cross(along, across)
    area = np.linalg.norm(normal, axis=2) if facing is None else np.abs(normal @ np.asarray(facing, float))
    return Cloud(surface.reshape(-1, 3), (area * thickness * mu).ravel())


def _refined(rows: Array, pitch: float, axis: int) -> Array:
    length = np.linalg.norm(np.diff(rows, axis=axis), axis=2).sum(axis).max()
    old = np.linspace(0, 1, rows.shape[axis])
    new = np.linspace(0, 1, max(2, int(length / pitch)))
    moved = np.moveaxis(rows, axis, 0)
    low = np.clip(np.searchsorted(old, new) - 1, 0, len(old) - 2)
    share = ((new - old[low]) / (old[low + 1] - old[low]))[:, None, None]
    return np.moveaxis(moved[low] * (1 - share) + moved[low + 1] * share, 0, axis)


def _stations(path: Array, radii: Array, first_axis: ArrayLike, rounded: float) -> tuple[Array, Array, Array, float]:
    """The path cut into equal steps: centres, radii, cross-section axes ``(n, 2, 3)`` and the step's length."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    count = max(4, round(lengths[-1] / WALL_PITCH))
    step = lengths[-1] / count
    at = (np.arange(count) + 0.5) * step
    centre = np.stack([np.interp(at, lengths, path[:, i]) for i in range(3)], 1)
    radius = np.stack([np.interp(at, lengths, radii[:, i]) for i in range(2)], 1)
    if rounded > 0:
        from_end = np.minimum(at, lengths[-1] - at) / rounded
        radius *= np.sqrt(np.clip(1 - np.clip(1 - from_end, 0, 1) ** 2, 0.01, 1))[:, None]
    tangent = np.gradient(centre, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    first = np.asarray(first_axis, float) - (tangent @ np.asarray(first_axis, float))[:, None] * tangent
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return centre, radius, np.stack([first, np.cross(tangent, first)], 1), float(step)


def _wall(centre: Array, radius: Array, axes: Array, exponent: float, sheet_mu: float, pitch: float) -> Cloud:
    count = max(10, int(2 * np.pi * radius.max() / pitch))
    angle = np.arange(count) * 2 * np.pi / count
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)
    unit = np.sign(unit) * np.abs(unit) ** (2 / exponent)
    own = unit[None] * radius[:, None]
    surface = centre[:, None] + own @ axes
    along = np.gradient(surface, axis=0)
    around = (np.roll(surface, -1, 1) - np.roll(surface, 1, 1)) / 2
    area = np.linalg.norm(np.cross(along, around), axis=2)
    return Cloud(surface.reshape(-1, 3), area.ravel() * sheet_mu)


def _core(centre: Array, radius: Array, axes: Array, step: float, exponent: float, core: float, pitch: float) -> Cloud:
    every = max(1, round(pitch / step))
    centre, radius, axes = centre[every // 2 :: every], radius[every // 2 :: every], axes[every // 2 :: every]
    cells = max(3, int(2 * radius.max() / pitch))
    unit, cell = disc((1, 1), exponent, 2 / cells)
    points = centre[:, None] + (unit[None] * radius[:, None]) @ axes
    volume = radius[:, 0] * radius[:, 1] * cell * step * every
    return Cloud(points.reshape(-1, 3), np.repeat(volume * core, len(unit)))
