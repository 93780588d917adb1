"""Localizers: the projections, from in front and from the side, on which a scan is planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn.functional import avg_pool2d, interpolate

from numbering.phantom.imaging.ct.artefacts import WATER_PER_MM
from numbering.phantom.imaging.ct.geometry import trunk_middle
from numbering.phantom.imaging.ct.painting import paint
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.table import table
from numbering.phantom.imaging.ct.tissue import Look
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.scene.structure import Grid, Structure

PITCH_MM = 3.0
FIELD_MM = 480.0
PIXEL_MM = 1.0
BEYOND_MM = 45.0
"""How much more of the body a localizer shows than the scan, at either end."""


@dataclass(frozen=True)
class Scout:
    """``pixels`` int16 ``[row, column]``, head up; ``affine`` (0, row, column, 1) → mm LPS in the study's frame."""

    view: Literal["AP", "lateral"]
    pixels: NDArray[np.int16]
    affine: Array


def scouts(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    volume: CtVolume,
    seed: int,
    *,
    origin_mm: ArrayLike = (0.0, 0.0, 0.0),
    device: torch.device | str = "cpu",
) -> tuple[Scout, Scout]:
    """AP and lateral localizer of a scan; parallel rays, which is what a slit of a moving table sees along the body."""
    origin = np.asarray(origin_mm, float)
    low, high = _extent(volume, origin)
    middle = _middle(volume.protocol, structures, skeleton)
    half = FIELD_MM / 2
    bounds = np.array([[middle[0] - half, middle[1] - half, low], [middle[0] + half, middle[1] + half, high]])
    grid = Grid.upright(bounds, PITCH_MM)
    scene = [*table(volume.protocol, structures, middle[0], (low, high)), *structures]
    hu = paint(scene, grid, Look(skeleton, "native", seed, device), device).hu
    matter = ((hu + 1000) / 1000).clamp(0, 3) * WATER_PER_MM * PITCH_MM
    generator = torch.Generator(torch.device(device)).manual_seed(seed)
    found = []
    for view, axis in (("AP", 1), ("lateral", 2)):
        path = matter.sum(axis).flip(0)
        pixels = _shown(path, generator)
        # The first row is the highest; along a row x to the left (AP), or y to the back (lateral).
        step = np.eye(4)
        step[:3, 0] = [0, 1, 0] if view == "AP" else [-1, 0, 0]
        step[:3, 1] = [0, 0, -PIXEL_MM]
        step[:3, 2] = np.array([1.0, 0, 0] if view == "AP" else [0, 1.0, 0]) * PIXEL_MM
        columns = pixels.shape[1]
        top = grid.affine[2, 3] + grid.affine[2, 0] * (grid.shape[0] - 1) + PITCH_MM / 2 - PIXEL_MM / 2
        centre = np.array([middle[0], middle[1], top])
        step[:3, 3] = centre - step[:3, 2] * (columns - 1) / 2 + origin
        found.append(Scout(view, pixels, step))  # type: ignore[arg-type]
    return found[0], found[1]


def _shown(path: torch.Tensor, generator: torch.Generator) -> NDArray[np.int16]:
    """Paths as grey levels: sharpened, logarithmic, noisy where little arrives."""
    size = [round(n * PITCH_MM / PIXEL_MM) for n in path.shape]
    fine = interpolate(path[None, None], size=size, mode="bicubic", align_corners=False)
    sharp = fine + 0.8 * (fine - avg_pool2d(fine, 9, 1, 4, count_include_pad=False))
    noise = torch.randn(sharp.shape, generator=generator, device=path.device) * (0.5 * fine.clamp(0, 10)).exp() * 0.004
    grey = 160 * (sharp[0, 0] + noise[0, 0]) - 700
    return grey.clamp(-1024, 3071).round().to(torch.int16).cpu().numpy()


def _extent(volume: CtVolume, origin: Array) -> tuple[float, float]:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in volume.hu.shape], indexing="ij")).reshape(3, -1)
    z = volume.affine[2, :3] @ corners + volume.affine[2, 3] - origin[2]
    return float(z.min()) - BEYOND_MM, float(z.max()) + BEYOND_MM


def _middle(protocol: Protocol, structures: Sequence[Structure], skeleton: Skeleton) -> tuple[float, float]:

    x, y = trunk_middle(structures, skeleton, 0.0)
    return x - protocol.table_offset_mm[0], y - protocol.table_offset_mm[1]
