"""Trained networks → one safetensors file → an OpenVINO IR for each, each from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numbering.pipelines import openvino_ir
from numbering.pipelines.sagittal_xray.sizes import SIZES, Size

if TYPE_CHECKING:
    from torch import nn

COUNTER = "num_batches_tracked"
"""Counts of training batches serve nothing and are not kept."""
TRACED = 256
"""Side of the canvas that a network for any shape is traced with, pixels."""


def save_safetensors(networks: Mapping[str, Mapping[str, Any]], path: Path, metadata: dict[str, str]) -> Path:
    """Write the networks' state in half precision, keys prefixed with the network's name; ``metadata`` needs a size."""
    from safetensors.torch import save_file

    kept = {
        f"{name}.{key}": value.detach().half().contiguous()
        for name, state in networks.items()
        for key, value in state.items()
        if not key.endswith(COUNTER)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, metadata)
    return path


def stored_size(path: Path) -> Size:
    """The size of the networks in a file; ``ValueError`` for files that are none of ours."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        name = (file.metadata() or {}).get("size", "")
    if name not in SIZES:
        raise ValueError(f"{path}: size {name!r} in its metadata; expected a file written by train")
    return SIZES[name]


def stored_networks(path: Path) -> dict[str, dict[str, Any]]:
    """State of each network by name, float32 again, with counters of zero."""
    import torch
    from safetensors.torch import load_file

    from numbering.pipelines.sagittal_xray.model.networks import build

    stored = load_file(path)
    found: dict[str, dict[str, Any]] = {}
    for name, network in build(stored_size(path)).items():
        found[name] = {
            key: torch.zeros_like(value) if key.endswith(COUNTER) else stored[f"{name}.{key}"].to(value.dtype)
            for key, value in network.state_dict().items()
        }
    return found


def load_networks(path: Path) -> dict[str, nn.Module]:
    """The networks of a safetensors file in evaluation mode."""
    from numbering.pipelines.sagittal_xray.model.networks import build

    networks = build(stored_size(path))
    for name, state in stored_networks(path).items():
        networks[name].load_state_dict(state)
        networks[name].eval()
    return networks


def export_openvino(weights: Path, out: Path) -> dict[str, tuple[Path, Path]]:
    """Convert each network to an IR beside ``out``: ``<out>-<network>.xml`` and ``.bin``, for squares of a
    fixed side, or for canvases of any shape."""
    import torch

    size, found = stored_size(weights), {}
    for name, network in load_networks(weights).items():
        fixed = size.crop if name == "refine" else size.pixels if size.square else None
        side = fixed or TRACED
        example, shape = torch.zeros(1, 1, side, side), (-1, 1, fixed or -1, fixed or -1)
        found[name] = openvino_ir.write(network, example, shape, out.with_name(f"{out.stem}-{name}.xml"))
    return found
