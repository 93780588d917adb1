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
        x, y, z = points.unbind(-1)
        nearest = torch.full_like(x, torch.inf)
        for start, end, thick, thin in zip(self.path, self.path[1:], self.radius, self.radius[1:], strict=False):
            along = end - start
            dx, dy, dz = x - float(start[0]), y - float(start[1]), z - float(start[2])
            ax, ay, az = (float(v) for v in along / max(float(along @ along), 1e-9))
            share = (dx * ax).add_(dy, alpha=ay).add_(dz, alpha=az).clamp_(0, 1)
            square = dx.sub_(share, alpha=float(along[0])).square_()
            square += dy.sub_(share, alpha=float(along[1])).square_()
            square += dz.sub_(share, alpha=float(along[2])).square_()
            nearest = torch.minimum(nearest, square.sqrt_().sub_(share, alpha=float(thin - thick)).sub_(float(thick)))
        return nearest


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
