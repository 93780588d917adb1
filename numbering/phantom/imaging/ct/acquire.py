"""The scan: paint, project, add what physics adds, reconstruct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import grid_sample

from numbering.phantom.imaging.ct import artefacts
from numbering.phantom.imaging.ct.breath import breathing
from numbering.phantom.imaging.ct.geometry import SCAN_MARGIN, Geometry, heights, place
from numbering.phantom.imaging.ct.kernel import frequencies, image, padded_size, spectrum, transfer
from numbering.phantom.imaging.ct.near import near
from numbering.phantom.imaging.ct.noise import Grain, Rays, rays
from numbering.phantom.imaging.ct.painting import THIN_MM, Painted, thick
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.table import table
from numbering.phantom.imaging.ct.tissue import Look
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.structure import Structure

HU_RANGE = (-1024, 3071)
"""Twelve bits, as most scanners store them."""
SCAN_EVERY_MM = 4.0
"""Spacing of the coarse slices whose projections say how much of the beam is left."""
CHUNK = {"cpu": 6, "cuda": 32}
"""Slices reconstructed at a time."""


def acquire(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    protocol: Protocol,
    seed: int | Sequence[int],
    *,
    origin_mm: ArrayLike = (0.0, 0.0, 0.0),
    device: torch.device | str = "cpu",
) -> CtVolume:
    """The scene as this protocol shows it; ``seed`` decides noise, tissues and textures.

    ``structures`` in painting order, without a table. The same arguments give the same bytes on the same device.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1)
    geometry = place(protocol, skeleton, structures)
    scene = breathing(structures, skeleton, protocol, geometry.grid)
    scene = near([*table(protocol, structures, geometry.axis[0], heights(geometry.grid)), *scene], geometry.grid)
    look = Look(skeleton, protocol.phase, number & 0x7FFFFFFF, device)
    painted = thick(scene, geometry.grid, look, protocol.slice_mm, device)
    scan = _scan(scene, geometry, protocol, look, device)
    generator = torch.Generator(torch.device(device)).manual_seed(number)
    _streak(painted, scene, geometry, protocol, scan, generator)
    hu = _reconstruct(painted, geometry, protocol, scan, generator)
    return _finish(hu, painted.labels, geometry, protocol, np.asarray(origin_mm, float))


@dataclass(frozen=True)
class _Scan:
    """Projections of every slice, and HU of what dense bones do to each other, coarse."""

    whole: Tensor
    rays: Rays
    bands: Tensor
    pitch_mm: float


def _scan(
    scene: Sequence[Structure], geometry: Geometry, protocol: Protocol, look: Look, device: torch.device | str
) -> _Scan:
    count = geometry.grid.shape[0]
    every = max(1, round(SCAN_EVERY_MM / protocol.increment_mm))
    grid = geometry.scan_grid(protocol.scan_field_mm, every)
    pitch = float(grid.spacing[1])
    whole, bone = artefacts.paths(thick(scene, grid, look.flat(), THIN_MM, device).hu, pitch)
    bands = artefacts.hardening(bone, pitch)
    whole, bands = (_stretched(values, count, every) for values in (whole, bands))
    return _Scan(whole, rays(whole, pitch, protocol.modulation), bands, pitch)


def _stretched(values: Tensor, count: int, every: int) -> Tensor:
    """Values of every ``every``-th slice, for all of them."""
    at = (torch.arange(count, device=values.device) / every).clamp(max=len(values) - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=len(values) - 1)
    return torch.lerp(values[low], values[high], (at - low)[:, None, None])


