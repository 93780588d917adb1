"""The two sizes of the network: ``small`` for two cores, ``paper`` as in the paper. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


SIZES: Mapping[str, Size] = {
    "small": Size(
        name="small",
        backbone="xception",
        width=0.375,
        pixels=192,
        field_mm=216.0,
        learning_rate=1e-3,
        batch=16,
        epochs=25,
    ),
    # Cho 2022, Model Implementation: 512², Adam at 0.001, 25 epochs, batches of 8.
    "paper": Size(
        name="paper",
        backbone="xception",
        width=1.0,
        pixels=512,
        field_mm=216.0,
        learning_rate=1e-3,
        batch=8,
        epochs=25,
    ),
}
