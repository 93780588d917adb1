"""What an anomaly is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from numbering.phantom.anatomy.patient import Patient

Sex = Literal["F", "M"]
Edit = Callable[[Patient, np.random.Generator], Patient]
Share = Callable[[Sex, int], float]
"""Share of the people of this sex and age who have it."""


def unchanged(patient: Patient, rng: np.random.Generator) -> Patient:
    """The edit of an anomaly that is all in its variant."""
    return patient


def by_age(*steps: tuple[int, float]) -> Share:
    """A share that holds from an age on: ``(0, 0.1), (60, 0.4)``."""

    def share(sex: Sex, age: int) -> float:
        return next(value for start, value in reversed(steps) if age >= start)

    return share


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """An anomaly by name. One of each ``place`` at most is found in one patient."""

    name: str
    share: Share
    edit: Edit = unchanged
    thoracic: int = 12
    lumbar: int = 5
    places: frozenset[str] = frozenset()
    """``thoracolumbar`` and ``lumbosacral``: the junctions whose form it settles."""
    youngest: int = 18
    """Who has it when it is asked for by name is at least so old."""
