"""Rounded solids seen whole from their middle: kidneys, liver, heart. An ellipsoid with smooth bumps and dents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from numbering.phantom.scene.grid import Array, Bounds

_AROUND, _DOWN = 48, 25
_AZIMUTH = np.arange(_AROUND) * 2 * np.pi / _AROUND
_POLAR = np.linspace(0, np.pi, _DOWN)
DIRECTION = np.stack(
    [
        np.sin(_POLAR)[:, None] * np.cos(_AZIMUTH),
        np.sin(_POLAR)[:, None] * np.sin(_AZIMUTH),
        np.broadcast_to(np.cos(_POLAR)[:, None], (_DOWN, _AROUND)),
    ],
    -1,
)
"""Unit vectors ``(down, around, 3)`` of the table, in the blob's own axes."""


@dataclass(frozen=True, eq=False)
class Blob:
    """``radius (down, around)`` about ``centre (3,)``; ``rotation`` (3, 3) from its own axes to the patient's."""

    label: int
    centre: Array
    rotation: Array
    radius: Array

    @cached_property
    def bounds(self) -> Bounds:
        """The surface's box and 3 mm."""
        surface = (self.radius[..., None] * DIRECTION) @ self.rotation.T + self.centre
        return np.stack([surface.min((0, 1)) - 3, surface.max((0, 1)) + 3])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        device = points.device
        centre = torch.as_tensor(self.centre, dtype=torch.float32, device=device)
        rotation = torch.as_tensor(self.rotation, dtype=torch.float32, device=device)
        x, y, z = ((points - centre) @ rotation).unbind(-1)
        flat = torch.hypot(x, y)
        turn = torch.atan2(y, x) / (2 * np.pi)
        turn = torch.where(turn < 0, turn + 1, turn)
        polar = torch.atan2(flat, z) / np.pi
        where = torch.stack([turn.reshape(-1), polar.reshape(-1)], 1)[None, None] * 2 - 1
        radius, steep = functional.grid_sample(self._table(device), where, align_corners=True)[0, :, 0]
        return (torch.hypot(flat, z) - radius.view_as(x)) * steep.view_as(x)

    def _table(self, device: torch.device) -> Tensor:
        if device not in self._on:
            closed = np.pad(np.stack([self.radius, self._steepness()]), ((0, 0), (0, 0), (0, 1)), mode="wrap")
            self._on[device] = torch.as_tensor(closed[None], dtype=torch.float32, device=device)
        return self._on[device]

    @cached_property
    def _on(self) -> dict[torch.device, Tensor]:
        return {}

    def _steepness(self) -> Array:
        around = (np.roll(self.radius, -1, 1) - np.roll(self.radius, 1, 1)) / (4 * np.pi / _AROUND)
        around = around / np.maximum(np.sin(_POLAR), 0.2)[:, None]
        down = np.gradient(self.radius, _POLAR, axis=0)
        return np.asarray(1 / np.sqrt(1 + (around**2 + down**2) / self.radius**2))


def blob(
    label: int,
    centre: ArrayLike,
    half_axes: ArrayLike,
    rotation: Array | None = None,
    *,
    power: float = 2.0,
    bumps: float = 0.0,
    rng: np.random.Generator | None = None,
    dent: Callable[[Array], Array] | None = None,
) -> Blob:
    """An ellipsoid (boxier with a higher ``power``) whose radius is multiplied by smooth bumps of that relative size
    and by ``dent(directions (down, around, 3))``."""
    radius = ((np.abs(DIRECTION / np.asarray(half_axes, float)) ** power).sum(-1)) ** (-1 / power)
    if bumps and rng is not None:
        radius = radius * (1 + bumps * _waves(rng))
    if dent is not None:
        radius = radius * dent(DIRECTION)
    return Blob(label, np.asarray(centre, float), np.eye(3) if rotation is None else rotation, radius)


def _waves(rng: np.random.Generator, count: int = 8) -> Array:
    """A smooth random function of the direction, of about unit size."""
    vectors = rng.normal(0, 2.2, (count, 3))
    phases = rng.uniform(0, 2 * np.pi, count)
    return np.asarray(np.cos(DIRECTION @ vectors.T + phases).sum(-1) * np.sqrt(2 / count))


def dented(towards: ArrayLike, depth: float, width: float) -> Callable[[Array], Array]:
    """A hollow on the side of a direction: the share of the radius it takes, and how wide it is (radians)."""
    unit = np.asarray(towards, float) / np.linalg.norm(towards)

    def dent(direction: Array) -> Array:
        angle = np.arccos(np.clip(direction @ unit, -1, 1))
        return np.asarray(1 - depth * np.exp(-((angle / width) ** 2)))

    return dent