def _streak(
    painted: Painted,
    scene: Sequence[Structure],
    geometry: Geometry,
    protocol: Protocol,
    scan: _Scan,
    generator: torch.Generator,
) -> None:
    """Adds metal's streaks to the slices that metal crosses."""
    box = artefacts.metal_box(scene, geometry.grid)
    if box is None:
        return
    columns = int(np.ceil(2 * box[2] * 1.42 / artefacts.METAL_PITCH_MM))
    cover = artefacts.metal_cover(scene, geometry.square(box[:2], artefacts.METAL_PITCH_MM, columns), painted.hu.device)
    crossed = torch.nonzero(cover.flatten(1).amax(1) > 0.05).squeeze(1).tolist()
    rows = geometry.grid.shape[1]
    for group in [[one] for one in crossed] if geometry.leans else list(_chunks(crossed, 8)):
        here, there = geometry.middle(group[0], box[:2]), geometry.middle(group[0], geometry.axis)
        shift = (there[0] - here[0], there[1] - here[1])
        behind = artefacts.behind_metal(scan.whole[group], scan.pitch_mm, columns, shift)
        error = artefacts.metal_error(cover[group], behind, protocol.noise_hu, generator)
        x, y = _lattice(rows // 2, float(geometry.grid.spacing[1]) * 2, here, painted.hu.device)
        streaks = artefacts.metal_streaks(error, x, y, rows)
        painted.hu[group] += (1 - protocol.metal_reduction) * streaks


def _lattice(columns: int, pitch_mm: float, middle: tuple[float, float], device: torch.device) -> tuple[Tensor, Tensor]:
    at = (torch.arange(columns, device=device) - (columns - 1) / 2) * pitch_mm
    return (at + middle[0])[None].expand(columns, -1), (at + middle[1])[:, None].expand(-1, columns)


def _reconstruct(
    painted: Painted, geometry: Geometry, protocol: Protocol, scan: _Scan, generator: torch.Generator
) -> Tensor:
    count, rows, _ = geometry.grid.shape
    pitch, device = float(geometry.grid.spacing[1]), painted.hu.device
    modulation = transfer(protocol.kernel, frequencies(padded_size(rows), pitch, device))
    grain = Grain(rows, pitch, protocol.kernel, protocol.noise_grain, device)
    shared = _overlap(protocol)
    found, last = [], grain.draw(1, generator)
    for group in _chunks(list(range(count)), CHUNK[device.type]):
        middles = [geometry.middle(index, geometry.axis) for index in group]
        white = torch.cat([last, grain.draw(len(group), generator)])
        last = white[-1:]
        mixed = (white[1:] + shared * white[:-1]) / (1 + shared**2) ** 0.5
        some = Rays(scan.rays.deviation[group], scan.rays.pitch_mm)
        noise = grain.spectra(mixed, some, middles, protocol.noise_hu)
        shown = painted.hu[group] + _bands(scan, group, geometry, protocol, middles)
        found.append(image(spectrum(shown) * modulation + noise, rows))
    return torch.cat(found)


def _bands(
    scan: _Scan, group: list[int], geometry: Geometry, protocol: Protocol, middles: list[tuple[float, float]]
) -> Tensor:
    """The bands of the scan's field, on the images' pixels."""
    rows, pitch = geometry.grid.shape[1], float(geometry.grid.spacing[1])
    half = protocol.scan_field_mm * SCAN_MARGIN / 2
    at = (torch.arange(rows, device=scan.bands.device) - (rows - 1) / 2) * pitch
    grids = [torch.stack(torch.meshgrid((at + y) / half, (at + x) / half, indexing="ij")[::-1], -1) for x, y in middles]
    sampled = grid_sample(scan.bands[group][:, None], torch.stack(grids), align_corners=False)
    return sampled[:, 0]


def _overlap(protocol: Protocol) -> float:
    """Share of the neighbour's noise that gives slices the correlation of their overlap."""
    shared = min(max(1 - protocol.increment_mm / protocol.slice_mm, 0.0), 0.5)
    return 0.0 if shared == 0 else float((1 - (1 - 4 * shared**2) ** 0.5) / (2 * shared))


def _finish(hu: Tensor, labels: Tensor, geometry: Geometry, protocol: Protocol, origin: np.ndarray) -> CtVolume:
    values = hu.clamp(*HU_RANGE).round().to(torch.int16)
    outside = _outside(geometry, protocol, hu.device)
    if outside is not None:
        values[outside] = HU_RANGE[0] if protocol.padding_hu is None else protocol.padding_hu
        labels = labels.masked_fill(outside, 0)
    affine = geometry.grid.affine.copy()
    affine[:3, 3] += origin
    return CtVolume(values.cpu().numpy(), labels.cpu().numpy(), affine, origin, protocol)


def _outside(geometry: Geometry, protocol: Protocol, device: torch.device) -> Tensor | None:
    """Voxels outside the scanner's field; None where the images do not reach its border."""
    count, rows, _ = geometry.grid.shape
    pitch, radius = float(geometry.grid.spacing[1]), protocol.scan_field_mm / 2
    parts = []
    for index in range(count) if geometry.leans else [0]:
        x, y = _lattice(rows, pitch, geometry.middle(index, geometry.axis), device)
        parts.append(x.square() + y.square() > radius**2)
    outside = torch.stack(parts).expand(count, -1, -1)
    return outside if bool(outside.any()) else None


def _chunks(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
