"""The reconstruction kernel as a modulation transfer function, applied to whole slices."""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import pad

from numbering.phantom.imaging.ct.protocol import KERNELS, Kernel

MARGIN_PIXELS = 12
"""Mirrored around a slice, so that its opposite edges do not reach each other."""


def transfer(kernel: Kernel, frequency: Tensor) -> Tensor:
    """Modulation at frequencies in line pairs a mm."""
    fall = torch.exp(-math.log(2) * (frequency / kernel.sharpness) ** 2.2)
    place = (frequency / (0.55 * kernel.sharpness)) ** 2
    return fall * (1 + kernel.boost * place * torch.exp(1 - place))


def padded_size(pixels: int) -> int:
    """Length of a padded row, quick to transform."""
    return int(next_fast_len(pixels + 2 * MARGIN_PIXELS, real=True))


def frequencies(size: int, pitch_mm: float, device: torch.device | str) -> Tensor:
    """Radial frequency ``(size, size // 2 + 1)`` of a padded slice's spectrum, line pairs a mm."""
    across = torch.fft.rfftfreq(size, pitch_mm, device=device)
    down = torch.fft.fftfreq(size, pitch_mm, device=device)
    return torch.hypot(down[:, None], across[None])


def spectrum(slices: Tensor) -> Tensor:
    """Spectra ``(n, size, size // 2 + 1)`` of slices ``(n, rows, rows)``, mirrored at their edges."""
    rows = slices.shape[-1]
    size = padded_size(rows)
    before = MARGIN_PIXELS
    after = size - rows - before
    mode = "reflect" if after < rows else "replicate"
    return torch.fft.rfft2(pad(slices, (before, after, before, after), mode=mode))


def image(spectra: Tensor, rows: int) -> Tensor:
    """Slices ``(n, rows, rows)`` of `spectrum`'s spectra."""
    size = spectra.shape[-2]
    whole = torch.fft.irfft2(spectra, s=(size, size))
    return whole[:, MARGIN_PIXELS : MARGIN_PIXELS + rows, MARGIN_PIXELS : MARGIN_PIXELS + rows]


REFERENCE = KERNELS["standard"]
"""Noise is quoted under this kernel."""
