"""YOLOv5 as ultralytics builds it, its boxes decoded, and its weights kept as safetensors.

ultralytics' ``yolov5*.yaml`` is YOLOv5u: the paper's backbone and neck with an anchor-free, objectness-free head and a
distribution-focal box regression. The paper trained the anchor-based original of 2022.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def prepare_ultralytics() -> None:
    """Keep ultralytics off the network, off its own log sinks, and usable beside a CPU torch. Idempotent.

    PyPI's torchvision is built against CUDA; beside a CPU torch its operators are missing and importing it dies. Where
    that is so, ``nms`` is defined in plain torch first (only training and its validation use it).
    """
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "true")
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    config = Path(os.environ.setdefault("YOLO_CONFIG_DIR", str(Path.home() / ".cache" / "numbering" / "ultralytics")))
    font = config / "Ultralytics" / "Arial.ttf"
    if not font.exists():  # any font: without one ultralytics waits 15 s for a download
        import PIL

        font.parent.mkdir(parents=True, exist_ok=True)
        candidates = [*Path("/usr/share/fonts").rglob("*.ttf"), *Path(PIL.__file__).parent.rglob("*.ttf")]
        font.write_bytes(candidates[0].read_bytes() if candidates else b"")
    _torchvision_beside_cpu_torch()


_operators: list[Any] = []  # torch.library registrations live as long as the reference


def _torchvision_beside_cpu_torch() -> None:
    import torch

    if "torchvision" in sys.modules or _operators:
        return
    try:
        import torchvision
    except RuntimeError:
        for name in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", _plain_nms, "CPU")
        _operators.append(library)
        import torchvision
        import torchvision.extension

        torchvision.extension._has_ops = lambda: True


def _plain_nms(dets: Any, scores: Any, iou_threshold: float) -> Any:
    """Greedy non-maximum suppression, the contract of ``torchvision.ops.nms``."""
    import torch

    order = scores.argsort(descending=True)
    area = (dets[:, 2] - dets[:, 0]) * (dets[:, 3] - dets[:, 1])
    keep = []
    while len(order):
        first, rest = order[0], order[1:]
        keep.append(first)
        corner = torch.maximum(dets[first, :2], dets[rest, :2])
        overlap = (torch.minimum(dets[first, 2:], dets[rest, 2:]) - corner).clamp(min=0).prod(1)
        order = rest[overlap / (area[first] + area[rest] - overlap) <= iou_threshold]
    return torch.stack(keep) if keep else torch.empty(0, dtype=torch.long)


def yaml_name(architecture: str) -> str:
    """``yolov5n`` → ``yolov5n.yaml``, the scale that ultralytics builds."""
    return f"{architecture}.yaml"
