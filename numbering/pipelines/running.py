"""A model's networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in and out, the same for every pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from numbering.errors import ReasonCode, TryAgainLater
from numbering.pipelines import openvino_ir
from numbering.pipelines.devices import gpu_present
from numbering.weights import Entry

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[np.float32]
Run = Callable[[Array], tuple[Array, ...]]
"""One network: a batch in, its outputs in their order."""
Load = Callable[[Path], Mapping[str, "nn.Module"]]
"""Reads the networks of a safetensors file, by name, in evaluation mode."""

Size = TypeVar("Size")


@dataclass(frozen=True, kw_only=True)
class Running:
    """The networks of an entry by name. ``runtime`` is as a result states it, ``weights`` the sha256 of every file that
    decides the answer, by its name."""

    runs: Mapping[str, Run]
    runtime: str
    weights: Mapping[str, str]


def started(entry: Entry, load: Load, device: str = "auto", threads: int = 0) -> Running:
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU (torch without an IR).

    `TryAgainLater` when a file is missing or another.
    """
    if device == "cuda" or (device == "auto" and gpu_present()):
        return in_torch(entry, load, "cuda")
    return in_openvino(entry, threads) if entry.openvino else in_torch(entry, load, "cpu")


def in_torch(entry: Entry, load: Load, device: str) -> Running:
    """The safetensors file in plain torch."""
    import torch

    def runner(network: Any) -> Run:
        def run(images: Array) -> tuple[Array, ...]:
            with torch.inference_mode():
                found = network(torch.from_numpy(np.ascontiguousarray(images)).to(device))
            outputs = found if isinstance(found, tuple) else (found,)
            return tuple(one.float().cpu().numpy() for one in outputs)

        return run

    return Running(
        runs={name: runner(network.to(device)) for name, network in load(entry.path(entry.torch)).items()},
        runtime=f"torch {torch.__version__} {device} f32",
        weights={entry.torch.file: entry.torch.sha256},
    )


def in_openvino(entry: Entry, threads: int = 0, precision: str = "f32") -> Running:
    """The IRs on a CPU, in a stated precision."""
    runtime = ""
    runs: dict[str, Run] = {}
    sums: dict[str, str] = {}
    for name, files in (entry.openvino or {}).items():
        model, runtime = openvino_ir.compiled(entry, name, threads, precision)
        runs[name] = _compiled(model)
        sums |= {file.file: file.sha256 for file in files}
    return Running(runs=runs, runtime=runtime, weights=sums)


def _compiled(model: Any) -> Run:
    def run(images: Array) -> tuple[Array, ...]:
        outputs = model(np.ascontiguousarray(images, np.float32))
        return tuple(np.array(outputs[index]) for index in range(len(model.outputs)))

    return run


def size_of(entry: Entry, sizes: Mapping[str, Size]) -> Size:
    """The size that the entry's architecture names; `TryAgainLater` for one that we do not know."""
    if entry.architecture not in sizes:
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{entry.name}: architecture {entry.architecture!r}, expected one of {', '.join(sizes)}; install it again",
        )
    return sizes[entry.architecture]
