"""The two networks ready to run: OpenVINO on a CPU, torch on a GPU. numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from numbering.errors import ReasonCode, TryAgainLater
from numbering.pipelines import openvino_ir
from numbering.pipelines.ct.model.export import load_networks, stored_size
from numbering.pipelines.ct.model.preprocess import OUTSIDE_HU, Array, Direction, padded, patch_channels, scaled
from numbering.pipelines.ct.sizes import CLASSES, SIGNS, SIZES, STRIDE, Size
from numbering.pipelines.devices import gpu_present
from numbering.weights import Entry

Run = Callable[[Array], tuple[Array, ...]]


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
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU (torch without an IR).

    torch needs monai (extra ``train``); OpenVINO does not. `TryAgainLater` when a file is missing or another.
    """
    if device == "cuda" or (device == "auto" and gpu_present()):
        return _in_torch(entry, "cuda")
    return _in_openvino(entry, threads) if entry.openvino else _in_torch(entry, "cpu")


def _in_torch(entry: Entry, device: str) -> Networks:
    """The safetensors file in plain torch."""
    import torch

    path = entry.path(entry.torch)
    networks = {name: network.to(device) for name, network in load_networks(path).items()}

    def runner(network: Any) -> Run:
        def run(images: Array) -> tuple[Array, ...]:
            with torch.inference_mode():
                found = network(torch.from_numpy(np.ascontiguousarray(images)).to(device))
            outputs = found if isinstance(found, tuple) else (found,)
            return tuple(one.float().cpu().numpy() for one in outputs)

        return run

    return LoadedNetworks(
        size=stored_size(path),
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
        runs[name] = _compiled(model)
        sums |= {file.file: file.sha256 for file in files}
    return LoadedNetworks(size=entry_size(entry), runtime=runtime, weights=sums, run=runs)


def _compiled(model: Any) -> Run:
    def run(images: Array) -> tuple[Array, ...]:
        outputs = model(np.ascontiguousarray(images, np.float32))
        return tuple(np.array(outputs[index]) for index in range(len(model.outputs)))

    return run


def _probability(logits: Array) -> Array:
    return np.asarray(expit(logits), np.float32)


def entry_size(entry: Entry) -> Size:
    """The size that the entry's architecture names, with its classes; `TryAgainLater` for one that we do not know."""
    classes = "+".join(entry.classes)
    if entry.architecture not in SIZES or classes not in CLASSES:
        raise TryAgainLater(
            ReasonCode.MODEL_UNAVAILABLE,
            f"{entry.name}: architecture {entry.architecture!r} with classes {classes!r}, expected one of "
            f"{', '.join(SIZES)} with {' or '.join(CLASSES)}; install it again",
        )
    return replace(SIZES[entry.architecture], classes=classes)
