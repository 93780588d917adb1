"""Trained network → safetensors → OpenVINO IR, each from the one before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from numbering.pipelines import network_files, openvino_ir
from numbering.pipelines.axial_mr.sizes import NETWORK, SIZES, Size
from numbering.pipelines.network_files import filled

if TYPE_CHECKING:
    from torch import nn


def stored_size(path: Path) -> Size:
    """The size of the network in a file; ``ValueError`` for files that are none of ours."""
    return network_files.stored_size(path, SIZES)


def load_networks(path: Path) -> dict[str, nn.Module]:
    """The one network of a safetensors file, under its name, in evaluation mode."""
    from numbering.pipelines.axial_mr.model.network import build

    return filled({NETWORK: build(stored_size(path))}, path)


def export_openvino(weights: Path, out: Path) -> dict[str, tuple[Path, Path]]:
    """Convert to an IR ``<out>-slices.xml`` and ``.bin``, for any number of pictures at once; by the network's name."""
    import torch

    side = stored_size(weights).pixels
    example = torch.zeros(1, 1, side, side)
    xml = out.with_name(f"{out.stem}-{NETWORK}.xml")
    return {NETWORK: openvino_ir.write(load_networks(weights)[NETWORK], example, (-1, 1, side, side), xml)}
