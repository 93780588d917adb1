"""What is taken for granted about spines and detectors before a candidate is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import USUAL, Level, Variant
from numbering.enumeration.graph import COLUMN, LEVELS

PREVALENCE: Mapping[Variant, float] = MappingProxyType(
    {
        USUAL: 0.903,
        Variant(12, 6): 0.033,
        Variant(12, 4): 0.022,
        Variant(11, 5): 0.015,
        Variant(13, 5): 0.015,
        Variant(11, 6): 0.005,
        Variant(13, 4): 0.005,
        Variant(13, 6): 0.001,
        Variant(11, 4): 0.001,
    }
)
"""How common each variant is. One mobile vertebra more than usual: 4.3 % (18 of 418), one fewer: 3.3 % (14 of 418), on
whole-spine MR (Tins & Balain, Insights Imaging 2016;7:199–203). How these divide into thoracic and lumbar ones is our
own reading: about two thirds lumbar. 11T with 6L is the commonest combination (5 of 293, Yan et al., J Orthop Surg Res
2018;13:124, whose volunteers had 11T more often than others report)."""

SPACING_MM: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "C1": (17.5, 3.0), "C2": (24.7, 2.5), "C3": (17.8, 1.8), "C4": (17.2, 1.8), "C5": (17.0, 2.0),
        "C6": (18.0, 2.5), "C7": (20.0, 2.2), "T1": (21.0, 2.0), "T2": (21.2, 2.0), "T3": (21.1, 1.5),
        "T4": (21.7, 1.5), "T5": (22.1, 1.5), "T6": (22.6, 1.5), "T7": (23.3, 1.6), "T8": (24.0, 1.7),
        "T9": (25.4, 1.8), "T10": (27.3, 2.0), "T11": (29.7, 2.0), "T12": (32.4, 2.4), "T13": (32.4, 3.0),
        "L1": (34.5, 2.2), "L2": (35.8, 2.2), "L3": (36.5, 2.2), "L4": (36.3, 2.6), "L5": (36.0, 4.0),
        "L6": (36.0, 4.0), "S1": (28.0, 5.0), "S2": (25.0, 5.0),
    }
)  # fmt: skip
"""Distance from each body's centre to the next one below: mean, and spread beyond the patient's scale. Means over the
truth of the VID training set (ImFusion, CC BY-SA 4.0); below L5 ours."""


def _per_level(values: Mapping[str, float], other: float) -> NDArray[np.float64]:
    return np.array([values.get(str(level), other) for level in LEVELS])


@dataclass(frozen=True, kw_only=True)
class SpineModel:
    """Priors of one kind of image and detector. Arrays ``(31,)`` have one value for each of `LEVELS`.

    The defaults say as little as possible: any level may be the first or the last in view.
    """

    variants: Mapping[Variant, float] = field(default_factory=lambda: PREVALENCE)
    start: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(LEVELS)))
    """Log weight of each level as the first one in view."""
    end: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(LEVELS)))
    """Log weight of each level as the last one in view."""
    missed: float = 0.02
    """Probability that a vertebra between two found ones was missed."""
    most_missed: int = 2
    """So many in a row may be missed."""
    repeated: float = 0.0
    """Probability that a candidate shows the same level as the one above it (axial slices, double boxes)."""
    repeat_mm: float = 6.0
    """Such candidates lie about this far apart, or less."""
    longest_run: int = 2
    """So many spurious candidates may lie between two vertebrae."""
    spacing_mm: NDArray[np.float64] = field(
        default_factory=lambda: _per_level({name: mean for name, (mean, _) in SPACING_MM.items()}, 28.0)
    )
    """Expected distance to the next level below, for a patient of scale 1."""
    spacing_sd_mm: NDArray[np.float64] = field(
        default_factory=lambda: _per_level({name: spread for name, (_, spread) in SPACING_MM.items()}, 5.0)
    )
    scales: NDArray[np.float64] = field(default_factory=lambda: np.array([0.88, 1.0, 1.12]))
    """Sizes of patients that are weighed against each other."""
    scale_weights: NDArray[np.float64] = field(default_factory=lambda: np.array([0.2, 0.6, 0.2]))
    spacing_weight: float = 1.0
    """How much the spacing counts: less than 1 where the candidates' own evidence has seen it already."""
    odd_spacing: float = 0.02
    """Share of distances that follow no rule; they are spread evenly over `ODD_MM`."""
    nothing: float = -5.0
    """Log weight of there being no vertebra at all among the candidates."""

    def __post_init__(self) -> None:
        for name in ("start", "end", "spacing_mm", "spacing_sd_mm"):
            if getattr(self, name).shape != (len(LEVELS),):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected one value for each level")
        if not (0 <= self.missed < 1 and 0 <= self.repeated < 1):
            raise ValueError(f"missed {self.missed}, repeated {self.repeated}: expected probabilities below 1")
        if self.scales.shape != self.scale_weights.shape or not np.isclose(self.scale_weights.sum(), 1):
            raise ValueError("scale_weights must match scales and sum to 1")


def only_at(*levels: Level) -> NDArray[np.float64]:
    """`SpineModel.start` or `SpineModel.end` weights that allow these levels alone, equally."""
    weights = np.full(len(LEVELS), -np.inf)
    weights[[COLUMN[level] for level in levels]] = 0.0
    return weights


ODD_MM = 100.0
