"""The AP detector at work: OpenVINO on a CPU, torch on a GPU, one decoding for both.

A detector takes a grey region of a film and gives scored boxes in stored-image pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numbering.geometry import intersection_over_union
from numbering.pipelines import openvino_ir
from numbering.pipelines.devices import gpu_present
from numbering.pipelines.films import letterbox
from numbering.weights import Entry

Array = NDArray[np.float32]

DETECTOR = "detector"
"""Name of the one network in the registry."""
STRIDES = (8, 16, 32)
DISTANCE_BINS = 16
SAME_BOX = 0.5
"""Two boxes of one class that overlap by more than this are one detection (the paper's mAP threshold)."""
LOWEST_SCORE = 0.01


@dataclass(frozen=True)
class Detections:
    """Boxes ``(n, 4)`` in stored-image pixels and scores ``(n,)`` of one class, best first."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]


class Network(Protocol):
    """A network that is ready to run: canvas ``(1, 3, rows, columns)`` in 0…1 to distances and logits."""

    runtime: str
    weights_file: str
    weights_sha256: str

    def run(self, canvas: Array) -> tuple[Array, Array]:
        """``(64, cells)`` box-distance logits and ``(classes, cells)`` class logits."""
        ...


class OpenVinoNetwork:
    """The IR on a CPU, in a stated precision."""

    def __init__(self, entry: Entry, threads: int = 0, precision: str = "f32") -> None:
        self._model, self.runtime = openvino_ir.compiled(entry, DETECTOR, threads, precision)
        _, weights = entry.intermediate(DETECTOR)
        self.weights_file, self.weights_sha256 = weights.file, weights.sha256

    def run(self, canvas: Array) -> tuple[Array, Array]:
        """See `Network`."""
        outputs = self._model(canvas)
        return np.asarray(outputs[0])[0], np.asarray(outputs[1])[0]


class TorchNetwork:
    """The safetensors file in plain torch, for a GPU (or eager on a CPU, for comparison)."""

    def __init__(self, entry: Entry, device: str = "cuda") -> None:
        import torch

        self._torch, self._device = torch, torch.device(device)
        self._model = load_network(entry.architecture, len(entry.classes), entry.path(entry.torch)).to(self._device)
        self.runtime = f"torch {torch.__version__} {device} f32"
        self.weights_file, self.weights_sha256 = entry.torch.file, entry.torch.sha256

    def run(self, canvas: Array) -> tuple[Array, Array]:
        """See `Network`."""
        with self._torch.inference_mode():
            boxes, scores = self._model(self._torch.from_numpy(canvas).to(self._device))
        return boxes[0].float().cpu().numpy(), scores[0].float().cpu().numpy()


def load_network(architecture: str, classes: int, path: Path) -> Any:
    """A `YoloV5` in evaluation mode with the weights of a safetensors file (half precision widened to float32)."""
    import torch
    from safetensors.torch import load_file

    from numbering.pipelines.ap_xray.yolov5 import YoloV5

    model = YoloV5(architecture, classes)
    # The count of training batches serves nothing here and is not shipped.
    counters = {key: value for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    model.load_state_dict({key: value.to(torch.float32) for key, value in load_file(path).items()} | counters)
    return model.eval()


def decode(distances: Array, logits: Array, rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes ``(cells, 4)`` on the canvas (corner-based) and scores ``(classes, cells)``.

    Each side's distance from a cell's centre is the mean of its distribution over `DISTANCE_BINS` bins, in strides.
    """
    bins = distances.reshape(4, DISTANCE_BINS, -1)
    weights = np.exp(bins - bins.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    sides = (weights * np.arange(DISTANCE_BINS, dtype=np.float32)[:, None]).sum(1)
    centres, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: rows // stride, : columns // stride] + 0.5
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride))
    centre, scale = np.concatenate(centres, 1), np.concatenate(strides)
    boxes = np.concatenate([centre - sides[:2], centre + sides[2:]]) * scale
    return boxes.T, 1 / (1 + np.exp(-logits.astype(np.float64)))


def suppress(boxes: NDArray[np.float64], scores: NDArray[np.float64], overlap: float) -> NDArray[np.intp]:
    """Indices of the boxes that no better one overlaps by more than ``overlap``, best first (greedy NMS)."""
    order = np.argsort(-scores, kind="stable")
    shared = intersection_over_union(boxes, boxes)
    keep: list[int] = []
    for index in order:
        if all(shared[index, kept] <= overlap for kept in keep):
            keep.append(int(index))
    return np.array(keep, dtype=np.intp)


class Detector:
    """A network with its classes."""

    def __init__(self, network: Network, classes: tuple[str, ...]) -> None:
        self.network, self.classes = network, classes

    def detect(
        self,
        grey: NDArray[np.uint8],
        size: int,
        origin: tuple[float, float] = (0, 0),
        *,
        mirrored: bool = False,
        most: int = 40,
    ) -> dict[str, Detections]:
        """Detections by class in a grey region whose left and top in the film are ``origin``.

        ``mirrored`` also looks at the mirror image and takes the mean of both, cell by cell.
        """
        canvas, placed = letterbox(grey, size, origin=origin)
        boxes, scores = self._decoded(canvas)
        if mirrored:
            other_boxes, other_scores = self._decoded(np.ascontiguousarray(canvas[:, ::-1]))
            twin = mirror_cells(*canvas.shape)
            other_boxes = other_boxes[twin][:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [canvas.shape[1], 0, canvas.shape[1], 0]
            boxes, scores = (boxes + other_boxes) / 2, (scores + other_scores[:, twin]) / 2
        found = {}
        for name, of_class in zip(self.classes, scores, strict=True):
            likely = np.flatnonzero(of_class > LOWEST_SCORE)
            likely = likely[np.argsort(-of_class[likely], kind="stable")][:300]
            film_boxes, film_scores = placed.to_film(boxes[likely]), of_class[likely]
            kept = suppress(film_boxes, film_scores, SAME_BOX)[:most]
            found[name] = Detections(film_boxes[kept], film_scores[kept])
        return found

    def _decoded(self, canvas: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        batch: Array = np.repeat(np.float32(1 / 255) * canvas[None, None].astype(np.float32), 3, axis=1)
        return decode(*self.network.run(batch), *canvas.shape)


def mirror_cells(rows: int, columns: int) -> NDArray[np.intp]:
    """For each cell of a canvas, the index of its mirror image (left to right) in the flattened order."""
    order, start = [], 0
    for stride in STRIDES:
        grid = start + np.arange((rows // stride) * (columns // stride)).reshape(rows // stride, columns // stride)
        order.append(grid[:, ::-1].ravel())
        start += grid.size
    return np.concatenate(order)


def open_network(entry: Entry, device: str = "auto", threads: int = 0) -> Network:
    """torch on a GPU when there is one and ``device`` allows it, else OpenVINO on the CPU.

    Weights without an IR (just trained, not installed) run in torch on the CPU.
    """
    if device == "cuda" or (device == "auto" and gpu_present()):
        return TorchNetwork(entry, "cuda")
    return OpenVinoNetwork(entry, threads) if entry.openvino else TorchNetwork(entry, "cpu")
