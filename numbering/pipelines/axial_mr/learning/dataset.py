"""Labelled slices as torch's loaders want them: laid on the network's picture as serving does, and kept so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy, tensor
from torch.utils.data import Dataset

from numbering.pipelines.axial_mr.learning.labelled import LabelledSlice
from numbering.pipelines.axial_mr.sizes import Size


class Pictures(Dataset[dict[str, Tensor]]):
    """Slices as the network sees them, kept in memory: ``image (1, side, side)`` uint8, ``likely (6,)``, ``true``."""

    def __init__(self, slices: Sequence[LabelledSlice], size: Size) -> None:
        self.slices, self.size = slices, size
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self.slices)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        one = self.slices[index]
        if index not in self._kept:
            self._kept[index] = np.asarray(one.picture(self.size) * 255 + 0.5, np.uint8)
        return {
            "image": from_numpy(self._kept[index][None]),
            "likely": tensor(one.likely),
            "true": tensor(one.true),
        }
