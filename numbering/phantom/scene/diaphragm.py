"""The diaphragm: a height over every point of the plane, between chest and belly."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.combine import EVERYWHERE
from numbering.phantom.scene.grid import Bounds
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import tube

_PART = 10


class Dome:
    """All points below the diaphragm: two domes, the left one lower, steep behind and at the sides."""

    label = int(Label.MUSCLE)
    bounds: Bounds = EVERYWHERE

    def __init__(self, site: Site) -> None:
        rng = site.draw_today(_PART)
        standing = site.skeleton.posture == "standing"
        self.scale = site.scale
        self.top = site.z((17.6 if standing else 17.0) + rng.uniform(-0.5, 0.5))
        self.left_lower = float(rng.uniform(5, 15)) * site.scale
        x, y = site.spine(self.top)
        self.x, self.y = float(x) * 0.5, float(y) - 38 * site.scale

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        return self._above(points) * 0.75

    def _above(self, points: Tensor) -> Tensor:
        x, y, z = points.unbind(-1)
        x = (x - self.x) / self.scale
        left = torch.sigmoid(x / 12)
        out = x.abs() - 62
        sideways = torch.where(out > 0, out * out * 0.013, out * out * 0.0035)
        y = (y - self.y) / self.scale
        deep = torch.where(y > 0, y * y * 0.0135, y * y * 0.0036)
        drop = torch.clamp(sideways + deep, max=140.0) * self.scale
        return z - (self.top - self.left_lower * left - drop)


def crura(site: Site) -> list[Structure]:
    """Beside the aorta down to L3 on the right, L2 on the left."""
    found: list[Structure] = []
    for side, end in zip(SIDES, (22.2, 21.3), strict=True):
        path = []
        for at in np.linspace(18.3, end, 5):
            z = site.z(float(at))
            x, y = site.spine(z)
            middle = 3 + (9 if at < 20 else 7)
            path.append([x + (side * middle + 4) * site.scale, y - site.body_half(z)[1] - 4 * site.scale, z])
        found.append(tube(Label.MUSCLE, path, np.array([4.5, 5.5, 5.0, 3.5, 1.2]) * site.scale))
    return found
