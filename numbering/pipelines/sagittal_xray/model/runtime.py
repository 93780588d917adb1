"""The three networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.errors import ReasonCode, TryAgainLater
from numbering.pipelines import openvino_ir
from numbering.pipelines.devices import gpu_present
from numbering.pipelines.sagittal_xray.levels import CORNERS, LEVELS24
from numbering.pipelines.sagittal_xray.model.export import load_networks
from numbering.pipelines.sagittal_xray.sizes import SIZES, Size
from numbering.weights import Entry

Array = NDArray[np.float32]
Run = Callable[[Array], tuple[Array, ...]]


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
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU (torch without an IR)."""
    if device == "cuda" or (device == "auto" and gpu_present()):
        return _in_torch(entry, "cuda")
    return _in_openvino(entry, threads) if entry.openvino else _in_torch(entry, "cpu")


def _in_torch(entry: Entry, device: str) -> Networks:
    """The safetensors file in plain torch."""
    import torch

    networks = {name: network.to(device) for name, network in load_networks(entry.path(entry.torch)).items()}

    def runner(network: Any) -> Run:
        def run(images: Array) -> tuple[Array, ...]:
            with torch.inference_mode():
                found = network(torch.from_numpy(np.ascontiguousarray(images)).to(device))
            outputs = found if isinstance(found, tuple) else (found,)
            return tuple(one.float().cpu().numpy() for one in outputs)

        return _once(run)

    return LoadedNetworks(
        size=_size(entry),
        runtime=f"torch {torch.__version__} {device} f32",
        weights={entry.torch.file: entry.torch.sha256},
        run={name: runner(network) for name, network in networks.items()},
    )


def _in_openvino(entry: Entry, threads: int, precision: str = "f32") -> Networks:
    """The IRs on a CPU, in a stated precision."""
    runtime = ""
    runs: dict[str, Run] = {}
    sums: dict[str, str] = {}
    for name, files in (entry.openvino or {}).items():
        model, runtime = openvino_ir.compiled(entry, name, threads, precision)
        runs[name] = _once(_compiled(model))
        sums |= {file.file: file.sha256 for file in files}
    return LoadedNetworks(
        size=_size(entry),
        runtime=runtime,
        weights=sums,
        run=runs,
    )


def _compiled(model: Any) -> Run:
    def run(images: Array) -> tuple[Array, ...]:
        outputs = model(np.ascontiguousarray(images, np.float32))
        return tuple(np.array(outputs[index]) for index in range(len(model.outputs)))

    return run


def _once(run: Run) -> Run:
    """Remember the last answer: `levels` and `corners` ask one network the same question one after the other."""
    last: list[tuple[Array, tuple[Array, ...]]] = []

    def remembered(images: Array) -> tuple[Array, ...]:
        if not (last and last[0][0].shape == images.shape and np.array_equal(last[0][0], images)):
            last[:] = [(images.copy(), run(images))]
        return last[0][1]

    return remembered


def _size(entry: Entry) -> Size:
    """The size that the entry's architecture names."""
    if entry.architecture not in SIZES:
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{entry.name}: architecture {entry.architecture!r}, expected one of {', '.join(SIZES)}; install it again",
        )
    return SIZES[entry.architecture]
