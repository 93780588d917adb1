"""The two networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from numbering.errors import ReasonCode, TryAgainLater
from numbering.pipelines.ct.model.export import load_networks
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU, Array, Direction, padded, patch_channels, scaled
from numbering.pipelines.ct.sizes import CLASSES, SIGNS, SIZES, STRIDE, Size
from numbering.pipelines.running import Run, size_of, started
from numbering.weights import Entry


@dataclass(frozen=True)
class Instance:
    """What the instance network says of one patch: the next vertebra in the direction that is not remembered."""

    mask: Array
    """``[slice, row, column]`` probabilities, the shape of the patch; nowhere high where there is no such vertebra."""
    level: float
    """Where along the spine it stands (`levels.place`: L1 is 20); about 0 where there is none."""
    spread: float
    """Scale of a Laplace distribution of the level: mean absolute error that the network expects of it. The
    log-likelihood of a level is ``-|level - place| / spread`` but for a constant."""
    complete: float
    """Probability that it lies wholly within the volume."""
    rib: float
    """Probability that it bears ribs."""
    sacrum: float
    """Probability that it stands directly on the sacrum: that it is the lowest presacral vertebra."""
    dens: float
    """Probability that it is C2."""


class Networks(Protocol):
    """All volumes are HU float32 ``[slice, row, column]``: slices from head to foot, rows to the back, columns to the
    patient's left; outside of what was scanned they are `preprocess.OUTSIDE_HU`. Clipping, scaling and padding to the
    networks' strides are done here."""

    size: Size
    runtime: str
    """As a result states it: ``OpenVINO 2026.4.1 CPU f32``."""
    weights: Mapping[str, str]
    """sha256 of every file that decides the answer, by its name."""

    def direct(self, volume: Array) -> Array:
        """Probabilities ``[class, slice, row, column]`` of `CLASSES` ``[size.classes]`` (L1 first), on the grid of
        ``volume``, which is that of `preprocess.direct_grid`."""
        ...

    def instance(self, patch: Array, memory: NDArray[np.bool_], direction: Direction) -> Instance:
        """The next vertebra of a patch (``size.side`` voxels a side, working grid) given those already segmented."""
        ...


@dataclass(kw_only=True)
class LoadedNetworks:
    """`Networks` over one function a network, which takes ``(n, channels, slices, rows, columns)``."""

    size: Size
    runtime: str
    weights: Mapping[str, str]
    run: Mapping[str, Run]

    def direct(self, volume: Array) -> Array:
        """See `Networks`."""
        image = scaled(padded(volume, STRIDE, OUTSIDE_HU), self.size.direct_hu)
        (logits,) = self.run["direct"](image[None, None])
        slices, rows, columns = volume.shape
        return _probability(logits[0, :, :slices, :rows, :columns])

    def instance(self, patch: Array, memory: NDArray[np.bool_], direction: Direction) -> Instance:
        """See `Networks`."""
        mask, level, signs = self.run["instance"](patch_channels(patch, memory, direction, self.size)[None])
        said = _probability(signs[0])
        return Instance(
            mask=_probability(mask[0, 0]),
            level=float(level[0, 0]),
            spread=float(level[0, 1]),
            **{name: float(value) for name, value in zip(SIGNS, said, strict=True)},
        )


def open_networks(entry: Entry, device: str = "auto", threads: int = 0) -> Networks:
    """The networks of an entry (see `running.started`). torch needs monai (extra ``train``); OpenVINO does not."""
    running = started(entry, load_networks, device, threads)
    return LoadedNetworks(size=entry_size(entry), runtime=running.runtime, weights=running.weights, run=running.runs)


def _probability(logits: Array) -> Array:
    return np.asarray(expit(logits), np.float32)


def entry_size(entry: Entry) -> Size:
    """The size that the entry's architecture names, with its classes; `TryAgainLater` for one that we do not know."""
    size, classes = size_of(entry, SIZES), "+".join(entry.classes)
    if classes not in CLASSES:
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{entry.name}: classes {classes!r}, expected {' or '.join(CLASSES)}; install it again",
        )
    return replace(size, classes=classes)
