"""What the models of the truth share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict

Pair = tuple[float, float]
Triple = tuple[float, float, float]


class TruthModel(BaseModel):
    """Frozen; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def pair(point: Iterable[float] | np.ndarray) -> Pair:
    """Image point x, y to a thousandth of a pixel."""
    x, y = (round(float(value), 3) for value in point)
    return x, y


def triple(point: Iterable[float] | np.ndarray) -> Triple:
    """Point in space to a hundredth of a millimetre."""
    x, y, z = (round(float(value), 2) for value in point)
    return x, y, z


class TrueAngle(TruthModel):
    """An angle between endplates, degrees, named and signed as the pipelines' measurements (CONVENTIONS)."""

    name: str
    value: float
