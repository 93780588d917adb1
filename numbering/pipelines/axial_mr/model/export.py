"""Trained network → safetensors → OpenVINO IR, each from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numbering.pipelines import openvino_ir
from numbering.pipelines.axial_mr.model.runtime import NETWORK
from numbering.pipelines.axial_mr.sizes import SIZES, Size

if TYPE_CHECKING:
    from numbering.pipelines.axial_mr.model.network import SliceNetwork

COUNTER = "num_batches_tracked"
"""Counts of training batches serve nothing and are not kept."""


def save_safetensors(state: Mapping[str, Any], path: Path, metadata: dict[str, str]) -> Path:
    """Write the network's state in half precision; ``metadata`` needs a size."""
    from safetensors.torch import save_file

    kept = {key: value.detach().half().contiguous() for key, value in state.items() if not key.endswith(COUNTER)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, metadata)
    return path


def stored_size(path: Path) -> Size:
    """The size of the network in a file; ``ValueError`` for files that are none of ours."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        name = (file.metadata() or {}).get("size", "")
    if name not in SIZES:
        raise ValueError(f"{path}: size {name!r} in its metadata; expected a file written by train")
    return SIZES[name]


def load_network(path: Path) -> SliceNetwork:
    """The network of a safetensors file in evaluation mode, float32."""
    import torch
    from safetensors.torch import load_file

    from numbering.pipelines.axial_mr.model.network import build

    network, stored = build(stored_size(path)), load_file(path)
    network.load_state_dict(
        {
            key: torch.zeros_like(value) if key.endswith(COUNTER) else stored[key].to(value.dtype)
            for key, value in network.state_dict().items()
        }
    )
    return network.eval()


def export_openvino(weights: Path, out: Path) -> dict[str, tuple[Path, Path]]:
    """Convert to an IR ``<out>-slices.xml`` and ``.bin``, for any number of pictures at once; by the network's name."""
    import torch

    side = stored_size(weights).pixels
    example = torch.zeros(1, 1, side, side)
    xml = out.with_name(f"{out.stem}-{NETWORK}.xml")
    return {NETWORK: openvino_ir.write(load_network(weights), example, (-1, 1, side, side), xml)}
