"""From line integrals to the detector's signal: spectrum, scatter behind a grid, blur, and quantum noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.film.attenuation import Spectrum
from numbering.phantom.imaging.film.smooth import blur

QUANTA_PER_MM2 = 60_000.0
"""Detected at the automatic exposure's chambers: about 2.5 µGy at the detector."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """How a detector saw the beam."""

    scatter: float
    """Scatter to primary in the middle of the body, behind the grid."""
    scatter_mm: float
    focal_mm: float
    """Blur of the focal spot and the scintillator at the detector, SD in mm."""
    dose: float
    """Multiple of `QUANTA_PER_MM2`."""
    noise_mm: float
    """Correlation length of noise (scintillator, processing), SD in mm."""

    @staticmethod
    def drawn(rng: np.random.Generator, lateral: bool) -> Detection:
        """What grids, tubes and detectors differ in; a lateral film scatters more and gets less light."""
        return Detection(
            scatter=float(rng.uniform(0.3, 0.75) * (1.4 if lateral else 1.0)),
            scatter_mm=float(rng.uniform(28, 50)),
            focal_mm=float(rng.uniform(0.14, 0.34)),
            dose=float(np.exp(rng.normal(0, 0.35)) * (0.8 if lateral else 1.0)),
            noise_mm=float(rng.uniform(0.05, 0.12)),
        )


def primary(integrals: Tensor, spectrum: Spectrum) -> Tensor:
    """Share of the open beam that comes straight through ``(rows, columns)``; integrals as in `attenuation.BASIS`."""
    total = torch.zeros_like(integrals[0])
    for weight, coefficients in zip(spectrum.weight, spectrum.coefficients(), strict=True):
        exponent = sum(
            (length * -float(mu) for mu, length in zip(coefficients, integrals, strict=True)),
            torch.zeros_like(total),
        )
        total += float(weight) * exponent.exp_()
    return total


@dataclass(frozen=True)
class Exposed:
    """What reaches the detector, open beam 1: ``straight`` through the body, before the shutters, blurred as the
    detector sees it; ``scatter``; and the signal behind the body where the exposure is measured (``chamber``)."""

    straight: Tensor
    scatter: Tensor
    chamber: Tensor


def exposed(straight: Tensor, body: Tensor, aperture: Tensor, detection: Detection, cell: float) -> Exposed:
    """Primary with its scatter, on a lattice of ``cell`` mm; ``aperture`` is 0 under the shutters.

    ``body`` is mm of tissue under each cell: scatter comes from tissue, and the exposure is measured behind it.
    """
    signal = straight * aperture
    inside = (body > 40) & (aperture > 0.5)
    inside = inside if bool(inside.any()) else torch.ones_like(inside)
    source = signal.clamp(max=0.25) * (1 - torch.exp(body / -60))
    halo = blur(source, detection.scatter_mm / cell)
    level, weight = signal[inside].mean(), halo[inside].mean()
    halo *= detection.scatter * level / weight.clamp_min(1e-9)
    return Exposed(blur(straight, detection.focal_mm / cell), halo, (signal + halo)[inside].median())


def with_noise(
    signal: Tensor, chamber: Tensor, detection: Detection, pitch: float, generator: torch.Generator
) -> Tensor:
    """The signal with the noise of its quanta and a detector's own."""
    quanta = detection.dose * QUANTA_PER_MM2 * pitch**2 / chamber.clamp_min(1e-6)
    noise = torch.randn(signal.shape, generator=generator, device=signal.device)
    noise *= (signal + 0.03 * chamber).div_(quanta).sqrt_()
    return blur(noise, detection.noise_mm / pitch).add_(signal).clamp_min_(1e-6)
