"""Round tubes along a path: vessels, bowel, bronchi, nerves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline
from torch import Tensor

from numbering.phantom.scene.grid import Array, Bounds

CHUNK = 1 << 17
"""Pairs of points and segments of one look: what stays in a core's cache."""


@dataclass(frozen=True, eq=False)
class Tube:
    """Round cones from point to point of ``path (n, 3)`` with ``radius (n,)``, rounded at both ends."""

    label: int
    path: Array
    radius: Array

    @cached_property
    def bounds(self) -> Bounds:
        """The path's box, the radius and 3 mm."""
        reach = self.radius[:, None] + 3
        return np.stack([(self.path - reach).min(0), (self.path + reach).max(0)])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        local = (points.reshape(-1, 3) - self._tensor(self._middle, points.device)).t()
        every = max(1, CHUNK // (len(self.path) - 1))
        return torch.cat([self._nearest(part) for part in local.split(every, 1)]).view(points.shape[:-1])

    def _nearest(self, local: Tensor) -> Tensor:
        """mm ``(n,)`` of points ``(3, n)`` against the path's middle; all segments at once."""
        starts, along = self.path[:-1] - self._middle, np.diff(self.path, axis=0)
        square = np.maximum((along**2).sum(1), 1e-9)
        rows = (along, -2 * starts, -(starts * along).sum(1), (starts**2).sum(1), square)
        e, a, shift, own, length = (self._tensor(row, local.device) for row in rows)
        ahead = torch.addmm(shift[:, None], e, local)
        away = torch.addmm(own[:, None], a, local).add_((local * local).sum(0))
        share = (ahead / length[:, None]).clamp_(0, 1)
        away.sub_(ahead.mul_(2).addcmul_(share, length[:, None], value=-1).mul_(share))
        thick = self._tensor(self.radius, local.device)[:, None]
        return away.clamp_(min=0).sqrt_().sub_(thick[:-1]).addcmul_(share, thick[1:] - thick[:-1], value=-1).amin(0)

    @cached_property
    def _middle(self) -> Array:
        return np.asarray(self.path.mean(0))

    @staticmethod
    def _tensor(values: Array, device: torch.device) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=device)


def tube(label: int, path: ArrayLike, radius: ArrayLike, step_mm: float = 8.0) -> Tube:
    """A smooth tube through knots ``(k, 3)`` with one radius or ``(k,)`` of them."""
    knots = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(knots))
    apart = np.append(True, np.linalg.norm(np.diff(knots, axis=0), axis=1) > 0.1)
    knots, radii = knots[apart], radii[apart]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, round(length[-1] / step_mm) + 1))
    smooth = CubicHermiteSpline(length, knots, np.gradient(knots, length, axis=0))(at)
    return Tube(label, np.asarray(smooth), np.interp(at, length, radii))


def pieces(whole: Tube, segments: int = 6) -> list[Tube]:
    """A long tube as several short ones, each with its own small box."""
    starts = range(0, len(whole.path) - 1, segments)
    return [Tube(whole.label, whole.path[i : i + segments + 1], whole.radius[i : i + segments + 1]) for i in starts]
