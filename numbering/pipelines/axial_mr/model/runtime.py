"""The network ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from numbering.pipelines.axial_mr.model.export import load_networks
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES, Size
from numbering.pipelines.running import Array, Run, size_of, started
from numbering.weights import Entry

TOGETHER = 4
"""Pictures that go through the network at once: memory grows with them, and two cores gain nothing by more."""


class Seen(NamedTuple):
    """What the network says of ``n`` pictures."""

    logits: Array
    """``(n, 6)``, of `classes.CLASSES`; not calibrated (see `model.temperature`)."""
    maps: Array
    """``(n, 6, h, w)``: what each cell of the picture speaks for each class; `heat.grad_cam` makes heat maps of it."""


class Network(Protocol):
    """Pictures ``(n, size.pixels, size.pixels)`` are those of `canvas.lay` with the size's pixels and field."""

    size: Size
    runtime: str
    """As a result states it: ``OpenVINO 2026.4.1 CPU f32``."""
    weights: Mapping[str, str]
    """sha256 of every file that decides the answer, by its name."""

    def slices(self, images: Array) -> Seen:
        """Logits and maps of every picture. Each picture is judged alone; there may be none."""
        ...


@dataclass(kw_only=True)
class LoadedNetwork:
    """`Network` over one function, which takes ``(n, 1, rows, columns)``."""

    size: Size
    runtime: str
    weights: Mapping[str, str]
    run: Run

    def slices(self, images: Array) -> Seen:
        """See `Network`."""
        parts = [self.run(images[first : first + TOGETHER, None]) for first in range(0, len(images), TOGETHER)]
        if not parts:
            logits, maps = self.run(np.zeros((1, 1, self.size.pixels, self.size.pixels), np.float32))
            return Seen(logits[:0], maps[:0])
        return Seen(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def open_network(entry: Entry, device: str = "auto", threads: int = 0) -> Network:
    """The network of an entry (see `running.started`)."""
    running = started(entry, load_networks, device, threads)
    return LoadedNetwork(
        size=size_of(entry, SIZES), runtime=running.runtime, weights=running.weights, run=running.runs[NETWORK]
    )
