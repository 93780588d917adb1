"""Receive sensitivity: coils in the table under the back, so the spine is bright and the belly dark."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numbering.phantom.pose import Array
from numbering.phantom.scene.structure import Grid

_COARSE = 32
_LOOP_RADIUS_MM = 75.0
_APART_MM = 90.0


def sensitivity(grid: Grid, reference: Array, back_y: float, rng: np.random.Generator) -> Tensor:
    """Field ``(rows, columns)`` of a slice: 1 at the ``reference`` point (mm, patient frame) of the spine.

    Loops lie behind the back (``back_y`` mm) in rows along the body; their sum of squares, and the body coil's faint
    even share.
    """
    _, rows, columns = grid.shape
    r = np.linspace(0, rows - 1, _COARSE)
    c = np.linspace(0, columns - 1, _COARSE)
    index = np.stack([np.zeros((_COARSE, _COARSE)), *np.meshgrid(r, c, indexing="ij"), np.ones((_COARSE, _COARSE))])
    points = np.einsum("ij,jrc->rci", grid.affine[:3], index)
    gains = rng.uniform(0.85, 1.15, (3, 16))
    phase = rng.uniform(-0.5, 0.5)
    field = _sum_of_squares(points.reshape(-1, 3), reference, back_y, gains, phase).reshape(_COARSE, _COARSE)
    at_reference = _sum_of_squares(reference[None], reference, back_y, gains, phase)[0]
    coarse = torch.as_tensor(field / at_reference, dtype=torch.float32)[None, None]
    return functional.interpolate(coarse, size=(rows, columns), mode="bicubic", align_corners=True)[0, 0]


def _sum_of_squares(points: Array, reference: Array, back_y: float, gains: Array, phase: float) -> Array:
    total = np.full(len(points), 0.02)
    for across in range(3):
        for along in range(16):
            loop = np.array([(across - 1) * _APART_MM, back_y + 12.0, (along - 7.5 + phase) * _APART_MM])
            away = ((points - loop) ** 2).sum(1)
            total += (gains[across, along] * (1 + away / _LOOP_RADIUS_MM**2) ** -1.5) ** 2
    return np.asarray(np.sqrt(total))


def bent(grid: Grid, strength: float, rng: np.random.Generator) -> Tensor:
    """A further smooth field ``(rows, columns)`` of random direction, about 3 to the power of ``strength`` across."""
    _, rows, columns = grid.shape
    coarse = torch.as_tensor(rng.normal(0, 0.55 * strength, (1, 1, 4, 4)), dtype=torch.float32)
    return functional.interpolate(coarse, size=(rows, columns), mode="bicubic", align_corners=True)[0, 0].exp()


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with a standard deviation in pixels."""
    reach = max(1, int(3 * sigma))
    offset = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offset / max(sigma, 1e-3)) ** 2)
    kernel = kernel / kernel.sum()
    found = functional.conv2d(image[None, None], kernel[None, None, :, None], padding=(reach, 0))
    return functional.conv2d(found, kernel[None, None, None], padding=(0, reach))[0, 0]
