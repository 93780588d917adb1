"""The scene as line integrals of soft tissue, fat, mineral and metal on the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.imaging.film.attenuation import filling, hard
from numbering.phantom.imaging.film.frustum import Frustum, Window
from numbering.phantom.imaging.film.geometry import Beam
from numbering.phantom.imaging.film.projection import add_excess, blocked_shape, paint_soft
from numbering.phantom.imaging.film.sampling import Sampling
from numbering.phantom.imaging.film.smooth import enlarged, noise_volume
from numbering.phantom.scene.labels import is_bone
from numbering.phantom.scene.structure import Structure


@dataclass(frozen=True, eq=False)
class Projection:
    """``lengths`` ``(4, rows, columns)``: mm of each of `attenuation.BASIS` on the way to cells of ``factor`` pixels of
    a beam's detector. Any number of films can be developed from one."""

    beam: Beam
    lengths: Tensor
    factor: int

    def cropped(self, top: int, left: int, rows: int, columns: int) -> Projection:
        """A part of the detector, counted in cells; it must lie on it."""
        factor, beam = self.factor, self.beam
        corner = beam.corner + (beam.down * top + beam.across * left) * factor * beam.pitch
        size = min(rows * factor, beam.rows - top * factor), min(columns * factor, beam.columns - left * factor)
        part = replace(beam, corner=corner, rows=size[0], columns=size[1])
        return Projection(part, self.lengths[:, top : top + rows, left : left + columns], factor)


def project(
    structures: Sequence[Structure],
    beam: Beam,
    patient: Patient,
    sampling: Sampling,
    generator: torch.Generator,
) -> Projection:
    """Line integrals of a scene, on the generator's device."""
    factor = sampling.cell
    shape = (-(-beam.rows // factor), -(-beam.columns // factor))
    soft = _soft(structures, beam, patient, sampling, shape, generator)
    total = torch.cat([soft, torch.zeros_like(soft)])
    grain = _trabeculae(shape, beam.pitch * factor, generator)
    frustum = Frustum(beam, beam.pitch * factor)
    images: dict[tuple[int, bool], Tensor] = {}
    for structure in structures:
        cell = frustum.cell_at(float(beam.depth(structure.bounds.mean(0)[None])[0]))
        found = hard(structure.label, patient, cell)
        if found:
            channel, profile = found
            key = (channel, is_bone(structure.label))
            if key not in images:
                images[key] = torch.zeros(blocked_shape(frustum, sampling.blocks), device=generator.device)
            add_excess(structure, frustum, profile, sampling.blocks, images[key])
    for (channel, bone), image in images.items():
        total[channel] += image[: shape[0], : shape[1]] * (grain if bone else 1)
    return Projection(beam, total, factor)


def _trabeculae(shape: tuple[int, int], cell_mm: float, generator: torch.Generator) -> Tensor:
    """Factors about 1 ``(rows, columns)``: no bone is even. The same grain lies over all bones of the film."""
    factors = torch.ones(shape, device=generator.device)
    for size_mm, share in ((9.0, 0.04), (3.0, 0.035), (1.1, 0.05)):
        cell = size_mm / cell_mm
        if cell >= 1.5:
            factors += share * noise_volume((1, *shape), (1.0, cell, cell), generator)[0]
    return factors.clamp_min_(0.3)


def _soft(
    structures: Sequence[Structure],
    beam: Beam,
    patient: Patient,
    sampling: Sampling,
    shape: tuple[int, int],
    generator: torch.Generator,
) -> Tensor:
    frustum = Frustum(beam, beam.pitch * sampling.cell * sampling.soft)
    found = [
        (structure, share, window)
        for structure in structures
        if (share := filling(structure.label, patient))
        and (window := frustum.window(structure.bounds, frustum.cell_at(0.8 * beam.distance)))
    ]
    total = torch.zeros((2, *shape), device=generator.device)
    if not found:
        return total
    rows, columns = frustum.shape
    window = Window(0, rows, 0, columns, min(w.near for _, _, w in found) - 1, max(w.far for _, _, w in found) + 1)
    volume = paint_soft(found, frustum, sampling.soft_step, 3, window, generator.device)
    steps = volume.shape[1]
    step = (window.far - window.near) / steps
    cell = frustum.cell_at((window.near + window.far) / 2)
    _unsettle(volume, (step, cell, cell), generator)
    at = [torch.arange(n, dtype=torch.float32, device=generator.device) for n in (rows, columns)]
    slant = frustum.slant(at[0][:, None], at[1][None])
    for channel in range(2):
        total[channel] = enlarged(volume[channel].sum(0) * slant * step, sampling.soft, *shape)
    return total.clamp_min_(0)


def _unsettle(volume: Tensor, voxel: tuple[float, float, float], generator: torch.Generator) -> None:
    """Lets soft tissue and fat change places in uneven tissue: what bowel walls, folds and mesentery do to a film."""
    for size_mm, share in ((24.0, 0.15), (9.0, 0.11)):
        cells = (max(1.0, size_mm / voxel[0]), max(1.0, size_mm / voxel[1]), max(1.0, size_mm / voxel[2]))
        change = noise_volume(tuple(volume.shape[1:]), cells, generator) * volume[2] * share  # type: ignore[arg-type]
        volume[0] += change
        volume[1] -= change * 0.6
