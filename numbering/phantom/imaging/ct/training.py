"""Volumes for training, straight on the network's grid: no projections, but bias, blur, noise and random tissues.

``randomise`` 0 shows tissues as a scanner would; 1 gives every label a grey level of its own by chance, as in training
segmentation networks from label maps alone (SynthSeg, Billot et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from numbering.phantom.imaging.ct.hounsfield import PHASES, Phase
from numbering.phantom.imaging.ct.near import near
from numbering.phantom.imaging.ct.painting import paint
from numbering.phantom.imaging.ct.tissue import Look
from numbering.phantom.pose import Skeleton
from numbering.phantom.scene.labels import is_bone
from numbering.phantom.scene.places import Places
from numbering.phantom.scene.structure import Grid, Structure


class Randomised:
    """A `Look` whose labels drift towards random grey levels."""

    def __init__(self, look: Look, rng: np.random.Generator, amount: float) -> None:
        self._look, self._amount = look, amount
        self._levels = rng.uniform(-700, 1200, 256)
        self._kept = rng.uniform(0.2, 1.0, 256)

    def hu(self, label: int, distance: Tensor, places: Places, edge_mm: float) -> Tensor:
        """As `Look.hu`."""
        found = self._look.hu(label, distance, places, edge_mm)
        middle = self._look.mean(label) if not is_bone(label) else 250.0
        # All bones share a level, so that nothing tells one vertebra from the next.
        level, kept = float(self._levels[0 if is_bone(label) else label]), float(self._kept[label])
        return torch.lerp(found, level + kept * (found - middle), self._amount)

    def relief(self, label: int, places: Places) -> Tensor | None:
        """As `Look.relief`."""
        return self._look.relief(label, places)


def volume(
    skeleton: Skeleton,
    structures: Sequence[Structure],
    grid: Grid,
    seed: int | Sequence[int],
    *,
    phase: Phase | None = None,
    noise_hu: float | None = None,
    randomise: float = 0.0,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """HU float32 and labels uint8 ``[slice, row, column]`` on this grid.

    ``phase`` and ``noise_hu`` are drawn where not given. The same arguments give the same values on the same device.
    """
    rng = np.random.default_rng(seed)
    drawn: Phase = phase or PHASES[int(rng.choice(3, p=[0.5, 0.15, 0.35]))]
    number = int(rng.integers(1 << 31))
    look = Look(skeleton, drawn, number, device)
    shading = Randomised(look, rng, randomise) if randomise > 0 else look
    painted = paint(near(structures, grid), grid, shading, device)
    generator = torch.Generator(torch.device(device)).manual_seed(number)
    deviation = float(rng.lognormal(np.log(15), 0.5)) * (1 + 2 * randomise) if noise_hu is None else noise_hu
    hu = painted.hu
    if randomise > 0:
        hu = _biased(hu, rng, randomise, device)
        hu = _blurred(hu, float(rng.uniform(0, 1.2)) * randomise)
    grain = torch.randn(hu.shape, generator=generator, device=hu.device)
    grain = _blurred(grain, float(rng.uniform(0.3, 0.7)))
    return hu + deviation * grain / grain.std().clamp(min=1e-6), painted.labels


def _biased(hu: Tensor, rng: np.random.Generator, amount: float, device: torch.device | str) -> Tensor:
    """Brightness and contrast that change smoothly over the volume, and a bent grey scale."""
    knots = torch.as_tensor(rng.normal(0, 1, (1, 2, 4, 4, 4)), dtype=torch.float32, device=device)
    field = interpolate(knots, size=hu.shape, mode="trilinear", align_corners=True)[0]
    bent = 1000 * torch.sign(hu) * (hu.abs() / 1000) ** float(np.exp(amount * rng.normal(0, 0.15)))
    return bent * (1 + 0.12 * amount * field[0]) + 60 * amount * field[1]


def _blurred(values: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, ``sigma`` voxels."""
    if sigma < 0.15:
        return values
    reach = max(1, round(3 * sigma))
    at = torch.arange(-reach, reach + 1, device=values.device, dtype=torch.float32)
    weight = torch.exp(-0.5 * (at / sigma) ** 2)
    weight = weight / weight.sum()
    found = values
    for axis in range(3):
        sides = [0, 0, 0, 0, 0, 0]
        sides[2 * (2 - axis)] = sides[2 * (2 - axis) + 1] = reach
        wide, count = pad(found[None, None], sides, mode="replicate")[0, 0], values.shape[axis]
        # Adding shifted volumes takes a processor a fraction of what a convolution does.
        found = wide.narrow(axis, 0, count) * weight[0]
        for index in range(1, len(weight)):
            found.add_(wide.narrow(axis, index, count) * weight[index])
    return found
