"""Trained networks → one safetensors file → an OpenVINO IR for each, each from the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numbering.pipelines import openvino_ir
from numbering.pipelines.ct.sizes import CLASSES, SIZES, STRIDE, Size

if TYPE_CHECKING:
    from torch import nn

TRACED = 4 * STRIDE
"""Side of the volume that the direct network is traced with, voxels; it takes any multiples of `STRIDE` after."""


def save_safetensors(networks: Mapping[str, Mapping[str, Any]], size: Size, path: Path, **said: str) -> Path:
    """Write the networks' states in half precision, keys prefixed ``direct.`` and ``instance.``; ``said`` goes into
    the file's metadata beside size and classes."""
    from safetensors.torch import save_file

    kept = {
        f"{name}.{key}": value.detach().half().contiguous()
        for name, state in networks.items()
        for key, value in state.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, {"size": size.name, "classes": size.classes, **said})
    return path


def stored_size(path: Path) -> Size:
    """The size of the networks in a file, with the classes they were trained for; ``ValueError`` for files that are
    none of ours."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        said = file.metadata() or {}
    if said.get("size") not in SIZES or said.get("classes") not in CLASSES:
        raise ValueError(f"{path}: {json.dumps(said)} in its metadata; expected a file written by train")
    return replace(SIZES[said["size"]], classes=said["classes"])


def stored_networks(path: Path) -> dict[str, dict[str, Any]]:
    """State of each network by name, float32 again."""
    from safetensors.torch import load_file

    found: dict[str, dict[str, Any]] = {}
    for key, value in load_file(path).items():
        network, _, name = key.partition(".")
        found.setdefault(network, {})[name] = value.float()
    return found


def load_networks(path: Path) -> dict[str, nn.Module]:
    """The networks of a safetensors file in evaluation mode."""
    from numbering.pipelines.ct.model.networks import build

    networks = build(stored_size(path))
    for name, state in stored_networks(path).items():
        networks[name].load_state_dict(state)
        networks[name].eval()
    return networks


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
