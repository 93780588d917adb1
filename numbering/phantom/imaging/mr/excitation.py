"""What a slice excites beside its signal equation: saturation bands, stacks that cross, and what moves with breath."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.mr.planes import Planned
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Skeleton


class Band:
    """A saturation band in front of the spine: its place and tilt are the technologist's."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._distance, self._tilt, self._width = rng.uniform(32, 55), rng.normal(0, 0.15), rng.uniform(70, 130)
        self._soft = rng.uniform(1.5, 5)

    def kept(self, points: Tensor, skeleton: Skeleton, protocol: Protocol) -> Tensor:
        """Factor of the signal at points ``(..., 3)``."""
        if protocol.saturation == 0:
            return torch.ones(points.shape[:-1], device=points.device)
        ahead = _ahead(points, skeleton) - self._distance + self._tilt * points[..., 0]
        inside = torch.sigmoid(ahead / self._soft) * torch.sigmoid((self._width - ahead) / self._soft)
        return 1 - protocol.saturation * inside


def _ahead(points: Tensor, skeleton: Skeleton) -> Tensor:
    """mm in front of the middle of the spine, by the spine's mean position over these points."""
    heights = points[..., 2].detach().cpu().numpy()
    _, y = skeleton.midline(np.linspace(heights.min(), heights.max(), 24))
    return float(np.mean(y)) - points[..., 1]


def moving_with_breath(points: Tensor, skeleton: Skeleton) -> Tensor:
    """0…1: how much a point goes with the breath; the belly's wall most, the spine not at all."""
    return ((_ahead(points, skeleton) - 30) / 50).clamp(0, 1)


def crosstalk(points: Tensor, planned: Planned, series: Sequence[Planned], protocol: Protocol) -> Tensor:
    """Where slices of neighbouring stacks cross this one, their excitation has used up signal."""
    kept = torch.ones(points.shape[:-1], device=points.device)
    if protocol.crosstalk == 0:
        return kept
    for other in series:
        if abs(other.stack - planned.stack) != 1:
            continue
        normal = torch.as_tensor(other.normal, dtype=torch.float32, device=points.device)
        away = ((points - torch.as_tensor(other.centre, dtype=torch.float32, device=points.device)) @ normal).abs()
        kept = kept * (1 - protocol.crosstalk * torch.sigmoid((protocol.thickness_mm * 0.55 - away) / 0.5))
    return kept
