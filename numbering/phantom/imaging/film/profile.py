"""Exact integrals over a surface's neighbourhood, from the signed distance at two points of a ray.

Between two samples the signed distance is taken to be linear, so the mean of any function of it has a closed form. A
cortex thinner than the step therefore keeps its full weight, and a surface cut anywhere gives its exact share.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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
        step = distance - next_distance
        # Where the ray runs along the surface, a difference of two antiderivatives would be all rounding error.
        wide = step.abs().clamp_min(0.02) * step.sign().where(step != 0, step.new_ones(()))
        middle = (distance + next_distance) / -2
        return (self._integral(middle + wide / 2) - self._integral(middle - wide / 2)) / wide

    def _integral(self, inside: Tensor) -> Tensor:
        total, outer = torch.zeros_like(inside), 0.0
        for depth, density in self.layers:
            total += (density - outer) * _ramp(inside - depth, self.soft)
            outer = density
        return total


def _ramp(inside: Tensor, soft: float) -> Tensor:
    """Antiderivative of a step at 0 that is spread over ``soft`` mm."""
    blended = (inside + soft / 2).clamp(0, soft) ** 2 / (2 * soft)
    return blended + (inside - soft / 2).clamp_min(0)


def inside_share(distance: Tensor, next_distance: Tensor, soft: float) -> Tensor:
    """Share 0…1 of the way between two samples that lies inside."""
    return Profile(((0.0, 1.0),), soft).mean(distance, next_distance)
