"""The cauda equina: where the nerve roots run in the sac of a patient who lies on the back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.pose import Array, Placed, Skeleton

_STEP_MM = 4.0
_RADIUS_MM = 0.62
_LAST_SACRAL_ROOTS = 3


def canal(skeleton: Skeleton) -> tuple[Array, Array]:
    """Middle of the canal ``(n, 3)`` from the highest vertebra into the sacrum, and its half width and half depth
    ``(n, 2)``, mm."""
    middles, sizes = [], []
    for placed in skeleton.vertebrae:
        size = placed.vertebra.size
        middles.append(_behind(placed))
        sizes.append([size.canal_width / 2, size.canal_depth / 2])
    depth = skeleton.patient.sacrum.endplate_depth / 2
    last = sizes[-1]
    for down, back, left in ((-6.0, 9.0, 0.85), (-34.0, 6.0, 0.6), (-62.0, 0.0, 0.35)):
        middles.append(skeleton.sacrum.place(np.array([[0, depth * (1 + down / 120) + back, down]]))[0])
        sizes.append([last[0] * left, last[1] * left])
    return np.array(middles), np.array(sizes)


def _behind(placed: Placed) -> Array:
    size = placed.vertebra.size
    back = (size.upper_depth + size.lower_depth) / 4 + size.canal_depth / 2
    return np.asarray(placed.frame.place(np.array([[0, back, 0.0]]))[0])


class Roots:
    """Nerve roots as curves over height; `cover` says how much of a point is nerve."""

    def __init__(self, skeleton: Skeleton, seed: int, device: torch.device | str = "cpu") -> None:
        rng = np.random.default_rng([seed, 0xCA0D])
        middles, sizes = canal(skeleton)
        self._low = float(middles[:, 2].min())
        heights = np.arange(self._low, middles[:, 2].max(), _STEP_MM)
        order = np.argsort(middles[:, 2])
        ascending, sized = middles[order], sizes[order]
        x, y, wide, deep = (
            np.interp(heights, ascending[:, 2], values)
            for values in (ascending[:, 0], ascending[:, 1], sized[:, 0], sized[:, 1])
        )
        curves = [self._curve(heights, exit_z, side, x, y, wide, deep, rng) for exit_z, side in _exits(skeleton)]
        self._curves = torch.as_tensor(np.stack(curves, 1), dtype=torch.float32, device=device)

    @staticmethod
    def _curve(
        heights: Array,
        exit_z: float,
        side: int,
        x: Array,
        y: Array,
        wide: Array,
        deep: Array,
        rng: np.random.Generator,
    ) -> Array:
        """x, y ``(heights, 2)`` of one root; far away below its exit."""
        above = heights - exit_z
        # A root leaves the dorsal bundle and moves outwards and forwards over the last level before its exit.
        near = np.clip(1 - above / 45.0, 0, 1)
        lateral = side * (0.12 + 0.40 * rng.random() + (0.62 - 0.25 * rng.random()) * near**1.5)
        dorsal = 0.50 + 0.22 * rng.random() - (0.5 + 0.3 * rng.random()) * near
        lateral = np.clip(lateral, -0.78, 0.78)
        dorsal = np.minimum(dorsal, 0.80 * np.sqrt(np.maximum(1 - lateral**2, 0)))
        phase, period = rng.uniform(0, 6.3), rng.uniform(60, 110)
        sway = 0.07 * np.sin(heights / period * 6.283 + phase)
        path = np.stack([x + (lateral + sway) * wide * 0.9, y + dorsal * deep * 0.85], 1)
        path[above < 0] = 1e4
        return np.asarray(path)

    def cover(self, points: Tensor) -> Tensor:
        """0…1 ``(n)`` for points ``(n, 3)`` mm: share of nerve."""
        at = ((points[:, 2] - self._low) / _STEP_MM).clamp(0, len(self._curves) - 1.001)
        row = at.floor().long()
        share = (at - row)[:, None, None]
        curves = torch.lerp(self._curves[row], self._curves[row + 1], share)
        nearest = (curves - points[:, None, :2]).norm(dim=2).amin(1)
        return ((_RADIUS_MM + 0.35 - nearest) / 0.7).clamp(0, 1)


def _exits(skeleton: Skeleton) -> list[tuple[float, int]]:
    """Height at which each root leaves the sac, and its side (-1 right, 1 left); two rootlets (motor, sensory) each."""
    found: list[tuple[float, int]] = []
    for placed in skeleton.vertebrae[-5:]:
        found += [(float(placed.frame.centre[2]), side) for side in (-1, 1) for _ in range(2)]
    for number in range(_LAST_SACRAL_ROOTS):
        deep = skeleton.sacrum.place(np.array([[0, 20.0, -8.0 - 18.0 * number]]))[0]
        found += [(float(deep[2]), side) for side in (-1, 1) for _ in range(2)]
    return found
