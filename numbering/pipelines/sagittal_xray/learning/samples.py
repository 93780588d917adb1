"""What training samples are: dictionaries of tensors, made from films whose pixels stay in memory.

``image`` ``(1, rows, columns)``; ``corners`` ``(…, 2)`` in the coordinates of `dsnt`, ``known`` ``(…)`` which of them
count; ``said`` what the logits should be and ``judged`` which of them count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from numbering.pipelines.sagittal_xray.learning.dataset import LabelledFilm, open_region
from numbering.pipelines.sagittal_xray.sizes import Size

Sample = dict[str, Tensor]


class Films:
    """Films with their pixels kept in memory."""

    def __init__(self, films: Sequence[LabelledFilm], size: Size, seed: int | None = None) -> None:
        self.films, self.size, self.seed = films, size, seed
        self._kept: dict[int, tuple[NDArray[np.uint8], tuple[int, int, int, int]]] = {}

    def opened(self, index: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
        """Pixels, and the region inside the shutters."""
        if index not in self._kept:
            pixels = self.films[index].pixels()
            self._kept[index] = pixels, open_region(pixels)
        return self._kept[index]

    def rng(self, index: int) -> np.random.Generator:
        """Fresh chances at every call; without a seed of our own they follow torch's, with one they stay the same."""
        if self.seed is not None:
            return np.random.default_rng([self.seed, index])
        return np.random.default_rng(int(torch.randint(2**62, ()).item()))


def within(points: Tensor, rows: int, columns: int) -> Tensor:
    """Which points ``(…, 2)`` in canvas pixels lie on the canvas."""
    x, y = points[..., 0], points[..., 1]
    return (x > -0.5) & (y > -0.5) & (x < columns - 0.5) & (y < rows - 0.5)


def normalised(points: Tensor, rows: int, columns: int) -> Tensor:
    """Canvas pixels to the coordinates of `dsnt`."""
    return (2 * points + 1) / torch.tensor([columns, rows], dtype=points.dtype) - 1


def on_canvas(coordinates: Tensor, rows: int, columns: int) -> Tensor:
    """Coordinates of `dsnt` to canvas pixels."""
    return ((coordinates + 1) * torch.tensor([columns, rows], dtype=coordinates.dtype) - 1) / 2
