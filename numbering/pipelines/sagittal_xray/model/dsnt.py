"""Differentiable spatial to numerical transform (Nibali et al., arXiv:1801.07372): heat maps, coordinates, losses.

Coordinates are normalised to -1…1 over the map's outer edges, as there: the middle of cell ``c`` of ``n`` is at
``(2 c + 1) / n - 1``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def spatial_softmax(raw: Tensor) -> Tensor:
    """Maps ``(…, rows, columns)`` that sum to one."""
    return raw.flatten(-2).softmax(-1).view(raw.shape)


def coordinates(heat: Tensor) -> Tensor:
    """Means ``(…, 2)`` x, y of heat maps."""
    rows, columns = heat.shape[-2:]
    return torch.stack([heat.sum(-2) @ _axis(columns, heat), heat.sum(-1) @ _axis(rows, heat)], -1)


def euclidean(found: Tensor, true: Tensor) -> Tensor:
    """Distances ``(…)`` between coordinates ``(…, 2)``."""
    return ((found - true) ** 2).sum(-1).clamp_min(1e-12).sqrt()


def jensen_shannon(heat: Tensor, true: Tensor, sigma: float = 1.0) -> Tensor:
    """Divergence ``(…)`` of heat maps from a Gaussian of ``sigma`` cells around the true coordinates ``(…, 2)``."""
    target = gaussian(true, heat.shape[-2], heat.shape[-1], sigma)
    middle = 0.5 * (heat + target)
    return 0.5 * _kullback_leibler(heat, middle) + 0.5 * _kullback_leibler(target, middle)


def cross_entropy(heat: Tensor, true: Tensor, sigma: float = 1.0) -> Tensor:
    """Kullback–Leibler divergence ``(…)`` of the same Gaussian from heat maps: steep where a map is still flat."""
    return _kullback_leibler(gaussian(true, heat.shape[-2], heat.shape[-1], sigma), heat)


def gaussian(centre: Tensor, rows: int, columns: int, sigma: float) -> Tensor:
    """Normalised Gaussians ``(…, rows, columns)`` around coordinates ``(…, 2)``."""
    x = (_axis(columns, centre) - centre[..., :1]) * (columns / 2 / sigma)
    y = (_axis(rows, centre) - centre[..., 1:]) * (rows / 2 / sigma)
    return torch.softmax(-0.5 * y**2, -1)[..., :, None] * torch.softmax(-0.5 * x**2, -1)[..., None, :]


def _axis(cells: int, like: Tensor) -> Tensor:
    return (2 * torch.arange(cells, dtype=like.dtype, device=like.device) + 1) / cells - 1


def _kullback_leibler(p: Tensor, q: Tensor) -> Tensor:
    tiny = 1e-24
    return (p * ((p + tiny).log() - (q + tiny).log())).sum((-2, -1))
