"""The two sizes of the three networks: ``small`` for two cores, ``paper`` as in the paper. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Backbone = Literal["efficientnet_lite0", "resnet18", "resnet50", "inception_v3"]


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one size builds and trains. Network names: ``levels`` (CNN 1), ``corners`` (CNN 2), ``refine`` (CNN 3)."""

    name: str
    backbone: Mapping[str, Backbone]
    pixels: int
    """Step I: the canvas has about ``pixels`` × ``pixels`` pixels."""
    square: bool
    """Step I: the film is squeezed into a square (the paper); else the canvas has the film's shape."""
    crop: int
    """Step II: pixels of a crop's side."""
    enlarged: float
    """Step II: the side of a crop as a multiple of the body's longer side."""
    shared: bool
    """CNN 1 and CNN 2 train together on one backbone."""
    regularisation: Literal["jensen-shannon", "cross-entropy"]
    """What holds heat maps in shape beside the distance: the paper's divergence, or what learns in fewer steps."""
    learning_rate: Mapping[str, float]
    schedule: Literal["plateau", "cosine"]
    """How the learning rate falls: as the paper's, or to nothing over the epochs or hours that there are."""
    batch: Mapping[str, int]
    epochs: int


SIZES: Mapping[str, Size] = {
    "small": Size(
        name="small",
        backbone={"levels": "efficientnet_lite0", "corners": "efficientnet_lite0", "refine": "efficientnet_lite0"},
        pixels=384,
        square=False,
        crop=128,
        enlarged=1.7,
        shared=True,
        regularisation="cross-entropy",
        learning_rate={"levels": 1e-3, "corners": 1e-3, "refine": 1e-3},
        schedule="cosine",
        batch={"levels": 8, "corners": 8, "refine": 32},
        epochs=60,
    ),
    # Cina 2021, Methods: 1024², 512² crops of the body's box with 70 % more area, ResNet50 and Inception v3.
    "paper": Size(
        name="paper",
        backbone={"levels": "resnet50", "corners": "inception_v3", "refine": "inception_v3"},
        pixels=1024,
        square=True,
        crop=512,
        enlarged=1.7**0.5,
        shared=False,
        regularisation="jensen-shannon",
        learning_rate={"levels": 1e-4, "corners": 1e-3, "refine": 1e-4},
        schedule="plateau",
        batch={"levels": 16, "corners": 8, "refine": 16},
        epochs=200,
    ),
}
NETWORKS = ("levels", "corners", "refine")
STRIDE = 32
"""A canvas' sides are multiples of this."""
