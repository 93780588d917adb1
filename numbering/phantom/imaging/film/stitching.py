"""Whole-spine films put together from two or three exposures: each was exposed a little otherwise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.imaging.film.position import FieldOfView

OFTEN = 0.4
"""Share of whole-spine films that show where they were joined."""
BLEND_MM = 5.0


def exposures(rows: int, pitch: float, field_of_view: FieldOfView, rng: np.random.Generator) -> Tensor:
    """Factor of every row's signal ``(rows, 1)``: 1 throughout on films taken at once."""
    gain = torch.ones(rows)
    seams = int(rng.integers(1, 3)) if rng.random() < OFTEN else 0
    places, steps = np.sort(rng.uniform(0.25, 0.75, seams)), np.exp(rng.normal(0, 0.09, seams))
    if field_of_view == "whole-spine":
        y = torch.arange(rows, dtype=torch.float32)
        for place, step in zip(places, steps, strict=True):
            gain = gain * step ** ((y - place * rows) * (pitch / BLEND_MM) + 0.5).clamp(0, 1)
    return gain[:, None]
