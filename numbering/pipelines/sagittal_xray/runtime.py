"""The three networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.sizes import Size
from numbering.weights import Entry

Array = NDArray[np.float32]


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
    weights: dict[str, str]
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


def open_networks(entry: Entry, device: str = "auto", threads: int = 0) -> Networks:
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU (torch without an IR)."""
    raise NotImplementedError
