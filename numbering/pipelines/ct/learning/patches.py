"""The instance network's samples: a patch, the vertebrae that were already found, and the one that comes next.

Which one comes next is one rule, in training as in the walk along the spine: the first vertebra in the direction of
which at least `LEAST_MM3` lie in the patch and that is not remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from numbering.pipelines.ct.learning.augment import developed, flipped, moved
from numbering.pipelines.ct.learning.dataset import SACRUM, Bone, Volume
from numbering.pipelines.ct.learning.fields import is_vertebra
from numbering.pipelines.ct.levels import EMPTY
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU, Direction, patch_channels
from numbering.pipelines.ct.sizes import Size

Sample = dict[str, Tensor]
Seen = list[tuple[Bone, NDArray[np.float64]]]
EMPTY_SHARE = 0.25
"""Share of patches without a vertebra to segment (the paper: 15–20 % and 30 %)."""
JITTER_MM = 20.0
"""A patch is centred on its vertebra give or take so much in each direction (Methods 2.1)."""
STEP_SHARE, EDGE_SHARE = 0.35, 0.1
"""Patches that are still centred on the vertebra found before, as the walk begins each step; and those centred on the
first or last slice, as it begins."""
LEAST_MM3 = 1000.0
"""Less of a vertebra is none (the paper: 1 cm³)."""
FRESH_SHARE = 0.15
"""Share of patches whose vertebra is the first of the scan: nothing is remembered."""
ROOM = 1.3
"""A block is cut this much larger before it is turned."""
UNSURE_SHARE = 0.5
"""Share of memories that are as inexact as a segmentation."""


@dataclass(frozen=True)
class Wanted:
    """What a patch is about. ``bone`` None: nothing is left to segment. ``middle`` voxels of the volume."""

    direction: Direction
    remembered: tuple[int, ...]
    bone: Bone | None
    middle: NDArray[np.float64]


def patch(volume: Volume, seen: Seen, size: Size, rng: np.random.Generator, *, augment: bool = True) -> Sample:
    """One sample of a scan whose vertebrae are ``seen`` (`visible`): ``image`` (3, side, side, side), ``mask``,
    ``level``, ``signs`` with ``judged``."""
    wanted = _drawn(volume, seen, size, rng)
    side = round(size.side * ROOM) if augment else size.side
    hu, labels = (
        cut(array, wanted.middle, side, fill) for array, fill in ((volume.hu, OUTSIDE_HU), (volume.labels, 0))
    )
    image = torch.from_numpy(hu.astype(np.float32))[None]
    masks = torch.from_numpy(labels.astype(np.float32))[None]
    direction = wanted.direction
    if augment:
        image, masks = moved(image, masks, (size.side,) * 3, rng)
        image, masks, turned = flipped(image, masks, size.flips["instance"], rng)
        direction = direction if not turned else "up" if direction == "down" else "down"
    found = masks[0].numpy().round().astype(np.uint8)
    memory = np.isin(found, wanted.remembered)
    if augment and rng.random() < UNSURE_SHARE:
        memory = _unsure(memory, rng)
    bone = wanted.bone
    mask = found == bone.label if bone is not None else np.zeros_like(memory)
    if bone is not None and mask.sum() * size.spacing_mm**3 < LEAST_MM3 / 2:
        bone, mask = None, np.zeros_like(memory)
    channels = torch.from_numpy(patch_channels(image[0].numpy(), memory, direction, size))
    if augment:
        channels[:1] = developed(channels[:1], rng)
    signs, judged = _signs(volume, bone, size)
    return {
        "image": channels,
        "mask": torch.from_numpy(mask.astype(np.float32))[None],
        "level": torch.tensor(EMPTY if bone is None else bone.place),
        "signs": torch.tensor(signs),
        "judged": torch.tensor(judged),
    }


def _drawn(volume: Volume, seen: Seen, size: Size, rng: np.random.Generator) -> Wanted:
    """Direction, vertebra and place of a patch."""
    direction: Direction = "down" if rng.random() < 0.5 else "up"
    ordered = seen if direction == "down" else seen[::-1]
    jitter = rng.uniform(-JITTER_MM, JITTER_MM, 3) / size.spacing_mm
    if not ordered or rng.random() < EMPTY_SHARE:
        return _nothing(volume, ordered, direction, size, rng)
    at = 0 if rng.random() < FRESH_SHARE else int(rng.integers(len(ordered)))
    middle = ordered[at][1]
    drawn = rng.random()
    if drawn < STEP_SHARE and at:
        middle = ordered[at - 1][1]
        jitter = jitter / 3
    elif drawn < STEP_SHARE + EDGE_SHARE and not at:
        middle = np.array([0.0 if direction == "down" else len(volume.hu) - 1.0, *middle[1:]])
    remembered = tuple(one.label for one, _ in ordered[:at])
    return next_in(volume, direction, remembered, middle + jitter, size) or Wanted(
        direction, remembered, None, middle + jitter
    )


def _nothing(volume: Volume, ordered: Seen, direction: Direction, size: Size, rng: np.random.Generator) -> Wanted:
    """A patch behind the last vertebra, or beside the spine: all that it shows is remembered."""
    remembered = tuple(one.label for one, _ in ordered)
    if ordered and rng.random() < 0.6:
        middle = ordered[-1][1] + rng.uniform(-1, 1, 3) * JITTER_MM / size.spacing_mm
        return Wanted(direction, remembered, None, middle)
    middle = rng.uniform(0, np.array(volume.hu.shape) - 1)
    if rng.random() < 0.5:
        return Wanted(direction, remembered, None, middle)
    return next_in(volume, direction, (), middle, size) or Wanted(direction, (), None, middle)


def next_in(
    volume: Volume, direction: Direction, remembered: tuple[int, ...], middle: NDArray[np.float64], size: Size
) -> Wanted | None:
    """The rule: what a patch there is about; None where it shows nothing but what is remembered."""
    counts = np.bincount(cut(volume.labels, middle, size.side, 0).ravel(), minlength=256) * size.spacing_mm**3
    bones = volume.bones if direction == "down" else volume.bones[::-1]
    for bone in bones:
        if bone.label not in remembered and counts[bone.label] >= LEAST_MM3:
            return Wanted(direction, remembered, bone, middle)
    return None


def visible(volume: Volume, size: Size) -> Seen:
    """Vertebrae of which enough lies within the scan, head to foot, and the middle of what is seen of each."""
    index = np.argwhere(is_vertebra(volume.labels))
    labels = volume.labels[tuple(index.T)]
    counts = np.bincount(labels, minlength=256)
    sums = np.stack([np.bincount(labels, index[:, axis], 256) for axis in range(3)], 1)
    return [
        (bone, sums[bone.label] / counts[bone.label])
        for bone in volume.bones
        if counts[bone.label] * size.spacing_mm**3 >= LEAST_MM3
    ]


def cut(array: NDArray[np.generic], middle: NDArray[np.float64], side: int, fill: float) -> NDArray[np.generic]:
    """A cube around ``middle`` (voxels); ``fill`` beyond the array."""
    first = np.round(middle - (side - 1) / 2).astype(int)
    found = np.full((side,) * 3, fill, array.dtype)
    low, high = np.maximum(first, 0), np.minimum(first + side, array.shape)
    if (high > low).all():
        inside = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))
        found[inside] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return found


def _unsure(memory: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Grown or shrunk, with smooth edges, as a network would have segmented it."""
    smooth = gaussian_filter(memory.astype(np.float32), float(rng.uniform(0.5, 1.2)))
    return np.asarray(smooth > rng.uniform(0.3, 0.7))


def _signs(volume: Volume, bone: Bone | None, size: Size) -> tuple[list[float], list[bool]]:
    """`SIGNS` of a vertebra, and which of them are known."""
    if bone is None:
        return [0.0] * 4, [False] * 4
    labels = volume.labels
    here = labels == bone.label
    touches = bool(here[0].any() or here[-1].any() or here[:, 0].any() or here[:, -1].any())
    touches = touches or bool(here[:, :, 0].any() or here[:, :, -1].any())
    shown = float((labels == SACRUM).sum()) * size.spacing_mm**3 >= LEAST_MM3
    lowest = bool(bone.lowest)
    return (
        [float(not touches), float(bool(bone.rib_bearing)), float(lowest), float(bone.level.value == "C2")],
        [True, bone.rib_bearing is not None, bone.lowest is not None and (shown or not lowest), True],
    )
