"""MR series of a posed patient: axial, sagittal, coronal, localizer, or one slice for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from numbering.phantom.imaging.mr import coil
from numbering.phantom.imaging.mr.appearance import Appearance
from numbering.phantom.imaging.mr.form import Field, form
from numbering.phantom.imaging.mr.levels import DiscPlace, SliceLevel, discs, level_of
from numbering.phantom.imaging.mr.planes import Planned, plan, single
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.pose import Array, Skeleton
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.structure import Grid, Structure, label_volume, paint

STORED_MOST = 65535
_SUBSLICE_MM = 1.4
_PAINTED_SHARE = 1.15
"""Painted pixels over acquired ones: the object is finer than what is measured."""


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
    return MrSeries(protocol, tuple(scanner.slice(one, planned, labels=labels) for one in planned))


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
    return _Scanner(skeleton, structures, protocol, rng, device).slice(planned, (planned,), labels=False)


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
        self._appearance = Appearance(skeleton, protocol, skeleton.patient.seed, device)
        self._reference = skeleton.at(22.0) + np.array([0, 25.0, 0])
        self._back = _back_of(structures, float(self._reference[1]))
        self._coil_seed, self._band = int(rng.integers(1 << 31)), _Band(rng)
        self._rng = rng
        self._scale = protocol.white / self._appearance.brightest

    def slice(self, planned: Planned, series: Sequence[Planned], *, labels: bool) -> MrSlice:
        protocol = self._protocol
        field, sensitivity = self._excited(planned, series)
        image = form(field, protocol, self._appearance.brightest, self._rng)
        even = functional.interpolate(sensitivity[None, None], size=image.shape, mode="bilinear")[0, 0]
        image = image / even.clamp(min=0.03) ** protocol.normalised
        image = self._randomised(image, planned.grid)
        pixels = (image * self._scale).round().clamp(0, STORED_MOST).to(torch.int32).cpu().numpy().astype(np.uint16)
        drawn = label_volume(self._structures, planned.grid, self._device)[0].cpu().numpy() if labels else None
        return MrSlice(planned, pixels, level_of(self._skeleton, planned.centre, planned.normal), drawn)

    def _excited(self, planned: Planned, series: Sequence[Planned]) -> tuple[Field, Tensor]:
        """Painted, saturated, folded, and weighted by the coil; and the coil's field over the field of view."""
        grid, inside, period = _painted_grid(planned.grid, self._protocol)
        water, fat = self._painted(grid)
        middle = Grid(_mid_slice(grid), (1, *grid.shape[1:]))
        points = middle.points((slice(0, 1), slice(0, grid.shape[1]), slice(0, grid.shape[2])), self._device)[0]
        kept = self._band.kept(points, self._skeleton, self._protocol) * _crosstalk(
            points, planned, series, self._protocol
        )
        rng = np.random.default_rng(self._coil_seed)
        sensitivity = coil.sensitivity(middle, self._reference, self._back, rng).to(self._device)
        moving = _moving(points, self._skeleton)
        axis = 0 if self._protocol.readout == "row" else 1
        weight = kept * sensitivity
        arrays = [_folded(one, axis, period) for one in (water * weight, fat * weight, moving)]
        return Field(*arrays), sensitivity[inside]

    def _painted(self, grid: Grid) -> tuple[Tensor, Tensor]:
        volume = paint(self._structures, grid, self._appearance, self._appearance.background, self._device)
        # An excited slice is no box: its middle counts more than its edges.
        count = grid.shape[0]
        profile = torch.exp(-0.5 * (torch.linspace(-1, 1, count, device=volume.device) * 0.9) ** 2)
        water, fat = (volume * (profile / profile.sum())[:, None, None]).sum(1)
        return water, fat

    def _randomised(self, image: Tensor, grid: Grid) -> Tensor:
        beyond = self._protocol.randomise
        if beyond.bias:
            image = image * coil.bent(grid, beyond.bias, self._rng).to(image.device)
        if beyond.blur_mm:
            image = _blurred(image, beyond.blur_mm / self._protocol.pixel_mm)
        if beyond.gamma:
            top = self._appearance.brightest
            image = top * (image / top).clamp(min=0) ** float(np.exp(self._rng.normal(0, 0.4 * beyond.gamma)))
        return image


class _Band:
    """A saturation band in front of the spine: its place and tilt are the technologist's."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._distance, self._tilt, self._width = rng.uniform(32, 55), rng.normal(0, 0.15), rng.uniform(40, 90)
        self._soft = rng.uniform(1.5, 5)

    def kept(self, points: Tensor, skeleton: Skeleton, protocol: Protocol) -> Tensor:
        """Factor of the signal at points ``(..., 3)``."""
        if protocol.saturation == 0:
            return torch.ones(points.shape[:-1], device=points.device)
        x, y, z = points.unbind(-1)
        ahead = _ahead(points, skeleton) - self._distance + self._tilt * x
        inside = torch.sigmoid(ahead / self._soft) * torch.sigmoid((self._width - ahead) / self._soft)
        return 1 - protocol.saturation * inside


def _ahead(points: Tensor, skeleton: Skeleton) -> Tensor:
    """mm in front of the middle of the spine, by the spine's mean position over these points."""
    heights = points[..., 2].detach().cpu().numpy()
    _, y = skeleton.midline(np.linspace(heights.min(), heights.max(), 24))
    return float(np.mean(y)) - points[..., 1]


