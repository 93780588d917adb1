"""The scene as line integrals of soft tissue, fat, mineral and metal on the detector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from numbering.phantom.anatomy.patient import Patient
from numbering.phantom.imaging.film.attenuation import filling, hard
from numbering.phantom.imaging.film.frustum import Frustum, Window
from numbering.phantom.imaging.film.geometry import Beam
from numbering.phantom.imaging.film.projection import add_excess, blocked_shape, paint_soft
from numbering.phantom.imaging.film.sampling import Sampling
from numbering.phantom.imaging.film.smooth import enlarged, noise_volume
from numbering.phantom.scene.labels import Label, is_bone
from numbering.phantom.scene.structure import Structure

SHARP = frozenset(range(1, 29)) | {Label.METAL, Label.CEMENT, Label.CAGE, Label.CALCIFICATION}
"""Labels that are worth the fine lattice."""


def integrals(
    structures: Sequence[Structure],
    beam: Beam,
    patient: Patient,
    sampling: Sampling,
    generator: torch.Generator,
) -> Tensor:
    """mm of each of `attenuation.BASIS` under every pixel ``(4, rows, columns)``, on the generator's device."""
    soft = _soft(structures, beam, patient, sampling, generator)
    total = torch.cat([soft, torch.zeros_like(soft)])
    grain = _trabeculae(beam, generator)
    for sharp, factor, blocks in (
        (True, sampling.fine, sampling.fine_blocks),
        (False, sampling.middle, sampling.middle_blocks),
    ):
        frustum = Frustum(beam, beam.pitch * factor)
        images: dict[tuple[int, bool], Tensor] = {}
        for structure in structures:
            cell = frustum.cell_at(float(beam.depth(structure.bounds.mean(0)[None])[0]))
            found = hard(structure.label, patient, cell) if (structure.label in SHARP) is sharp else None
            if found:
                channel, profile = found
                image = images.setdefault(
                    (channel, is_bone(structure.label)),
                    torch.zeros(blocked_shape(frustum, blocks), device=generator.device),
                )
                add_excess(structure, frustum, profile, blocks, image)
        for (channel, bone), image in images.items():
            total[channel] += enlarged(image, factor, beam.rows, beam.columns) * (grain if bone else 1)
    return total


def _trabeculae(beam: Beam, generator: torch.Generator) -> Tensor:
    """Factors about 1 ``(rows, columns)``: no bone is even. The same grain lies over all bones of the film."""
    factors = torch.ones((beam.rows, beam.columns), device=generator.device)
    for size_mm, share in ((9.0, 0.04), (3.0, 0.035), (1.1, 0.05)):
        cell = size_mm / beam.pitch
        if cell >= 1.5:
            factors += share * noise_volume((1, beam.rows, beam.columns), (1.0, cell, cell), generator)[0]
    return factors.clamp_min_(0.3)


def _soft(
    structures: Sequence[Structure],
    beam: Beam,
    patient: Patient,
    sampling: Sampling,
    generator: torch.Generator,
) -> Tensor:
    frustum = Frustum(beam, beam.pitch * sampling.soft)
    found = [
        window
        for structure in structures
        if filling(structure.label, patient) and (window := frustum.window(structure.bounds))
    ]
    total = torch.zeros((2, beam.rows, beam.columns), device=generator.device)
    if not found:
        return total
    rows, columns = frustum.shape
    window = Window(0, rows, 0, columns, min(w.near for w in found) - 1, max(w.far for w in found) + 1)
    volume = paint_soft(
        structures, frustum, sampling.soft_step, lambda label: filling(label, patient), 3, window, generator.device
    )
    steps = volume.shape[1]
    step = (window.far - window.near) / steps
    cell = frustum.cell_at((window.near + window.far) / 2)
    _unsettle(volume, (step, cell, cell), generator)
    at = [torch.arange(n, dtype=torch.float32, device=generator.device) for n in (rows, columns)]
    slant = frustum.directions(at[0][:, None].expand(-1, columns), at[1][None].expand(rows, -1)).norm(dim=-1)
    for channel in range(2):
        image = volume[channel].sum(0) * slant * step
        total[channel] = enlarged(image, sampling.soft, beam.rows, beam.columns)
    return total.clamp_min_(0)


def _unsettle(volume: Tensor, voxel: tuple[float, float, float], generator: torch.Generator) -> None:
    """Lets soft tissue and fat change places in uneven tissue: what bowel walls, folds and mesentery do to a film."""
    for size_mm, share in ((24.0, 0.15), (9.0, 0.11)):
        cells = (max(1.0, size_mm / voxel[0]), max(1.0, size_mm / voxel[1]), max(1.0, size_mm / voxel[2]))
        change = noise_volume(tuple(volume.shape[1:]), cells, generator) * volume[2] * share  # type: ignore[arg-type]
        volume[0] += change
        volume[1] -= change * 0.6
