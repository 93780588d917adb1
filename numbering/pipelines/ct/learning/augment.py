"""Turned, scaled, bent and mirrored by MONAI's transforms, images and masks alike; one interpolation each.

A flip along z turns head and feet about. Voxels keep their names, so L1 stays L1, and the direction of an instance
turns with it; but ribs then lie below L1 and the sacrum above, which no served volume shows: DICOM says where the head
is. The paper flips whole volumes along z too; the small size does not, for a part of a spine is easier to name when up
is up (`Size.flips`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from monai.transforms.compose import Compose, OneOf
from monai.transforms.intensity.dictionary import RandAdjustContrastd, RandGaussianSmoothd
from monai.transforms.spatial.dictionary import Rand3DElasticd, RandAffined
from torch import Tensor

TURN = np.deg2rad(20.0)
"""Methods 2.2: rotations between -20° and 20°."""
SCALE = 0.15
BENT_SHARE = 0.15
BEND_SMOOTH, BEND_MOST = (5.0, 7.0), (60.0, 160.0)
"""Of the elastic deformation: voxels of its smoothing, and its size before that."""


def moved(image: Tensor, masks: Tensor, shape: tuple[int, int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Image ``(1, …)`` and masks ``(n, …)`` turned about the middle and cut to ``shape``; beyond lies what was at the
    edge. Values of masks are interpolated to the nearest."""
    transform = _moves(shape)
    transform.set_random_state(seed=int(rng.integers(1 << 31)))
    found: Any = transform({"image": image, "masks": masks})
    return _plain(found["image"]), _plain(found["masks"])


def developed(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Another sharpness and contrast, ``(1, …)`` values 0…1."""
    transform = _looks()
    transform.set_random_state(seed=int(rng.integers(1 << 31)))
    found: Any = transform({"image": image})
    return _plain(found["image"]).clamp(0, 1)


def flipped(image: Tensor, masks: Tensor, axes: Sequence[int], rng: np.random.Generator) -> tuple[Tensor, Tensor, bool]:
    """Each of ``axes`` (0 slices, 1 rows, 2 columns) mirrored or not; whether head and feet were turned about."""
    chosen = [axis for axis in axes if rng.random() < 0.5]
    dims = [axis + 1 for axis in chosen]
    return torch.flip(image, dims), torch.flip(masks, dims), 0 in chosen


@cache
def _moves(shape: tuple[int, int, int]) -> Compose:
    keys, mode = ["image", "masks"], ["bilinear", "nearest"]
    shared: dict[str, Any] = {
        "prob": 1.0,
        "rotate_range": [TURN] * 3,
        "scale_range": [SCALE] * 3,
        "padding_mode": "border",
    }
    return OneOf(
        [
            RandAffined(keys, spatial_size=shape, mode=mode, **shared),
            Rand3DElasticd(keys, BEND_SMOOTH, BEND_MOST, spatial_size=shape, mode=mode, **shared),
        ],
        weights=[1 - BENT_SHARE, BENT_SHARE],
    )


@cache
def _looks() -> Compose:
    return Compose(
        [
            RandGaussianSmoothd("image", (0.3, 0.8), (0.3, 0.8), (0.3, 0.8), prob=0.3),
            RandAdjustContrastd("image", prob=0.5, gamma=(0.7, 1.4)),
        ]
    )


def _plain(found: Any) -> Tensor:
    """Without MONAI's metadata."""
    return torch.as_tensor(found.as_tensor() if hasattr(found, "as_tensor") else found).contiguous()
