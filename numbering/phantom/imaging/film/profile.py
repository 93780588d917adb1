"""Exact integrals over a surface's neighbourhood, from the signed distance at two points of a ray.

Between two samples the signed distance is taken to be linear, so the mean of any function of it has a closed form. A
cortex thinner than the step therefore keeps its full weight, and a surface cut anywhere gives its exact share.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ALONG = 0.02
"""Between samples that differ by less, mm, a ray runs along the surface."""


@dataclass(frozen=True)
class Profile:
    """What lies at which depth under a surface.

    ``layers`` are (depth in mm from which it holds, density), outermost first: cortex, the denser marrow under it,
    marrow. ``soft`` is the width in mm over which an edge is spread (a cell's width, against jagged edges).
    """

    layers: tuple[tuple[float, float], ...]
    soft: float

    @property
    def core(self) -> float:
        """Density deep inside."""
        return self.layers[-1][1]

    @property
    def thickness(self) -> float:
        """Depth below which all is core, mm."""
        return self.layers[-1][0]

    def mean(self, distance: Tensor, next_distance: Tensor) -> Tensor:
        """Mean between pairs of samples; distances in mm, negative inside."""
        return self.means(torch.stack([distance, next_distance], 1))[:, 0]

    def means(self, distance: Tensor) -> Tensor:
        """Means ``(n, planes - 1, …)`` between neighbouring samples ``(n, planes, …)``."""
        total = self._integral(distance)
        step = distance[:, 1:] - distance[:, :-1]
        mean = (total[:, 1:] - total[:, :-1]).div_(step)
        # Where the ray runs along the surface, a difference of two antiderivatives would be all rounding error.
        flat = step.abs_() < ALONG
        mean[flat] = self._density((distance[:, 1:] + distance[:, :-1])[flat] / 2)
        return mean

    def _integral(self, distance: Tensor) -> Tensor:
        """An antiderivative in the distance of the density, each of whose steps is spread over ``soft`` mm."""
        total, outer = torch.zeros_like(distance), 0.0
        for depth, density in self.layers:
            over = distance + (depth - self.soft / 2)
            blended = over.clamp(-self.soft, 0)
            over.sub_(blended).clamp_(max=0)
            total.add_(over, alpha=density - outer)
            total.addcmul_(blended, blended, value=(outer - density) / (2 * self.soft))
            outer = density
        return total

    def _density(self, distance: Tensor) -> Tensor:
        found, outer = torch.zeros_like(distance), 0.0
        for depth, density in self.layers:
            found += (density - outer) * (0.5 - (distance + depth) / self.soft).clamp(0, 1)
            outer = density
        return found


def inside_shares(distance: Tensor, soft: float) -> Tensor:
    """Shares 0…1 ``(planes - 1, …)`` of the way between neighbouring samples ``(planes, …)`` that lie inside."""
    return Profile(((0.0, 1.0),), soft).means(distance[None])[0]
