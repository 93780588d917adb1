"""Solids described by cross-sections at heights: for each, a centre and a radius in every direction.

Trunk, muscles, lungs and vertical vessels are all stacks: areas can be given exactly, and every outline that is seen
whole from its centre can be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from torch import Tensor
from torch.nn import functional

from numbering.phantom.scene.grid import Array, Bounds

DIRECTIONS = 96
ANGLES = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
"""0 towards the patient's left (+x), then +y, the back."""
STEP_MM = 3.0


@dataclass(frozen=True, eq=False)
class Stack:
    """``radius (n, DIRECTIONS)`` about ``centre (n, 2)`` at heights ``low + i · step``."""

    label: int
    low: float
    step: float
    centre: Array
    radius: Array

    @property
    def high(self) -> float:
        """Height of the last cross-section."""
        return self.low + self.step * (len(self.centre) - 1)

    @cached_property
    def bounds(self) -> Bounds:
        """The outline's box and 3 mm."""
        ring = self.outline()
        low, high = ring.min((0, 1)), ring.max((0, 1))
        return np.array([[*low, self.low], [*high, self.high]]) + [[-3.0], [3.0]]

    def outline(self) -> Array:
        """x and y of the surface ``(n, DIRECTIONS, 2)``."""
        ring = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
        return np.asarray(self.centre[:, None] + self.radius[..., None] * ring)

    def area(self, z: float) -> float:
        """mm² of the cross-section at a height."""
        at = np.clip((z - self.low) / self.step, 0, len(self.centre) - 1)
        areas = 0.5 * (self.radius**2).sum(1) * 2 * np.pi / DIRECTIONS
        return float(np.interp(at, np.arange(len(areas)), areas))

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        table, middle = self._tables(points.device)
        last = len(self.centre) - 1
        z = points[..., 2]
        at = ((z - self.low) / self.step).clamp(0, last)
        row = at.floor().clamp_(max=max(last - 1, 0)).long()
        part = at - row
        across, deep = middle[:, 0], middle[:, 1]
        x = points[..., 0] - torch.lerp(across[row], across[row + 1], part)
        y = points[..., 1] - torch.lerp(deep[row], deep[row + 1], part)
        turn = torch.atan2(y, x) / (2 * np.pi)
        turn = torch.where(turn < 0, turn + 1, turn)
        where = torch.stack([turn.reshape(-1) * 2 - 1, at.reshape(-1) * (2 / last) - 1], 1)[None, None]
        radius, steep = functional.grid_sample(table, where, align_corners=True)[0, :, 0]
        distance = (torch.hypot(x, y) - radius.view_as(x)) * steep.view_as(x)
        beyond = torch.maximum(z - self.high, self.low - z)
        return torch.maximum(distance, beyond)

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._on:
            closed = np.pad(np.stack([self.radius, self._steepness()]), ((0, 0), (0, 0), (0, 1)), mode="wrap")
            table = torch.as_tensor(closed[None], dtype=torch.float32, device=device)
            self._on[device] = table, torch.as_tensor(self.centre, dtype=torch.float32, device=device)
        return self._on[device]

    @cached_property
    def _on(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        return {}

    def _steepness(self) -> Array:
        """1 / |gradient| of (radial distance - radius): turns it into a distance near the surface."""
        around = (np.roll(self.radius, -1, 1) - np.roll(self.radius, 1, 1)) / (4 * np.pi / DIRECTIONS)
        up = np.gradient(self.radius, self.step, axis=0)
        shift = np.gradient(self.centre, self.step, axis=0)
        up = up + shift[:, :1] * np.cos(ANGLES) + shift[:, 1:] * np.sin(ANGLES)
        return np.asarray(1 / np.sqrt(1 + (around / np.maximum(self.radius, 1)) ** 2 + up**2))


def stack(label: int, z: ArrayLike, centre: ArrayLike, radius: ArrayLike, step_mm: float = STEP_MM) -> Stack:
    """A stack through knots: heights ``(k,)`` in any order, centres ``(k, 2)``, radii ``(k, DIRECTIONS)``."""
    heights = np.asarray(z, float)
    order = np.argsort(heights)
    heights, middles, radii = heights[order], np.asarray(centre, float)[order], np.asarray(radius, float)[order]
    count = max(2, round((heights[-1] - heights[0]) / step_mm) + 1)
    at = np.linspace(heights[0], heights[-1], count)
    return Stack(
        label,
        float(at[0]),
        float(at[1] - at[0]),
        PchipInterpolator(heights, middles)(at),
        np.maximum(PchipInterpolator(heights, radii)(at), 0.0),
    )
