"""From the detector's signal to the picture that a maker's software shows: scales weighed, tone curve, twelve bits.

Looks are named after what they do, not after makers. All work on the logarithm of the signal, bright means dense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.film.smooth import halved, resized

COARSEST_MM = 60.0
"""Detail coarser than this counts as the film's slow background."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a maker processes films.

    Detail of each octave is compressed by ``power`` (1 linear, smaller lifts faint detail) and multiplied by ``fine``
    below 1.5 mm and by ``middle`` up to 12 mm; the slow background by ``slow``. ``gamma`` bends and ``steep`` (0 a
    straight line) makes the tone curve S-shaped; ``dark`` and ``bright`` are the percentiles of the body that become
    black and white.
    """

    power: float
    fine: float
    middle: float
    slow: float
    gamma: float
    steep: float
    dark: float
    bright: float

    def varied(self, rng: np.random.Generator, by: float = 1.0) -> Look:
        """The same look as another department set it up; ``by`` > 1 is beyond what is found."""
        return replace(
            self,
            power=float(np.clip(self.power + rng.normal(0, 0.03) * by, 0.5, 1.15)),
            fine=float(self.fine * np.exp(rng.normal(0, 0.15) * by)),
            middle=float(self.middle * np.exp(rng.normal(0, 0.12) * by)),
            slow=float(self.slow * np.exp(rng.normal(0, 0.15) * by)),
            gamma=float(self.gamma * np.exp(rng.normal(0, 0.12) * by)),
            steep=float(self.steep * np.exp(rng.normal(0, 0.2) * by)),
        )


LOOKS: Mapping[str, Look] = {
    "plain": Look(power=1.0, fine=1.0, middle=1.0, slow=0.8, gamma=1.0, steep=2.0, dark=3, bright=99.7),
    "equalised": Look(power=0.85, fine=1.6, middle=1.5, slow=0.5, gamma=1.0, steep=1.2, dark=1.5, bright=99.8),
    "crisp": Look(power=0.92, fine=1.6, middle=1.3, slow=0.55, gamma=1.1, steep=1.6, dark=2, bright=99.7),
    "soft": Look(power=0.95, fine=0.7, middle=1.1, slow=0.6, gamma=0.9, steep=2.4, dark=3, bright=99.8),
    "contrasty": Look(power=0.95, fine=1.2, middle=1.2, slow=0.75, gamma=1.25, steep=3.4, dark=6, bright=99.6),
    "flat": Look(power=0.85, fine=1.3, middle=1.4, slow=0.4, gamma=1.0, steep=0.6, dark=1, bright=99.9),
}


SPARSE = 4
"""Grey values are measured in each so manyth pixel of each so manyth row."""
THICK = 0.45
"""The tone curve is fitted where the body is at least this share of its thickest: not to lungs and skin folds."""


SHADES = 1 << 16


def picture(signal: Tensor, tissue_mm: Tensor, look: Look, pitch: float) -> Tensor:
    """Grey values 0…1 ``(rows, columns)`` of a signal, which is used up.

    ``tissue_mm`` is how much tissue was exposed under each `SPARSE`-th pixel of each `SPARSE`-th row.
    """
    processed = _weighed(signal.log_().neg_(), tissue_mm > 30, look, pitch)
    thickest = _percentiles(tissue_mm.reshape(-1), 98)[0]
    sparse = processed[::SPARSE, ::SPARSE]
    inside = sparse[tissue_mm > (THICK * thickest).clamp_min(30)]
    inside = inside if len(inside) > 50 else sparse.reshape(-1)
    low, high = _percentiles(inside, look.dark, look.bright)
    # Below the body's darkest parts lies air: a toe, not a cut, as on film.
    scale = (SHADES - 1) / (1.14 * (high - low)).clamp_min(1e-3)
    shade = (processed - (low - 0.12 * (high - low))).mul_(scale).clamp_(0, SHADES - 1).int()
    shades = torch.linspace(0, 1, SHADES, device=signal.device)
    return _curve(shades**look.gamma, look.steep).index_select(0, shade.view(-1)).view_as(signal)


def _percentiles(values: Tensor, *percent: float) -> list[Tensor]:
    ordered = values.sort().values
    return [ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in percent]


def _curve(grey: Tensor, steep: float) -> Tensor:
    """An S between 0 and 1 that keeps both ends."""
    if steep < 0.05:
        return grey
    ends = torch.sigmoid(torch.tensor([-0.5 * steep, 0.5 * steep], device=grey.device))
    return (torch.sigmoid((grey - 0.5) * steep) - ends[0]) / (ends[1] - ends[0])


def _weighed(density: Tensor, body: Tensor, look: Look, pitch: float) -> Tensor:
    """The octaves of the image put together again, each with its own weight (a Laplacian pyramid)."""
    # Open beam is so far from the body that its edge would ring: it is pulled towards the body first.
    inside = density[::SPARSE, ::SPARSE][body]
    floor = _percentiles(inside, 0.5)[0] - 0.5 if len(inside) > 50 else density.min()
    current = torch.maximum(density, floor * 0.85 + density * 0.15)
    octaves, scale_mm = [], pitch
    while scale_mm < COARSEST_MM / 2 and min(current.shape) > 8:
        small = halved(current, 0.8)
        octaves.append((current.sub_(_up(small, current)), scale_mm))
        current, scale_mm = small, scale_mm * 2
    result = (current - current.mean()) * look.slow
    for band, at_mm in reversed(octaves):
        gain = look.fine if at_mm < 0.75 else look.middle if at_mm < 6 else (look.middle * look.slow) ** 0.5
        reference = 0.12
        size = band.abs().clamp_min_(1e-4).mul_(1 / reference).pow_(look.power - 1).mul_(gain)
        result = _up(result, band).addcmul(band, size)
    return result


def _up(small: Tensor, like: Tensor) -> Tensor:
    rows, columns = small.shape[0] * 2, small.shape[1] * 2
    return resized(small, rows, columns)[: like.shape[0], : like.shape[1]]
