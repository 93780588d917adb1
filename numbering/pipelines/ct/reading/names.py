"""Which names of a series are given: what is left out at the ends, what they are counted from, what contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, Numbering
from numbering.enumeration.model import SPACING_MM
from numbering.pipelines.ct.reading.bodies import Body
from numbering.pipelines.ct.reading.found import Found

LONG_STEP = 1.45
"""Neighbours further apart than so many times what their names and their neighbours' distances let expect have room for
a vertebra between them …"""
SHORT_STEP = 0.55
"""… and nearer ones may be two pieces of one."""
SEEN = 0.5
"""Ribs, a sacrum or a dens are in view from this probability on."""


def usual(numbering: Numbering) -> Variant:
    """The likeliest variant."""
    return max(numbering.variants, key=lambda variant: numbering.variants[variant])


def trimmed(numbering: Numbering, least: float) -> Numbering:
    """Without names at either end that are less probable than that; names in between stay as they are."""
    levels, probabilities = list(numbering.levels), list(numbering.probabilities)
    for order in (range(len(levels)), range(len(levels) - 1, -1, -1)):
        for index in order:
            if levels[index] is None:
                continue
            if probabilities[index] >= least or levels[index] is Level.L1:
                break
            levels[index] = None
            probabilities[index] = float(np.clip(1 - numbering.marginals[index].sum(), 0, 1))
    return replace(numbering, levels=tuple(levels), probabilities=tuple(probabilities))


def least_probable(numbering: Numbering) -> tuple[Level, float]:
    """The name that is least probable, and its probability."""
    named = [(p, level) for p, level in zip(numbering.probabilities, numbering.levels, strict=True) if level]
    probability, level = min(named, key=lambda pair: pair[0])
    return level, probability


def chance_of(numbering: Numbering, level: Level) -> float:
    """The highest probability that any candidate has of being this level."""
    return float(numbering.marginals[:, LEVELS.index(level)].max(initial=0.0))


@dataclass(frozen=True)
class Gap:
    """Between two named neighbours, by their places among the candidates: levels that are missing there, or none of
    them where the distance alone is too long or too short."""

    upper: int
    lower: int
    missing: tuple[Level, ...]
    ratio: float


def gaps(numbering: Numbering, bodies: Sequence[Body]) -> list[Gap]:
    """Where a level was passed over, or where the distance does not go with the names."""
    named = [index for index, level in enumerate(numbering.levels) if level is not None]
    order = usual(numbering).levels()
    found, ratios = [], []
    for upper, lower in pairwise(named):
        above, below = numbering.levels[upper], numbering.levels[lower]
        if above is None or below is None or above not in order or below not in order:
            continue
        passed = order[order.index(above) : order.index(below)]
        expected = sum(SPACING_MM[str(level)][0] for level in passed)
        length = float(np.linalg.norm(bodies[lower].centre_mm - bodies[upper].centre_mm))
        whole = not bodies[upper].cut and not bodies[lower].cut
        ratios.append(length / expected if whole else np.nan)
        found.append(Gap(upper, lower, tuple(passed[1:]), length / expected if whole else np.nan))
    scale = float(np.clip(np.nanmedian(ratios), 0.8, 1.25)) if np.isfinite(ratios).any() else 1.0
    found = [replace(gap, ratio=gap.ratio / scale) for gap in found]
    return [gap for gap in found if gap.missing or gap.ratio > LONG_STEP or gap.ratio < SHORT_STEP]


def anchors(numbering: Numbering, found: Sequence[Found]) -> tuple[str, ...]:
    """What a count can start from in this series: ``C2``, ``last rib``, ``sacrum``."""
    seen = {level: one for level, one in zip(numbering.levels, found, strict=True) if level is not None}
    thoracic = max((level for level in seen if level.region == "T"), default=None)
    ribs = thoracic is not None and Level.L1 in seen and seen[thoracic].rib >= SEEN > seen[Level.L1].rib
    lumbar = max((level for level in seen if level.region == "L"), default=None)
    there = {
        "C2": Level.C2 in seen and seen[Level.C2].dens >= SEEN,
        "last rib": ribs,
        "sacrum": lumbar is not None and seen[lumbar].sacrum >= SEEN,
    }
    return tuple(name for name, present in there.items() if present)
