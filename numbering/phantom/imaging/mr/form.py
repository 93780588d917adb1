"""From painted signal to an image as a scanner reconstructs it: k-space with its limits, motion and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.mr.lattice import Side, sides
from numbering.phantom.imaging.mr.protocol import Protocol


@dataclass(frozen=True)
class Field:
    """What the scanner excites in one slice, ``(rows, columns)`` each, weighted by the coil's sensitivity.

    It covers one period of each side (`numbering.phantom.imaging.mr.lattice`); what lay beyond is folded in already.
    """

    water: Tensor
    fat: Tensor
    moving: Tensor
    """0…1: how much each point moves with breath."""


def form(field: Field, protocol: Protocol, reference: float, rng: np.random.Generator) -> Tensor:
    """Magnitude image ``(rows, columns)`` of `Protocol.size`; noise is set against the ``reference`` signal."""
    turned = protocol.readout == "column"
    arrays = (field.water, field.fat, field.moving)
    water, fat, moving = ((one.T if turned else one) for one in arrays)
    phase, readout = sides(protocol)[::-1] if turned else sides(protocol)
    spectrum = _centre(_encoded(water, fat, moving, protocol, readout, rng), phase.acquired, readout.acquired)
    down, across = (_taper(side.acquired, protocol.tukey).to(spectrum.device) for side in (phase, readout))
    spectrum = spectrum * down[:, None] * across
    spectrum = spectrum / (phase.period * readout.period)
    sigma = reference / protocol.signal_to_noise / np.sqrt(phase.acquired * readout.acquired)
    noise = rng.normal(0, sigma, (2, *spectrum.shape)).astype(np.float32)
    spectrum = spectrum + torch.complex(*(torch.as_tensor(part, device=spectrum.device) for part in noise))
    image = _reconstructed(spectrum, phase, readout)
    return image.T if turned else image


def _encoded(
    water: Tensor, fat: Tensor, moving: Tensor, protocol: Protocol, readout: Side, rng: np.random.Generator
) -> Tensor:
    """k-space ``(phase, readout)``, zero frequency in the middle."""
    lines, samples = water.shape
    # Fat precesses slower, so each of its samples is read as coming from further along the gradient.
    shift = protocol.fat_shift_pixels * readout.period / readout.acquired
    along = torch.fft.fftfreq(samples, device=water.device)
    ramp = torch.exp(-2j * torch.pi * along * shift)
    still = torch.fft.fft2(water) + torch.fft.fft2(fat) * ramp
    if protocol.breathing > 0:
        moved = torch.fft.fft2(water * moving) + torch.fft.fft2(fat * moving) * ramp
        still = still + moved * (_breath(lines, protocol, rng).to(water.device)[:, None] - 1)
    return torch.fft.fftshift(still)


def _breath(lines: int, protocol: Protocol, rng: np.random.Generator) -> Tensor:
    """Factor of each phase line (in the order of `torch.fft.fftfreq`) for what moves: displaced and a little weaker."""
    period = rng.uniform(5, 16)
    order = np.arange(lines)
    cycle = np.sin(2 * np.pi * (order / period + 0.15 * np.cumsum(rng.normal(0, 0.15, lines))) + rng.uniform(0, 6.3))
    displaced = protocol.breathing * 0.012 * lines * cycle / (2 * protocol.averages) ** 0.5
    weaker = 1 - 0.15 * protocol.breathing * (1 + cycle) / 2
    frequency = np.fft.fftfreq(lines)
    factor = weaker * np.exp(-2j * np.pi * frequency * np.fft.ifftshift(displaced))
    return torch.as_tensor(factor.astype(np.complex64))


def _centre(spectrum: Tensor, lines: int, samples: int) -> Tensor:
    """The middle of k-space; zeros around it where the painted lattice was coarser."""
    found = spectrum
    for axis, wanted in ((0, lines), (1, samples)):
        have = found.shape[axis]
        low = have // 2 - wanted // 2
        if wanted <= have:
            found = found.narrow(axis, low, wanted)
        else:
            shape = list(found.shape)
            shape[axis] = wanted
            larger = found.new_zeros(shape)
            larger.narrow(axis, -low, have).copy_(found)
            found = larger
    return found


def _taper(count: int, share: float) -> Tensor:
    """Tukey's window: flat, with cosine ends over ``share`` of it."""
    place = np.abs(np.arange(count) - count // 2) / (count / 2)
    edge = np.clip((place - (1 - share)) / max(share, 1e-6), 0, 1)
    return torch.as_tensor((0.5 + 0.5 * np.cos(np.pi * edge * 0.9)).astype(np.float32))


def _reconstructed(spectrum: Tensor, phase: Side, readout: Side) -> Tensor:
    """Zero-filled to the reconstructed matrix; the oversampled rest is thrown away."""
    full = _centre(spectrum, phase.encoded, readout.encoded)
    full = full * _half_pixel(phase).to(full.device)[:, None] * _half_pixel(readout).to(full.device)
    image = torch.fft.ifft2(torch.fft.ifftshift(full)) * full.numel()
    for axis, side in enumerate((phase, readout)):
        image = image.narrow(axis, (side.encoded - side.shown) // 2, side.shown)
    return image.abs()


def _half_pixel(side: Side) -> Tensor:
    """Phase that moves pixel centres from those of the painted lattice to those of the image: both sides begin with an
    edge, not with a centre."""
    cycles = np.arange(side.encoded) - side.encoded // 2
    shift = 0.5 / side.encoded - 0.5 / side.period
    return torch.as_tensor(np.exp(2j * np.pi * cycles * shift).astype(np.complex64))
