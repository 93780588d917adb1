"""Trained networks → one safetensors file → an OpenVINO IR for each, each from the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from numbering.pipelines import openvino_ir
from numbering.pipelines.ct.sizes import CLASSES, SIZES, STRIDE, Size
from numbering.pipelines.network_files import State, filled, metadata_of, save

if TYPE_CHECKING:
    from torch import nn

TRACED = 4 * STRIDE
"""Side of the volume that the direct network is traced with, voxels; it takes any multiples of `STRIDE` after."""


def save_networks(networks: Mapping[str, State], size: Size, path: Path, **said: str) -> Path:
    """Write the networks' states; ``said`` goes into the file's metadata beside size and classes."""
    return save(networks, path, {"size": size.name, "classes": size.classes, **said})


def stored_size(path: Path) -> Size:
    """The size of the networks in a file, with the classes they were trained for; ``ValueError`` for files that are
    none of ours."""
    said = metadata_of(path)
    if said.get("size") not in SIZES or said.get("classes") not in CLASSES:
        raise ValueError(f"{path}: {json.dumps(said)} in its metadata; expected a file written by train")
    return replace(SIZES[said["size"]], classes=said["classes"])


def load_networks(path: Path) -> dict[str, nn.Module]:
    """The networks of a safetensors file in evaluation mode."""
    from numbering.pipelines.ct.model.networks import build

    return filled(build(stored_size(path)), path)


def export_openvino(weights: Path, out: Path) -> dict[str, tuple[Path, Path]]:
    """Convert each network to an IR beside ``out``: ``<out>-<network>.xml`` and ``.bin``, for patches of one side, and
    for whole volumes of any shape (of the paper's one shape)."""
    import torch

    size, networks = stored_size(weights), load_networks(weights)
    any_shape = (1, 1, -1, -1, -1)
    fixed = None if size.direct_shape is None else (1, 1, *size.direct_shape)
    inputs = {
        "direct": (torch.zeros(fixed or (1, 1, TRACED, TRACED, TRACED)), fixed or any_shape),
        "instance": (torch.zeros(1, 3, size.side, size.side, size.side), (1, 3, size.side, size.side, size.side)),
    }
    return {
        name: openvino_ir.write(networks[name], example, shape, out.with_name(f"{out.stem}-{name}.xml"))
        for name, (example, shape) in inputs.items()
    }
