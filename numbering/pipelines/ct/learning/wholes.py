"""The direct network's samples: whole scans, with L1 and, where wanted, the vertebra above it and its ribs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from numbering.pipelines.ct.learning.augment import developed, flipped, moved
from numbering.pipelines.ct.learning.dataset import Volume
from numbering.pipelines.ct.learning.patches import Sample
from numbering.pipelines.ct.learning.simulate import LAST_RIB
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU, direct_grid, padded, scaled
from numbering.pipelines.ct.sizes import CLASSES, STRIDE, Size

MOST = 1_000_000
"""Voxels of a sample; a larger scan is cut across."""


def whole(volume: Volume, size: Size, rng: np.random.Generator, *, augment: bool = True) -> Sample:
    """A scan as ``image`` (1, slices, rows, columns) and ``mask`` (classes, …), sides multiples of `STRIDE`.

    Voxels of a mask are the share of the voxel that the structure fills.
    """
    grid = direct_grid(volume.hu, size)
    masks = np.stack([_on(grid.hu.shape, volume.labels == label, size) for label in _labels(volume, size)])
    image = torch.from_numpy(padded(grid.hu, STRIDE, OUTSIDE_HU))[None]
    found = torch.from_numpy(np.stack([padded(mask, STRIDE, 0.0) for mask in masks]))
    if augment:
        image, found = moved(image, found, _most(image.shape[1:]), rng)
        image, found, _ = flipped(image, found, size.flips["direct"], rng)
    image = torch.from_numpy(scaled(image.numpy(), size.direct_hu))
    return {"image": developed(image, rng) if augment else image, "mask": found}


def _labels(volume: Volume, size: Size) -> list[int]:
    """The label of each class; 255, which nothing has, where the scan has none."""
    label = {"L1": volume.first_lumbar, "T12": volume.last_thoracic, "rib": LAST_RIB}
    return [label[name] or 255 for name in CLASSES[size.classes]]


def _on(shape: tuple[int, ...], mask: NDArray[np.bool_], size: Size) -> NDArray[np.float32]:
    """A mask of the scan on the direct grid."""
    if not mask.any():
        return np.zeros(shape, np.float32)
    # 0 and 1 in HU far above air: what lies outside counts as nothing.
    return np.asarray((direct_grid(mask * -OUTSIDE_HU + OUTSIDE_HU, size).hu - OUTSIDE_HU) / -OUTSIDE_HU, np.float32)


def _most(shape: torch.Size | tuple[int, ...]) -> tuple[int, int, int]:
    """Sides that keep a sample below `MOST`: all slices, less of rows and columns, in steps of `STRIDE`."""
    slices, rows, columns = shape
    while slices * rows * columns > MOST and max(rows, columns) > STRIDE:
        rows, columns = (rows - STRIDE, columns) if rows >= columns else (rows, columns - STRIDE)
    return slices, rows, columns
