"""The muscles that tell axial levels apart."""

from __future__ import annotations

import numpy as np

from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import superellipse
from numbering.phantom.scene.stack import Stack, stack
from numbering.phantom.scene.structure import Structure


def muscles(skeleton: Skeleton) -> list[Structure]:
    """Both psoas muscles."""
    return [psoas(skeleton, side) for side in (-1, 1)]


def psoas(skeleton: Skeleton, side: int) -> Stack:
    """From the side of T12 down past the pelvic brim; round and large by L4–5."""
    scale = skeleton.patient.scale
    at = np.array([19.3, 20, 21, 22, 23, 24])
    areas = np.array([30, *(100 * a for a in skeleton.patient.soft.psoas_cm2)])
    z = np.array([skeleton.height(a) for a in at])
    x, y = skeleton.midline(z)
    across, deep = np.array([24, 27, 33, 39, 45, 52]) * scale, np.array([8, 8, 6, 2, -2, -12]) * scale
    centre = np.stack([x + side * across, y + deep], 1)
    low = np.array([-40.0, -100.0]) * scale
    z, centre = np.append(z, low), np.vstack([centre, [[side * 62 * scale, -40], [side * 85 * scale, -62]]])
    radius = np.sqrt(np.append(areas, areas[-1] * np.array([0.9, 0.5])) / np.pi)
    label = Label.PSOAS_RIGHT if side < 0 else Label.PSOAS_LEFT
    return stack(label, z, centre, superellipse(radius, radius))
