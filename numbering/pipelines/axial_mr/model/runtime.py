"""The network ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.errors import ReasonCode, TryAgainLater
from numbering.pipelines import openvino_ir
from numbering.pipelines.axial_mr.sizes import SIZES, Size
from numbering.pipelines.devices import gpu_present
from numbering.weights import Entry

Array = NDArray[np.float32]
Run = Callable[[Array], tuple[Array, Array]]

NETWORK = "slices"
"""The network's name in the registry's entry."""
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
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU (torch without an IR).

    `TryAgainLater` when the weights cannot be read or belong to no known size.
    """
    if device == "cuda" or (device == "auto" and gpu_present()):
        return in_torch(entry, "cuda")
    return in_openvino(entry, threads) if entry.openvino else in_torch(entry, "cpu")


def in_torch(entry: Entry, device: str) -> Network:
    """The safetensors file in plain torch."""
    import torch

    from numbering.pipelines.axial_mr.model.export import load_network

    network = load_network(entry.path(entry.torch)).to(device)

    def run(images: Array) -> tuple[Array, Array]:
        with torch.inference_mode():
            logits, maps = network(torch.from_numpy(np.ascontiguousarray(images)).to(device))
        return logits.float().cpu().numpy(), maps.float().cpu().numpy()

    return LoadedNetwork(
        size=_size(entry),
        runtime=f"torch {torch.__version__} {device} f32",
        weights={entry.torch.file: entry.torch.sha256},
        run=run,
    )


def in_openvino(entry: Entry, threads: int = 0, precision: str = "f32") -> Network:
    """The IR on a CPU, in a stated precision."""
    model, runtime = openvino_ir.compiled(entry, NETWORK, threads, precision)

    def run(images: Array) -> tuple[Array, Array]:
        outputs = model(np.ascontiguousarray(images, np.float32))
        return np.array(outputs[0]), np.array(outputs[1])

    files = entry.intermediate(NETWORK)
    return LoadedNetwork(
        size=_size(entry), runtime=runtime, weights={file.file: file.sha256 for file in files}, run=run
    )


def _size(entry: Entry) -> Size:
    """The size that the entry's architecture names."""
    if entry.architecture not in SIZES:
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{entry.name}: architecture {entry.architecture!r}, expected one of {', '.join(SIZES)}; install it again",
        )
    return SIZES[entry.architecture]
