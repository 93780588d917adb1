"""The networks of a model in one safetensors file, in half precision, each under the prefix of its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

COUNTER = "num_batches_tracked"
"""Counts of training batches serve nothing and are not kept."""

State = Mapping[str, Any]
Size = TypeVar("Size")


def save(networks: Mapping[str, State], path: Path, metadata: Mapping[str, str]) -> Path:
    """Write the networks' states; ``metadata`` goes beside them."""
    from safetensors.torch import save_file

    kept = {
        f"{name}.{key}": value.detach().half().contiguous()
        for name, state in networks.items()
        for key, value in state.items()
        if not key.endswith(COUNTER)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(kept, path, dict(metadata))
    return path


def metadata_of(path: Path) -> dict[str, str]:
    """What stands beside the networks in a file; empty where nothing does."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def stored_size(path: Path, sizes: Mapping[str, Size]) -> Size:
    """The one of these sizes that a file's metadata names; ``ValueError`` for files that are none of ours."""
    name = metadata_of(path).get("size", "")
    if name not in sizes:
        raise ValueError(f"{path}: size {name!r} in its metadata; expected a file written by train")
    return sizes[name]


def states_for(networks: Mapping[str, nn.Module], path: Path) -> dict[str, dict[str, Any]]:
    """The state of each of these networks as the file has it, in the networks' precision, with counters of zero.

    ``KeyError`` names what the file lacks.
    """
    import torch
    from safetensors.torch import load_file

    stored = load_file(path)
    return {
        name: {
            key: torch.zeros_like(value) if key.endswith(COUNTER) else stored[f"{name}.{key}"].to(value.dtype)
            for key, value in network.state_dict().items()
        }
        for name, network in networks.items()
    }


def filled(networks: Mapping[str, nn.Module], path: Path) -> dict[str, nn.Module]:
    """These networks with the file's weights, in evaluation mode."""
    for name, state in states_for(networks, path).items():
        networks[name].load_state_dict(state)
        networks[name].eval()
    return dict(networks)
