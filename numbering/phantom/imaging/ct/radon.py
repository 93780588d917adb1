"""Parallel projections of slices, and filtered back-projection of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad


def angles(count: int, device: torch.device | str) -> Tensor:
    """``count`` directions of half a turn, radians; at 0 rays run along rows' columns (front to back)."""
    return torch.arange(count, device=device, dtype=torch.float32) * (math.pi / count)


def project(slices: Tensor, pitch_mm: float, directions: Tensor) -> Tensor:
    """Line integrals ``(n, directions, columns)`` of square slices ``(n, columns, columns)``; detector as the columns.

    Detector coordinate of a point: ``x cos + y sin``, from the middle.
    """
    count = slices.shape[0]
    found = []
    for angle in directions.tolist():
        c, s = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[[c, -s, 0.0], [s, c, 0.0]]], device=slices.device)
        grid = affine_grid(turn, [1, count, *slices.shape[1:]], align_corners=False)
        found.append(grid_sample(slices[None], grid, align_corners=False)[0].sum(1))
    return torch.stack(found, 1) * pitch_mm


def filtered(sinogram: Tensor, pitch_mm: float) -> Tensor:
    """The sinogram ``(n, directions, detectors)`` after the ramp filter, softly cut off at half its range."""
    detectors = sinogram.shape[-1]
    size = 2 * detectors
    frequency = torch.fft.rfftfreq(size, pitch_mm, device=sinogram.device)
    limit = 0.5 / pitch_mm
    ramp = frequency * torch.cos(0.5 * math.pi * (frequency / limit).clamp(max=1))
    return torch.fft.irfft(torch.fft.rfft(sinogram, size) * ramp, size)[..., :detectors]


def back_project(sinogram: Tensor, pitch_mm: float, directions: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sum over half a turn ``(n, …)`` at places ``x`` and ``y`` mm from the middle; of `filtered` values an image."""
    count, _, detectors = sinogram.shape
    padded = pad(sinogram, (0, 1))
    total = torch.zeros(count, *x.shape, device=sinogram.device)
    for index, angle in enumerate(directions.tolist()):
        place = (x * math.cos(angle) + y * math.sin(angle)) / pitch_mm + (detectors - 1) / 2
        place = place.clamp(0, detectors - 1)
        low = place.floor().long()
        row = padded[:, index]
        total += torch.lerp(row[:, low], row[:, low + 1], place - low)
    return total * (math.pi / len(directions))