def _moving(points: Tensor, skeleton: Skeleton) -> Tensor:
    """0…1: how much a point goes with the breath; the belly's wall most, the spine not at all."""
    return ((_ahead(points, skeleton) - 30) / 50).clamp(0, 1)


def _crosstalk(points: Tensor, planned: Planned, series: Sequence[Planned], protocol: Protocol) -> Tensor:
    """Where slices of neighbouring stacks cross this one, their excitation has used up signal."""
    kept = torch.ones(points.shape[:-1], device=points.device)
    if protocol.crosstalk == 0:
        return kept
    for other in series:
        if abs(other.stack - planned.stack) != 1:
            continue
        normal = torch.as_tensor(other.normal, dtype=torch.float32, device=points.device)
        away = ((points - torch.as_tensor(other.centre, dtype=torch.float32, device=points.device)) @ normal).abs()
        kept = kept * (1 - protocol.crosstalk * torch.sigmoid((protocol.thickness_mm * 0.55 - away) / 0.5))
    return kept


def _painted_grid(grid: Grid, protocol: Protocol) -> tuple[Grid, tuple[slice, slice], int]:
    """The lattice to paint: finer across the slice, about as fine as what is acquired within it, and longer along
    phase encoding; the window of it that is the field of view; and the length after which phase encoding repeats."""
    _, rows, columns = grid.shape
    pixel = protocol.fov_mm * max(1.0, protocol.fov_ratio) / (protocol.matrix[0] * _PAINTED_SHARE)
    spacing = grid.spacing
    size = [2 * max(8, round(n * s / pixel / 2)) for n, s in ((rows, spacing[1]), (columns, spacing[2]))]
    axis = 0 if protocol.readout == "row" else 1
    fov = size[axis]
    # Half of what is acquired beyond the field of view, on each side; then what folds back into it.
    period = 2 * round(fov * (1 + protocol.oversampling) / 2)
    beyond = (period - fov) // 2 + (0 if protocol.oversampling >= _NO_WRAP else min(period // 2, fov // 2))
    if protocol.oversampling >= _NO_WRAP:
        beyond = 0
    whole = list(size)
    whole[axis] = fov + 2 * beyond
    count = max(1, round(protocol.thickness_mm / _SUBSLICE_MM))
    affine = grid.affine.copy()
    step = grid.affine[:3, 0] / count
    row, column = (grid.affine[:3, 1 + k] * ((rows, columns)[k] / size[k]) for k in (0, 1))
    corner = grid.affine[:3, 3] - grid.affine[:3, 1] / 2 - grid.affine[:3, 2] / 2
    first = corner + row / 2 + column / 2 - step * (count - 1) / 2 - (row, column)[axis] * beyond
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = step, row, column, first
    window = [slice(0, size[0]), slice(0, size[1])]
    window[axis] = slice(beyond, beyond + fov)
    return Grid(affine, (count, whole[0], whole[1])), (window[0], window[1]), period


_NO_WRAP = 0.5
"""Oversampling from which nothing folds into the image; less is painted then."""


def _mid_slice(grid: Grid) -> Array:
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (grid.shape[0] - 1) / 2
    return affine


def _folded(image: Tensor, axis: int, period: int) -> Tensor:
    """The image along phase encoding as an acquisition of this period sees it, centred: longer parts fold over."""
    length = image.shape[axis]
    shape = list(image.shape)
    shape[axis] = period
    found = image.new_zeros(shape)
    first = (period - length) // 2  # negative where the painted part is longer
    place = torch.arange(length, device=image.device).add(first).remainder(period)
    return found.index_add(axis, place, image)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with a standard deviation in pixels."""
    reach = max(1, int(3 * sigma))
    offset = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offset / max(sigma, 1e-3)) ** 2)
    kernel = kernel / kernel.sum()
    found = functional.conv2d(image[None, None], kernel[None, None, :, None], padding=(reach, 0))
    return functional.conv2d(found, kernel[None, None, None], padding=(0, reach))[0, 0]


def _back_of(structures: Sequence[Structure], reference_y: float) -> float:
    """y of the skin of the back, mm."""
    skins = [float(one.bounds[1][1]) for one in structures if one.label in (Label.SKIN, Label.FAT)]
    return max(skins) if skins else reference_y + 70.0


def disc_named(skeleton: Skeleton, name: str) -> DiscPlace:
    """The disc of this name, ``KeyError`` when this spine has none."""
    return {str(place.disc): place for place in discs(skeleton)}[name]
