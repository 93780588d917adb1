"""What a polyenergetic beam does that the reconstruction does not expect: bands between dense bones, streaks of metal.

Both are errors of line integrals, so they are computed on the projections and reconstructed; nothing is painted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, pad

from numbering.phantom.imaging.ct.cover import covered
from numbering.phantom.imaging.ct.geometry import heights
from numbering.phantom.imaging.ct.radon import angles, back_project, filtered, project
from numbering.phantom.scene.blocks import Blocks
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Grid, Structure

WATER_PER_MM = 0.0193
"""At the mean energy of a 120 kV beam."""
METAL_PER_MM = 0.21
"""Titanium, beyond water."""
SPECTRUM = ((0.28, 1.9), (0.46, 1.0), (0.26, 0.62))
"""Share of the photons, and metal's attenuation against that at the mean energy."""
HARDENING = 0.055
"""Share of a bone's squared path that is lost, once water is corrected for."""
DIRECTIONS = 72
METAL_DIRECTIONS = 480
METAL_PITCH_MM = 1.0
PHOTONS = 1.0e6
"""Of a ray in air, for noise of 11 HU."""
Square = tuple[float, float, float]
"""x and y of a square's middle and half its side."""
MOST_PATH = 10.5
"""Beyond it the detector's own noise and the scanner's filters rule."""


def paths(hu: Tensor, pitch_mm: float) -> tuple[Tensor, Tensor]:
    """Line integrals ``(slices, directions, detectors)`` of all matter, and of bone beyond water."""
    directions = scan_angles(hu.device)
    whole = project(((hu + 1000) / 1000).clamp(0, 3) * WATER_PER_MM, pitch_mm, directions)
    bone = project(((hu - 150) / 1000).clamp(0, 1.5) * WATER_PER_MM, pitch_mm, directions)
    return whole, bone


def scan_angles(device: torch.device | str) -> Tensor:
    """The directions of `paths`, half a turn from -π/2."""
    return angles(DIRECTIONS, device) - torch.pi / 2


def hardening(bone: Tensor, pitch_mm: float, columns: int = 80) -> Tensor:
    """HU ``(slices, columns, columns)`` over the scan field that bones take from what lies between them."""
    field = bone.shape[-1] * pitch_mm
    x, y = _lattice(field, columns, bone.device)
    error = filtered(-HARDENING * bone.square(), pitch_mm)
    return back_project(error, pitch_mm, scan_angles(bone.device), x, y) * (1000 / WATER_PER_MM)


def metal_box(structures: Sequence[Structure], grid: Grid) -> Square | None:
    """x and y of the middle and half the side of a square around all metal in the slices; None without metal."""
    low_z, high_z = heights(grid)
    boxes = [
        one.bounds
        for one in structures
        if one.label == Label.METAL and one.bounds[0, 2] < high_z and one.bounds[1, 2] > low_z
    ]
    if not boxes:
        return None
    low, high = np.min([b[0] for b in boxes], 0), np.max([b[1] for b in boxes], 0)
    middle = (low + high) / 2
    return float(middle[0]), float(middle[1]), float(max(high[:2] - low[:2]) / 2 + 4)


def metal_cover(structures: Sequence[Structure], grid: Grid, device: torch.device | str) -> Tensor:
    """Share of metal 0…1 ``[slice, row, column]`` on a fine grid."""
    blocks, edge = Blocks(grid, device), float(grid.spacing[1:].min())
    cover = torch.zeros(len(blocks.open), blocks.voxels, device=device)
    for structure in structures:
        if structure.label == Label.METAL:
            for part in blocks.near(structure, edge):
                cover[part.blocks] = torch.maximum(cover[part.blocks], covered(part.distance, edge))
    return blocks.volume(cover)


def metal_error(cover: Tensor, behind: Tensor, noise_hu: float, generator: torch.Generator) -> Tensor:
    """Error of line integrals ``(slices, directions, detectors)``: the beam hardens, then runs out of photons.

    ``cover`` as `metal_cover` with pixels of `METAL_PITCH_MM`; ``behind`` the path through everything else on the same
    rays.
    """
    path = project(cover, METAL_PITCH_MM, metal_angles(cover.device)) * METAL_PER_MM
    shadow = path > 0.02
    measured = -torch.stack([share * torch.exp(-ratio * path) for share, ratio in SPECTRUM]).sum(0).log()
    linear = sum(share * ratio for share, ratio in SPECTRUM) * path
    photons = PHOTONS * (11 / max(noise_hu, 1)) ** 2
    deviation = (0.5 * (behind + measured).clamp(max=MOST_PATH)).exp() / photons**0.5
    noise = torch.randn(path.shape, generator=generator, device=path.device) * deviation
    # Very few photons: their mean logarithm falls short, and an adaptive filter spreads what is left over neighbours.
    short = -(behind + measured - MOST_PATH).clamp(min=0) * 0.3
    return torch.where(shadow, measured - linear + noise + short, 0.0)


def metal_angles(device: torch.device | str) -> Tensor:
    """The directions of `metal_error`."""
    return angles(METAL_DIRECTIONS, device) - torch.pi / 2


def behind_metal(whole: Tensor, pitch_mm: float, detectors: int, shift: tuple[float, float]) -> Tensor:
    """`paths` on the rays of `metal_error`; ``shift``: x and y mm of the metal's square beside the scanner's axis."""
    directions = metal_angles(whole.device)
    beside = (torch.arange(detectors, device=whole.device) - (detectors - 1) / 2) * METAL_PITCH_MM
    place = beside[None] + shift[0] * directions.cos()[:, None] + shift[1] * directions.sin()[:, None]
    across = place / (pitch_mm * whole.shape[-1] / 2)
    around = (torch.linspace(-1, 1, len(directions), device=whole.device))[:, None].expand_as(across)
    where = torch.stack([across, around], -1)[None]
    return grid_sample(whole[None], where, padding_mode="border", align_corners=False)[0]


def metal_streaks(error: Tensor, x: Tensor, y: Tensor, rows: int) -> Tensor:
    """HU ``(slices, rows, rows)``; ``x`` and ``y`` mm beside the middle of the metal's box, of a coarser lattice."""
    margin = error.shape[-1]
    wide = filtered(pad(error, (margin, margin)), METAL_PITCH_MM)
    found = back_project(wide, METAL_PITCH_MM, metal_angles(error.device), x, y) * (1000 / WATER_PER_MM)
    return interpolate(found[:, None], size=(rows, rows), mode="bicubic", align_corners=False)[:, 0]


def _lattice(field_mm: float, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    at = ((torch.arange(columns, device=device) + 0.5) / columns - 0.5) * field_mm
    return at[None].expand(columns, -1), at[:, None].expand(-1, columns)
