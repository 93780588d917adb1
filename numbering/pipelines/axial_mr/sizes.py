"""The sizes of the network: ``small`` for two cores, ``paper`` as in the paper, and others to compare. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

NETWORK = "slices"
"""The network's name in weights and in the registry's entry."""

Backbone = Literal["xception", "densenet169", "inception_resnet_v2", "efficientnet_lite0"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one size builds and trains."""

    name: str
    backbone: Backbone
    width: float
    """Of Xception: channels as a share of the published ones."""
    pixels: int
    """Side of the square picture that the network sees."""
    field_mm: float
    """Side of what of the patient it shows, around the middle of the slice."""
    learning_rate: float
    batch: int
    epochs: int


_SMALL = Size(
    name="small",
    backbone="efficientnet_lite0",
    width=1.0,
    pixels=192,
    field_mm=216.0,
    learning_rate=1e-3,
    batch=16,
    epochs=25,
)
# Cho 2022, Model Implementation: 512², Adam at 0.001, 25 epochs, batches of 8.
_PAPER = replace(_SMALL, name="paper", backbone="xception", pixels=512, batch=8)
_COMPARED: Mapping[str, Backbone] = {
    "xception": "xception",
    "densenet169": "densenet169",
    "inception-resnet-v2": "inception_resnet_v2",
}

SIZES: Mapping[str, Size] = {
    "small": _SMALL,
    "paper": _PAPER,
    # The paper's three networks against each other, on the small picture and as published.
    **{f"small-{name}": replace(_SMALL, name=f"small-{name}", backbone=one) for name, one in _COMPARED.items()},
    "small-narrow-xception": replace(_SMALL, name="small-narrow-xception", backbone="xception", width=0.375),
    **{
        f"paper-{name}": replace(_PAPER, name=f"paper-{name}", backbone=one)
        for name, one in _COMPARED.items()
        if one != _PAPER.backbone
    },
}
