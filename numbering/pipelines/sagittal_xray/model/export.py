"""Trained networks → one safetensors file → an OpenVINO IR for each, each from the one before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from numbering.pipelines import network_files, openvino_ir
from numbering.pipelines.network_files import filled
from numbering.pipelines.sagittal_xray.sizes import SIZES, Size

if TYPE_CHECKING:
    from torch import nn

TRACED = 256
"""Side of the canvas that a network for any shape is traced with, pixels."""


def stored_size(path: Path) -> Size:
    """The size of the networks in a file; ``ValueError`` for files that are none of ours."""
    return network_files.stored_size(path, SIZES)


def load_networks(path: Path) -> dict[str, nn.Module]:
    """The networks of a safetensors file in evaluation mode."""
    from numbering.pipelines.sagittal_xray.model.networks import build

    return filled(build(stored_size(path)), path)


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
