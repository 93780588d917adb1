"""One vertebra that was found on the working volume, before it has a name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from numbering.pipelines.ct.model.preprocess import Direction
from numbering.pipelines.ct.model.runtime import Instance

Array = NDArray[np.float64]
Index = NDArray[np.intp]

VOXEL = 0.5
"""A voxel belongs to a vertebra from this probability on."""


@dataclass(frozen=True, eq=False)
class Found:
    """A vertebra's voxels and what the instance network says of it.

    ``share`` float32 are probabilities in a box of the working volume that begins at ``corner``; ``seen`` are the
    directions of the walks that found it. ``level``, ``spread``, ``complete``, ``rib``, ``sacrum`` and ``dens`` as in
    `Instance`.
    """

    share: NDArray[np.float32]
    corner: Index
    level: float
    spread: float
    complete: float
    rib: float
    sacrum: float
    dens: float
    seen: frozenset[Direction]

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Its voxels, in its box."""
        return self.share >= VOXEL

    @cached_property
    def centre(self) -> Array:
        """Mean of its voxels: slice, row, column."""
        return np.asarray(np.argwhere(self.mask).mean(0) + self.corner)

    @cached_property
    def voxels(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.mask))


def found_in(
    look: Instance, corner: Index, shape: tuple[int, ...], taken: NDArray[np.bool_], direction: Direction
) -> Found | None:
    """The vertebra of a patch that begins at ``corner`` of a volume of ``shape``: its largest piece, without what is
    ``taken`` (the patch's memory) or lies outside of the volume. None where nothing is left."""
    inside = np.ones(look.mask.shape, bool)
    for axis, (start, size, count) in enumerate(zip(corner, look.mask.shape, shape, strict=True)):
        place = np.arange(start, start + size)
        inside &= ((place >= 0) & (place < count)).reshape([-1 if other == axis else 1 for other in range(3)])
    share = np.where(inside & ~taken, look.mask, 0).astype(np.float32)
    pieces, count = label(share >= VOXEL)
    if count == 0:
        return None
    largest = int(np.argmax(np.bincount(pieces.ravel())[1:])) + 1
    box = find_objects(pieces, largest)[largest - 1]
    return Found(
        share=np.where((pieces == largest) | (pieces == 0), share, 0)[box],
        corner=np.array([one.start for one in box]) + corner,
        level=look.level,
        spread=look.spread,
        complete=look.complete,
        rib=look.rib,
        sacrum=look.sacrum,
        dens=look.dens,
        seen=frozenset({direction}),
    )


def shared_voxels(one: Found, other: Found) -> int:
    """How many voxels two vertebrae have in common."""
    low = np.maximum(one.corner, other.corner)
    high = np.minimum(one.corner + one.share.shape, other.corner + other.share.shape)
    if (high <= low).any():
        return 0
    parts = [
        each.mask[tuple(slice(int(a), int(b)) for a, b in zip(low - each.corner, high - each.corner, strict=True))]
        for each in (one, other)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def remembered(found: list[Found], corner: Index, side: int) -> NDArray[np.bool_]:
    """The memory of a patch: voxels of all these vertebrae."""
    memory = np.zeros((side,) * 3, bool)
    for one in found:
        low = np.maximum(corner, one.corner)
        high = np.minimum(corner + side, one.corner + one.share.shape)
        if (high <= low).any():
            continue
        there = tuple(slice(int(a), int(b)) for a, b in zip(low - corner, high - corner, strict=True))
        own = tuple(slice(int(a), int(b)) for a, b in zip(low - one.corner, high - one.corner, strict=True))
        memory[there] |= one.mask[own]
    return memory
