"""torchvision beside a CPU torch: PyPI's build is made against CUDA and dies on import without its operators."""

from __future__ import annotations

import sys
from typing import Any

_operators: list[Any] = []  # torch.library registrations live as long as the reference


def prepare_torchvision() -> None:
    """Make ``import torchvision`` work here: where it fails, ``nms`` is defined in plain torch first. Idempotent.

    Only training needs torchvision, and only training detectors needs ``nms``.
    """
    import torch

    if "torchvision" in sys.modules or _operators:
        return
    try:
        import torchvision
    except RuntimeError:
        for name in [module for module in sys.modules if module.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", plain_nms, "CPU")
        _operators.append(library)
        import torchvision
        import torchvision.extension

        torchvision.extension._has_ops = lambda: True


def plain_nms(dets: Any, scores: Any, iou_threshold: float) -> Any:
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
