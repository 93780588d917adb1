"""MR series of a posed patient: axial, sagittal, coronal, localizer, or one slice for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.phantom.imaging.mr import coil
from numbering.phantom.imaging.mr.appearance import Appearance
from numbering.phantom.imaging.mr.excitation import Band, crosstalk, moving_with_breath
from numbering.phantom.imaging.mr.form import Field, form
from numbering.phantom.imaging.mr.lattice import faded, folded, mid_slice, painted_grid, sides
from numbering.phantom.imaging.mr.levels import DiscPlace, SliceLevel, discs, level_of
from numbering.phantom.imaging.mr.painting import painted
from numbering.phantom.imaging.mr.planes import Planned, plan, single
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Grid, Structure, label_volume

STORED_MOST = 65535
_SMEAR_MM = 4.0
"""Standard deviation of the wall of the belly in one who breathes restlessly."""


@dataclass(frozen=True)
class MrSlice:
    """One slice: ``pixels (rows, columns)`` uint16 on ``grid``, what it shows, and labels ``(rows, columns)`` uint8."""

    planned: Planned
    pixels: NDArray[np.uint16]
    level: SliceLevel
    labels: NDArray[np.uint8] | None = None

    @property
    def affine(self) -> Array:
        """``(4, 4)``: (slice, row, column, 1) to mm in the patient frame; the slice column is its thickness."""
        return self.planned.grid.affine


@dataclass(frozen=True)
class MrSeries:
    """The slices of one series in the order of their numbers, and how they were acquired."""

    protocol: Protocol
    slices: tuple[MrSlice, ...]


def acquire(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    protocol: Protocol,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    labels: bool = False,
) -> MrSeries:
    """The series that this protocol gives; the same arguments give the same pixels on the same device.

    ``seed`` tells series of one patient apart: position, noise and motion; texture is the patient's.
    """
    rng = np.random.default_rng([seed, skeleton.patient.seed, 0x3A6])
    planned = plan(skeleton, protocol, rng)
    scanner = _Scanner(skeleton, structures, protocol, rng, device)
    return MrSeries(protocol, tuple(scanner.slices(planned, labels=labels)))


def acquire_together(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    protocols: Sequence[Protocol],
    planned: Sequence[Planned],
    seed: int,
    *,
    device: torch.device | str = "cpu",
) -> tuple[MrSeries, ...]:
    """Series of several contrasts on the same slices, painted once for all of them: the quick path for training.

    The protocols sample the same field of view alike (``ValueError``); contrast, noise and motion are their own.
    """
    first = protocols[0]
    if len({(sides(one), one.size, one.fov_mm, one.thickness_mm) for one in protocols}) > 1:
        raise ValueError("protocols that sample otherwise cannot be acquired together: expected one lattice")
    scanners = [
        _Scanner(skeleton, structures, one, np.random.default_rng([seed, skeleton.patient.seed, 0x3A8, number]), device)
        for number, one in enumerate(protocols)
    ]

    def shade(structure: Structure, distance: Tensor, points: Tensor) -> Tensor:
        return torch.cat([one.appearance(structure, distance, points) for one in scanners])

    found: list[list[MrSlice]] = [[] for _ in scanners]
    both = painted(structures, shade, 2 * len(scanners), planned, first, device)
    for one, channels in zip(planned, both, strict=True):
        level = level_of(skeleton, one.centre, one.normal)
        for scanner, slices, (water, fat) in zip(scanners, found, channels.split(2), strict=True):
            slices.append(scanner.formed(one, planned, water, fat, level))
    return tuple(MrSeries(one, tuple(slices)) for one, slices in zip(protocols, found, strict=True))


def training_slice(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    protocol: Protocol,
    place: DiscPlace,
    seed: int,
    *,
    offset_mm: float = 0.0,
    device: torch.device | str = "cpu",
) -> MrSlice:
    """One axial slice ``offset_mm`` above the middle of a disc: the quick path for training."""
    rng = np.random.default_rng([seed, skeleton.patient.seed, 0x3A7])
    planned = single(skeleton, protocol, place, rng, offset_mm)
    return next(_Scanner(skeleton, structures, protocol, rng, device).slices((planned,), labels=False))


class _Scanner:
    """What the slices of a series share."""

    def __init__(
        self,
        skeleton: Skeleton,
        structures: Sequence[Structure],
        protocol: Protocol,
        rng: np.random.Generator,
        device: torch.device | str,
    ) -> None:
        self._skeleton, self._structures, self._protocol, self._device = skeleton, structures, protocol, device
        self.appearance = Appearance(skeleton, structures, protocol, skeleton.patient.seed)
        self._reference = skeleton.at(22.0) + np.array([0, 25.0, 0])
        self._back = _back_of(structures, float(self._reference[1]))
        self._coil_seed, self._band = int(rng.integers(1 << 31)), Band(rng)
        self._rng = rng
        self._scale = protocol.white / self.appearance.brightest

    def slices(self, planned: Sequence[Planned], *, labels: bool) -> Iterator[MrSlice]:
        """The series, slice by slice."""
        both = painted(self._structures, self.appearance, 2, planned, self._protocol, self._device)
        for one, (water, fat) in zip(planned, both, strict=True):
            level = level_of(self._skeleton, one.centre, one.normal)
            yield self.formed(one, planned, water, fat, level, labels=labels)

    def formed(
        self,
        planned: Planned,
        series: Sequence[Planned],
        water: Tensor,
        fat: Tensor,
        level: SliceLevel,
        *,
        labels: bool = False,
    ) -> MrSlice:
        """One slice out of what was painted."""
        protocol = self._protocol
        field = self._excited(planned, series, water, fat)
        image = form(field, protocol, self.appearance.brightest, self._rng)
        image = image / self._sensitivity(planned.grid).clamp(min=0.03) ** protocol.normalised
        image = self._randomised(image, planned.grid)
        pixels = (image * self._scale).round().clamp(0, STORED_MOST).to(torch.int32).cpu().numpy().astype(np.uint16)
        drawn = label_volume(self._structures, planned.grid, self._device)[0].cpu().numpy() if labels else None
        return MrSlice(planned, pixels, level, drawn)

    def _excited(self, planned: Planned, series: Sequence[Planned], water: Tensor, fat: Tensor) -> Field:
        """Saturated, smeared by breath, weighted by the coil, and folded."""
        protocol = self._protocol
        grid = painted_grid(planned.grid, protocol)
        middle = mid_slice(grid)
        points = middle.points((slice(0, 1), slice(0, grid.shape[1]), slice(0, grid.shape[2])), self._device)[0]
        weight = self._band.kept(points, self._skeleton, protocol) * crosstalk(points, planned, series, protocol)
        weight = weight * self._sensitivity(middle) * faded(protocol, self._device)
        moving = moving_with_breath(points, self._skeleton)
        water, fat = (self._breathed(one, moving, grid) for one in (water, fat))
        return Field(*(folded(one, protocol) for one in (water * weight, fat * weight, moving)))

    def _breathed(self, image: Tensor, moving: Tensor, grid: Grid) -> Tensor:
        """Many breaths pass while a slice is encoded: what moves is smeared, beside the ghosts it throws."""
        reach_mm = _SMEAR_MM * self._protocol.breathing * (2.0 if self._protocol.weighting == "water GRE" else 1.0)
        if reach_mm < 0.2:
            return image
        return image * (1 - moving) + coil.blurred(image * moving, reach_mm / float(grid.spacing[1]))

    def _sensitivity(self, grid: Grid) -> Tensor:
        rng = np.random.default_rng(self._coil_seed)
        return coil.sensitivity(grid, self._reference, self._back, rng).to(self._device)

    def _randomised(self, image: Tensor, grid: Grid) -> Tensor:
        beyond = self._protocol.randomise
        if beyond.bias:
            image = image * coil.bent(grid, beyond.bias, self._rng).to(image.device)
        if beyond.blur_mm:
            image = coil.blurred(image, beyond.blur_mm / self._protocol.pixel_mm)
        if beyond.gamma:
            top = self.appearance.brightest
            image = top * (image / top).clamp(min=0) ** float(np.exp(self._rng.normal(0, 0.4 * beyond.gamma)))
        return image


def _back_of(structures: Sequence[Structure], reference_y: float) -> float:
    """y of the skin of the back, mm."""
    skins = [float(one.bounds[1][1]) for one in structures if one.label in (Label.SKIN, Label.FAT)]
    return max(skins) if skins else reference_y + 70.0


def disc_named(skeleton: Skeleton, name: str) -> DiscPlace:
    """The disc of this name, ``KeyError`` when this spine has none."""
    return {str(place.disc): place for place in discs(skeleton)}[name]
