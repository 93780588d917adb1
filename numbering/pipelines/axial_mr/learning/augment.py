"""Pictures zoomed, turned and shifted (the paper's three), and developed otherwise, a whole batch at a time.

Pictures ``(n, 1, side, side)`` are float 0…1, on their own device; what comes in from beyond their edges is black.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ZOOM, DEGREES, SHIFT = (0.85, 1.18), 12.0, 0.08
"""Ranges of zoom, of rotation to either side, and of shifts as a share of the side."""
GAMMA, SHADING, NOISE = 0.3, 0.35, 0.05
"""Strengths: of the exponent (SD of its logarithm), of a slow field (the same), most of the noise's SD."""
NARROW_SHARE, NARROW = 0.3, (0.6, 1.0)
"""How often a smaller field of view is pretended, and its side as a share."""
BLURRED_SHARE = 0.25
SHADING_KNOTS = 4


def augmented(images: Tensor, chance: torch.Generator) -> Tensor:
    """The same pictures, each with chances of its own."""
    return developed(narrowed(moved(images, chance), chance), chance)


def moved(images: Tensor, chance: torch.Generator) -> Tensor:
    """Zoomed, turned and shifted."""
    n = len(images)
    zoom = torch.exp(_between(n, math.log(ZOOM[0]), math.log(ZOOM[1]), chance))
    angle = torch.deg2rad(_between(n, -DEGREES, DEGREES, chance))
    shift = _between(2 * n, -2 * SHIFT, 2 * SHIFT, chance).view(n, 2, 1)
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    grid = functional.affine_grid(
        torch.cat([turn, shift], 2).to(images.device), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, align_corners=False)


def narrowed(images: Tensor, chance: torch.Generator) -> Tensor:
    """Some with a smaller field of view: black around it."""
    n, side = len(images), images.shape[-1]
    share = _between(n, *NARROW, chance)
    share = torch.where(torch.rand(n, generator=chance) < NARROW_SHARE, share, 1.0).to(images.device)
    from_middle = torch.linspace(-1, 1, side, device=images.device).abs()
    kept = from_middle[None] <= share[:, None]
    return images * (kept[:, None, :, None] & kept[:, None, None, :])


def developed(images: Tensor, chance: torch.Generator) -> Tensor:
    """Other tones, shading, sharpness and noise."""
    n, device = len(images), images.device
    gamma = torch.exp(GAMMA * torch.randn(n, 1, 1, 1, generator=chance)).to(device)
    knots = SHADING * torch.randn(n, 1, SHADING_KNOTS, SHADING_KNOTS, generator=chance)
    shading = functional.interpolate(knots.to(device), size=images.shape[-2:], mode="bicubic", align_corners=True)
    noise = NOISE * torch.rand(n, 1, 1, 1, generator=chance) * torch.randn(images.shape, generator=chance)
    blurred = (torch.rand(n, 1, 1, 1, generator=chance) < BLURRED_SHARE).to(device)
    soft = torch.where(blurred, functional.avg_pool2d(images, 3, 1, 1), images)
    return (soft.clamp(0, 1) ** gamma * shading.exp() + noise.to(device)).clamp(0, 1)


def _between(n: int, low: float, high: float, chance: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=chance)
