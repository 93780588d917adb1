"""The two sizes of the two networks: ``small`` for two cores, ``paper`` as in the paper. No torch.

Networks: ``direct`` finds L1 in the whole volume, ``instance`` segments one vertebra of a patch after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Misses = Literal["share", "logarithm"]
STRIDE = 16
"""Sides of what a network sees are multiples of this; `runtime` pads and cuts by itself."""
NETWORKS = ("direct", "instance")
CLASSES: Mapping[str, tuple[str, ...]] = {
    "L1": ("L1",),
    "L1+T12": ("L1", "T12"),
    "L1+T12+rib": ("L1", "T12", "rib"),
}
"""What `direct` can segment: the variants of the paper's Table 2; ``rib`` are those of T12. L1 is always the first."""

SIGNS = ("complete", "rib", "sacrum", "dens")
"""What `instance` says of a vertebra beside its mask and level, in the order of its logits."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one size builds and trains. The *working grid* is what a series is resampled to, once, for both networks."""

    name: str
    spacing_mm: float
    """Of the working grid, in every direction. Slices from head to foot, rows to the back, columns to the left."""
    side: int
    """Voxels of a side of an instance patch, on the working grid."""
    instance_hu: tuple[float, float]
    """HU are clipped to this, then 0…1."""
    instance_features: tuple[int, ...]
    """Channels of the U-Net's encoder from fine to coarse."""
    direct_shape: tuple[int, int, int] | None
    """The whole volume is squeezed into so many slices, rows, columns; None: it keeps its shape (``direct_every``)."""
    direct_every: int
    """A voxel of the direct grid is the mean of so many of the working grid a side (where ``direct_shape`` is None)."""
    direct_hu: tuple[float, float]
    direct_features: tuple[int, ...]
    last: int
    """Channels of the last decoder."""
    stem: int
    """How much coarser the U-Net works than its input; 1 as in the paper."""
    classes: str
    """One of `CLASSES`."""
    groups: int
    """Of each group normalisation."""
    dropout: float
    misses: Misses
    """How voxels that are told wrongly count in the instance network's loss, see `learning.losses`."""
    flips: Mapping[str, tuple[int, ...]]
    """Axes that training mirrors by chance: 0 slices (see `learning.augment`), 1 rows, 2 columns."""
    learning_rate: Mapping[str, float]
    batch: Mapping[str, int]
    steps: Mapping[str, int]


SIZES: Mapping[str, Size] = {
    "small": Size(
        name="small",
        spacing_mm=2.0,
        side=64,
        instance_hu=(-100.0, 2000.0),
        instance_features=(32, 64, 96, 128),
        direct_shape=None,
        direct_every=2,
        direct_hu=(100.0, 1000.0),
        direct_features=(32, 64, 96, 128),
        last=32,
        stem=2,
        classes="L1+T12+rib",
        groups=8,
        dropout=0.1,
        misses="logarithm",
        flips={"direct": (2,), "instance": (2,)},
        learning_rate={"direct": 1e-3, "instance": 1e-3},
        batch={"direct": 2, "instance": 4},
        steps={"direct": 3000, "instance": 4000},
    ),
    # Methods 2.2 and 2.3: 128×128×192 from the whole volume, 100…1000 HU; 1 mm, 128³, -100…2000 HU; group norm 16,
    # dropout 0.3, batches of 4 and 6, 100,000 and 50,000 iterations. The rate is not given there.
    "paper": Size(
        name="paper",
        spacing_mm=1.0,
        side=128,
        instance_hu=(-100.0, 2000.0),
        instance_features=(32, 32, 64, 128, 256),
        direct_shape=(192, 128, 128),
        direct_every=1,
        direct_hu=(100.0, 1000.0),
        direct_features=(32, 32, 64, 128, 256),
        last=32,
        stem=1,
        classes="L1",
        groups=16,
        dropout=0.3,
        misses="share",
        flips={"direct": (0, 1, 2), "instance": (1, 2)},
        learning_rate={"direct": 1e-3, "instance": 1e-3},
        batch={"direct": 4, "instance": 6},
        steps={"direct": 100_000, "instance": 50_000},
    ),
}
