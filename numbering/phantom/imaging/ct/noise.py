"""Quantum noise as a scanner makes it: drawn ray by ray, stronger where the body is thicker, then reconstructed.

The noise of a ray has the variance exp(path) of what the beam lost. Its projections are laid on the spokes of the
image's spectrum (central slice theorem) with the ramp's weight, so the noise has the right spectrum, streaks along the
shoulders and the hips, and is strongest in the middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from numbering.phantom.imaging.ct.kernel import REFERENCE, frequencies, image, padded_size, transfer
from numbering.phantom.imaging.ct.protocol import Kernel

BOWTIE = 1.3
"""Path that the filter before the tube adds 200 mm beside the axis."""


@dataclass(frozen=True)
class Rays:
    """Standard deviation of every ray, relative to one through the middle of the body: ``deviation (slices,
    directions, detectors)`` with ``pitch_mm``; directions cover half a turn from -π/2."""

    deviation: Tensor
    pitch_mm: float


def rays(paths: Tensor, pitch_mm: float, modulation: float) -> Rays:
    """From line integrals ``(slices, directions, detectors)``. ``modulation`` 0…1 of the current along the body."""
    detectors = paths.shape[-1]
    beside = (torch.arange(detectors, device=paths.device) - (detectors - 1) / 2) * pitch_mm
    paths = paths + BOWTIE * (beside / 200).square()
    middle = paths[..., detectors // 2 - 8 : detectors // 2 + 8].mean(2)
    # The current follows the width that the beam meets: less for thin directions and slices, by the square root.
    mean = middle.mean(1, keepdim=True)
    level = (middle - mean).exp().mean(1, keepdim=True).log() + mean
    target = level.median()
    loss = paths - 0.5 * (middle - mean)[..., None] - (modulation * (level - target) + target)[..., None]
    return Rays((0.5 * loss.clamp(-9, 7)).exp(), pitch_mm)


class Grain:
    """Draws noise for slices of one size; ``seed`` and device decide every value."""

    def __init__(self, rows: int, pitch_mm: float, kernel: Kernel, grain: float, device: torch.device | str) -> None:
        self.rows, self.pitch, self.device = rows, pitch_mm, torch.device(device)
        self.size = padded_size(rows)
        self.detectors = 2 * self.size
        self.directions = int(1.5 * self.size)
        radius = torch.arange(self.detectors // 2 + 1, device=device) / (self.detectors * pitch_mm)
        self.weight = _weight(radius, kernel, grain)
        self._place = self._spokes()
        self.unit = 1.0
        generator = torch.Generator(self.device).manual_seed(1)
        flat = Rays(torch.ones(4, 2, 2, device=device), 1e6)
        found = self._spectra(self.draw(4, generator), flat, [(0.0, 0.0)] * 4, _weight(radius, REFERENCE, 0.0))
        self.unit = 1 / float(image(found, rows).std())

    def draw(self, slices: int, generator: torch.Generator) -> Tensor:
        """White noise of so many slices' rays."""
        return torch.randn(slices, self.directions, self.detectors, generator=generator, device=self.device)

    def spectra(self, white: Tensor, rays: Rays, middles: list[tuple[float, float]], noise_hu: float) -> Tensor:
        """Spectra ``(slices, size, size // 2 + 1)``, as `kernel.image` takes them, of noise of ``noise_hu``.

        ``middles``: x and y mm of each slice's middle beside the scanner's axis, along columns and rows.
        """
        return noise_hu * self._spectra(white, rays, middles, self.weight)

    def _spectra(self, white: Tensor, rays: Rays, middles: list[tuple[float, float]], weight: Tensor) -> Tensor:
        sinogram = white * self._deviation(rays, middles)
        half = torch.fft.rfft(torch.fft.ifftshift(sinogram, dim=-1)) * weight
        half = torch.cat([half, half[:, :1].conj()], 1)
        parts = torch.view_as_real(half).permute(0, 3, 1, 2)
        found = grid_sample(parts, self._place.expand(len(parts), -1, -1, -1), align_corners=True)
        spectra = torch.complex(found[:, 0], found[:, 1])
        return spectra * self._centre * self.unit

    def _deviation(self, rays: Rays, middles: list[tuple[float, float]]) -> Tensor:
        angle = (torch.arange(self.directions, device=self.device) / self.directions - 0.5) * math.pi
        x, y = torch.tensor(middles, device=self.device, dtype=torch.float32).unbind(1)
        shift = x[:, None] * angle.cos() + y[:, None] * angle.sin()
        beside = (torch.arange(self.detectors, device=self.device) - self.detectors // 2) * self.pitch
        where = (beside + shift[..., None]) / (rays.pitch_mm * rays.deviation.shape[-1] / 2)
        around = torch.linspace(-1, 1, self.directions, device=self.device)[None, :, None].expand_as(where)
        grid = torch.stack([where, around], -1)
        return grid_sample(rays.deviation[:, None], grid, padding_mode="border", align_corners=False)[:, 0]

    def _spokes(self) -> Tensor:
        """Where each bin of a slice's spectrum lies on the spokes ``(1, size, size // 2 + 1, 2)``, for grid_sample."""
        across = torch.fft.rfftfreq(self.size, self.pitch, device=self.device)
        down = torch.fft.fftfreq(self.size, self.pitch, device=self.device)
        angle = torch.atan2(down[:, None], across[None].expand(self.size, -1))
        radius = frequencies(self.size, self.pitch, self.device) * (2 * self.pitch)
        # Spokes have their origin in the middle of the slice, a spectrum in its corner.
        half = (self.size - 1) / 2 * self.pitch
        self._centre = torch.exp(-2j * math.pi * half * (down[:, None] + across[None]))
        return torch.stack([2 * radius - 1, angle / (math.pi / 2)], -1)[None]


def _weight(radius: Tensor, kernel: Kernel, grain: float) -> Tensor:
    """Amplitude of the noise by frequency: the ramp (as a power spectrum), the kernel, iterative smoothing."""
    smooth = torch.exp(-grain * (radius / (0.65 * kernel.sharpness)) ** 2)
    return radius.sqrt() * transfer(kernel, radius) * smooth
