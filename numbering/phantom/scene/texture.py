"""Smooth random fields in patient coordinates: texture of organs and marrow, streaks of fat, stool.

A seeded, periodic tile of band-limited noise is sampled with a random turn and offset, so the same seed gives the same
value at the same place whatever the slice, and no repetition lines up with the anatomy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

_SIDE = 72
_GRAIN = 4.0
"""Samples of the tile per ``size_mm``."""


def texture(points: Tensor, seed: int, size_mm: float | tuple[float, float, float], octaves: int = 1) -> Tensor:
    """Zero-mean, unit-SD noise ``(...)`` at points ``(..., 3)`` mm.

    ``size_mm`` is the distance from a bright spot to the next, along x, y, z where three are given; every further
    octave adds half the size at half the strength.
    """
    size = torch.tensor(np.broadcast_to(np.asarray(size_mm, np.float32), 3).copy(), device=points.device)
    whole = torch.zeros(points.shape[:-1], device=points.device)
    for octave in range(octaves):
        whole += _sampled(points / size, seed, octave) * 0.5**octave
    return whole / float(np.sqrt(sum(0.25**octave for octave in range(octaves))))


def _sampled(points: Tensor, seed: int, octave: int) -> Tensor:
    tile, turn, offset = _tile(seed, octave, str(points.device))
    where = points.reshape(-1, 3) @ turn + offset
    where = (where - where.floor()) * (2 * _SIDE / (_SIDE + 1)) - 1 + 1 / (_SIDE + 1)
    found = functional.grid_sample(tile, where[None, :, None, None], padding_mode="border", align_corners=False)
    return found.reshape(points.shape[:-1])


@lru_cache(maxsize=32)
def _tile(seed: int, octave: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng([seed, octave, 0x7E])
    frequency = np.fft.fftfreq(_SIDE) * _GRAIN  # waves per size
    far = np.sqrt(sum(np.meshgrid(frequency**2, frequency**2, frequency[: _SIDE // 2 + 1] ** 2, indexing="ij")))
    band = np.exp(-(((far - 0.8) / 0.35) ** 2))
    noise = np.fft.irfftn(np.fft.rfftn(rng.normal(size=(_SIDE,) * 3)) * band, s=(_SIDE,) * 3, axes=(0, 1, 2))
    noise /= _between(noise).std()
    closed = torch.as_tensor(np.pad(noise, (0, 1), mode="wrap")[None, None], dtype=torch.float32, device=device)
    turn = Rotation.random(random_state=rng).as_matrix() * (2.0**octave * _GRAIN / _SIDE)
    offset = rng.uniform(0, 1, 3)
    return (
        closed,
        torch.as_tensor(turn, dtype=torch.float32, device=device),
        torch.as_tensor(offset, dtype=torch.float32, device=device),
    )


def _between(noise: np.ndarray) -> np.ndarray:
    """The tile half way between its samples and on them: interpolation takes variance away."""
    found = [noise]
    for axis in range(3):
        found.append((noise + np.roll(noise, 1, axis)) / 2)
    middle = noise
    for axis in range(3):
        middle = (middle + np.roll(middle, 1, axis)) / 2
    return np.stack([*found, middle])
