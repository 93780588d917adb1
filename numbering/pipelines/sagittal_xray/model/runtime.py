"""The three networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from numbering.pipelines.running import Array, Run, size_of, started
from numbering.pipelines.sagittal_xray.levels import CORNERS, LEVELS24
from numbering.pipelines.sagittal_xray.model.export import load_networks
from numbering.pipelines.sagittal_xray.sizes import SIZES, Size
from numbering.weights import Entry


@dataclass(frozen=True)
class Refined:
    """What CNN 3 says of ``n`` crops."""

    heat: Array
    """``(n, 4, rows, columns)``, each map sums to one; corners in the order of `levels.CORNERS`."""
    rib: Array
    """``(n,)`` logits: the vertebra bears ribs."""
    body: Array
    """``(n,)`` logits: there is a vertebral body (or the top of the sacrum) in the middle of the crop."""


class Networks(Protocol):
    """Canvases ``(n, rows, columns)`` are grey 0…1, bright means dense, of `preprocess.whole` and `preprocess.crop`."""

    size: Size
    runtime: str
    """As a result states it: ``OpenVINO 2026.4.1 CPU f32``."""
    weights: Mapping[str, str]
    """sha256 of every file that decides the answer, by its name."""

    def levels(self, images: Array) -> Array:
        """Logits ``(n, 24)`` of the levels of `LEVELS24` being in view (CNN 1)."""
        ...

    def corners(self, images: Array) -> Array:
        """Heat maps ``(n, 24, 4, h, w)``, each sums to one (CNN 2); those of levels out of view mean nothing."""
        ...

    def refine(self, crops: Array) -> Refined:
        """What is in square crops (CNN 3)."""
        ...


@dataclass(kw_only=True)
class LoadedNetworks:
    """`Networks` over one function a network, which takes ``(n, 1, rows, columns)``."""

    size: Size
    runtime: str
    weights: Mapping[str, str]
    run: Mapping[str, Run]

    def levels(self, images: Array) -> Array:
        """See `Networks`."""
        outputs = self.run["corners" if self.size.shared else "levels"](images[:, None])
        return outputs[1 if self.size.shared else 0]

    def corners(self, images: Array) -> Array:
        """See `Networks`."""
        heat = self.run["corners"](images[:, None])[0]
        return heat.reshape(len(heat), len(LEVELS24), len(CORNERS), *heat.shape[2:])

    def refine(self, crops: Array) -> Refined:
        """See `Networks`."""
        heat, signs = self.run["refine"](crops[:, None])
        return Refined(heat, signs[:, 0], signs[:, 1])


def open_networks(entry: Entry, device: str = "auto", threads: int = 0) -> Networks:
    """The networks of an entry (see `running.started`)."""
    running = started(entry, load_networks, device, threads)
    return LoadedNetworks(
        size=size_of(entry, SIZES),
        runtime=running.runtime,
        weights=running.weights,
        run={name: _once(run) for name, run in running.runs.items()},
    )


def _once(run: Run) -> Run:
    """Remember the last answer: `levels` and `corners` ask one network the same question one after the other."""
    last: list[tuple[Array, tuple[Array, ...]]] = []

    def remembered(images: Array) -> tuple[Array, ...]:
        if not (last and last[0][0].shape == images.shape and np.array_equal(last[0][0], images)):
            last[:] = [(images.copy(), run(images))]
        return last[0][1]

    return remembered
