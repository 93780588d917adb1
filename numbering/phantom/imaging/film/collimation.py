"""Shutters: the exposed part of the detector, sometimes turned a little against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.film.geometry import Array, Beam

Outside = Literal["open", "black", "white"]
"""What is under the shutters: nothing is (``open``), software blackened it, or it stayed unexposed, which is white."""


@dataclass(frozen=True, kw_only=True)
class Shutters:
    """The exposed field in mm on the detector, against its middle: ``across`` and ``down`` from … to; and its turn."""

    across: tuple[float, float]
    down: tuple[float, float]
    turn: float
    outside: Outside
    penumbra_mm: float = 0.8
    wide_open: bool = False
    """Whether no blade reaches the film."""

    def _inside_mm(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """Distances to the four blades of points given in mm against the detector's middle, positive in the field."""
        c, s = float(np.cos(np.radians(self.turn))), float(np.sin(np.radians(self.turn)))
        u, v = x * c + y * s, y * c - x * s
        return u - self.across[0], self.across[1] - u, v - self.down[0], self.down[1] - v

    def corners(self, beam: Beam) -> Array:
        """Image points ``(4, 2)`` of the field's corners, also where they lie off the detector."""
        c, s = np.cos(np.radians(self.turn)), np.sin(np.radians(self.turn))
        (left, right), (top, bottom) = self.across, self.down
        u, v = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]).T
        middle = (np.array([beam.columns, beam.rows]) - 1) / 2
        return np.column_stack([u * c - v * s, u * s + v * c]) / beam.pitch + middle

    def aperture(self, beam: Beam, device: torch.device | str, factor: int = 1) -> Tensor:
        """1 in the field, 0 under the shutters, penumbra between ``(rows, columns)``; in cells of ``factor`` pixels."""
        cell, counts = beam.pitch * factor, [-(-n // factor) for n in (beam.rows, beam.columns)]
        y, x = (
            (torch.arange(count, dtype=torch.float32, device=device) + 0.5) * cell - n * beam.pitch / 2
            for count, n in zip(counts, (beam.rows, beam.columns), strict=True)
        )
        if self.wide_open:
            return torch.ones(counts, device=device)
        edges = self._inside_mm(x[None, :], y[:, None])
        nearest = torch.minimum(torch.minimum(edges[0], edges[1]), torch.minimum(edges[2], edges[3]))
        return (nearest / max(self.penumbra_mm, cell) + 0.5).clamp_(0, 1)


def contains(corners: Array, points: Array) -> bool:
    """Whether image points ``(n, 2)`` all lie in the field with these corners ``(4, 2)``, whichever way round."""
    sides = np.roll(corners, -1, axis=0) - corners
    offset = points[:, None] - corners[None]
    turn = sides[:, 0] * offset[..., 1] - sides[:, 1] * offset[..., 0]
    return bool((turn >= 0).all() or (turn <= 0).all())


def wide_open(beam: Beam) -> Shutters:
    """No shutter on the film."""
    width, height = beam.columns * beam.pitch, beam.rows * beam.pitch
    return Shutters(across=(-width, width), down=(-height, height), turn=0.0, outside="open", wide_open=True)


def drawn(beam: Beam, keep: Array, rng: np.random.Generator, often: float) -> Shutters:
    """Shutters as a technologist sets them, around image points ``keep`` ``(n, 2)`` that must stay on the film."""
    if rng.random() >= often:
        return wide_open(beam)
    half = np.array([beam.columns, beam.rows]) * beam.pitch / 2
    at = (keep - (np.array([beam.columns, beam.rows]) - 1) / 2) * beam.pitch
    low, high = np.maximum(at.min(0), -half), np.minimum(at.max(0), half)
    side = [float(rng.uniform(25, 95)) for _ in range(4)]
    closed = rng.random(4) < (0.85, 0.85, 0.35, 0.35)
    return Shutters(
        across=(
            float(low[0] - side[0]) if closed[0] else -2 * float(half[0]),
            float(high[0] + side[1]) if closed[1] else 2 * float(half[0]),
        ),
        down=(
            float(low[1] - side[2] / 3) if closed[2] else -2 * float(half[1]),
            float(high[1] + side[3] / 3) if closed[3] else 2 * float(half[1]),
        ),
        turn=float(rng.normal(0, 1.2)) if rng.random() < 0.4 else 0.0,
        outside="black" if rng.random() < 0.8 else "white",
    )
