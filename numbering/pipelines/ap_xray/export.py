"""Trained checkpoint → safetensors → OpenVINO IR, each from the one before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numbering.pipelines import openvino_ir


def save_safetensors(model: Any, path: Path, metadata: dict[str, str]) -> Path:
    """Write a trained ultralytics model's parameters in half precision; constants of the loss stay behind."""
    from safetensors.torch import save_file

    kept = {
        key: value.detach().half().contiguous()
        for key, value in model.state_dict().items()
        if ".dfl." not in key and not key.endswith("num_batches_tracked")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, metadata)
    return path


def export_openvino(weights: Path, architecture: str, classes: int, out: Path) -> tuple[Path, Path]:
    """Convert a safetensors file to an IR (``out`` with ``.xml`` and ``.bin``) for canvases of any size; both paths."""
    import torch

    from numbering.pipelines.ap_xray.detector import load_network

    model = load_network(architecture, classes, weights)
    return openvino_ir.write(model, torch.zeros(1, 3, 128, 96), (1, 3, -1, -1), out.with_suffix(".xml"))
