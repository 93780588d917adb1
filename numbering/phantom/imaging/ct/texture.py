"""What keeps tissue from being flat: random fields of the patient's own, evaluated at any points.

The fields belong to the patient frame, so two reconstructions of one scan show the same texture.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from numbering.phantom.scene.places import Places, Steps

_SIDE = 64
_TURN = torch.tensor([[0.64, 0.60, 0.48], [-0.768, 0.48, 0.424], [0.0, -0.64, 0.768]])
"""Turns the lattices against the image's axes, so that their cells do not show as rows and columns."""

CELLS_MM = {
    "grain": (0.75, 0.75, 1.2),
    "strand": (2.2, 2.2, 11.0),
    "lobule": (4.0, 4.0, 4.0),
    "organ": (8.5, 8.5, 8.5),
    "region": (28.0, 28.0, 28.0),
}
"""Lattice pitch of each field along x, y, z: trabeculae, muscle bundles, fat lobules, organ vessels, slow drifts."""
STEPS_MM: dict[str, Steps] = {name: (0.3 * x, 0.3 * y, 0.3 * z) for name, (x, y, z) in CELLS_MM.items()}
"""Between places so far apart a field may be taken for linear."""


class Textures:
    """Pairs of independent Gaussian fields of mean 0 and standard deviation about 1."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self._seed, self._device = seed, device
        self._lattices: dict[str, Tensor] = {}
        self._places = {
            name: ((torch.eye(3) if name == "strand" else _TURN.T) * (2 / _SIDE) / torch.tensor(cells)).to(device)
            for name, cells in CELLS_MM.items()
        }

    def _lattice(self, name: str) -> Tensor:
        if name not in self._lattices:
            rng = np.random.default_rng([self._seed, 0x7E47, list(CELLS_MM).index(name)])
            lattice = rng.standard_normal((2, _SIDE, _SIDE, _SIDE), np.float32)
            for axis in (1, 2, 3):
                lattice += 0.5 * (np.roll(lattice, 1, axis) + np.roll(lattice, -1, axis))
            lattice = lattice / lattice.std((1, 2, 3), keepdims=True)
            closed = np.pad(lattice, ((0, 0), (0, 1), (0, 1), (0, 1)), mode="wrap")
            self._lattices[name] = torch.as_tensor(closed[None], device=self._device)
        return self._lattices[name]

    def at(self, name: str, points: Tensor) -> Tensor:
        """Both fields ``(n, 2)`` of this name at points ``(n, 3)`` mm, trilinear between lattice points."""
        place = (points @ self._places[name]).remainder_(2).sub_(1)
        return grid_sample(self._lattice(name), place[None, None, None], align_corners=True)[0, :, 0, 0].T


class Here:
    """The textures at some places, each evaluated once."""

    def __init__(self, textures: Textures, places: Places) -> None:
        self.places, self._textures = places, textures
        self._found: dict[str, Tensor] = {}

    def __call__(self, name: str) -> Tensor:
        """Both fields ``(n, 2)``."""
        if name not in self._found:
            self._found[name] = self.places.slowly(partial(self._textures.at, name), STEPS_MM[name], name)
        return self._found[name]


def strand(pair: Tensor, width: float) -> Tensor:
    """0…1: thin sheets where the first field of a pair ``(n, 2)`` is near zero, such as the septa of fat."""
    return torch.exp(-((pair[:, 0] / width) ** 2))


def tube(pair: Tensor, width: float) -> Tensor:
    """0…1: curved lines where both fields of a pair ``(n, 2)`` are near zero, such as small vessels."""
    return torch.exp(-(pair.square().sum(1) / width**2))
