"""Two walks made one: what both found is one vertebra, and what only one found is kept with less belief."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbering.pipelines.ct.reading.found import Found, shared_voxels
from numbering.pipelines.ct.reading.walk import Walk

SAME = 0.5
"""Two walks found one vertebra where the smaller has this share of its voxels in the other."""
APART = 0.15
"""Two vertebrae where it has less; what lies between is one vertebra in pieces."""


@dataclass(frozen=True, eq=False)
class Merged:
    """Vertebrae of both walks, head to foot. ``torn`` are pieces that one walk cut otherwise than the other, and that
    were left out."""

    found: tuple[Found, ...]
    torn: int


def merge(walks: Sequence[Walk]) -> Merged:
    """The vertebrae of one walk, or of two."""
    one, *others = walks
    kept, torn = list(one.found), 0
    for other in others:
        kept, lost = _merged(kept, other.found)
        torn += lost
    return Merged(tuple(sorted(kept, key=lambda found: float(found.centre[0]))), torn)


def _merged(ours: Sequence[Found], theirs: Sequence[Found]) -> tuple[list[Found], int]:
    overlaps = np.array([[_overlap(a, b) for b in theirs] for a in ours]).reshape(len(ours), len(theirs))
    same = overlaps >= SAME
    kept: list[Found] = []
    used: set[int] = set()
    torn = 0
    for place, one in enumerate(ours):
        partners = np.flatnonzero(same[place])
        if (
            len(partners) > 1
        ):  # two vertebrae there, by the other walk: a vertebra too many is easier to see than two in one
            torn += 1
            continue
        if len(partners) == 1 and same[:, partners[0]].sum() == 1:
            used.add(int(partners[0]))
            kept.append(fused(one, theirs[partners[0]]))
        else:
            kept.append(one)
    for place, other in enumerate(theirs):
        if place in used:
            continue
        if same[:, place].sum() > 1 or any(_overlap(one, other) >= APART for one in kept):
            torn += 1
            continue
        kept.append(other)
    return kept, torn


def _overlap(one: Found, other: Found) -> float:
    return shared_voxels(one, other) / max(1, min(one.voxels, other.voxels))


def fused(one: Found, other: Found) -> Found:
    """The mean of two looks at one vertebra; what they disagree on widens the spread of its level."""
    low = np.minimum(one.corner, other.corner)
    high = np.maximum(one.corner + one.share.shape, other.corner + other.share.shape)
    share = np.zeros(high - low, np.float32)
    for each in (one, other):
        at = each.corner - low
        share[tuple(slice(int(a), int(a + n)) for a, n in zip(at, each.share.shape, strict=True))] += each.share / 2
    weights = np.array([1 / one.spread, 1 / other.spread])
    weights /= weights.sum()
    return replace(
        one,
        share=share,
        corner=low,
        level=float(weights @ [one.level, other.level]),
        spread=(one.spread + other.spread) / 2 + abs(one.level - other.level) / 2,
        complete=_mean(one.complete, other.complete),
        rib=_mean(one.rib, other.rib),
        sacrum=_mean(one.sacrum, other.sacrum),
        dens=_mean(one.dens, other.dens),
        seen=one.seen | other.seen,
    )


def _mean(one: float, other: float) -> float:
    """Of two probabilities, by their logits."""
    p, q = (min(max(each, 1e-6), 1 - 1e-6) for each in (one, other))
    odds = np.sqrt(p * q / ((1 - p) * (1 - q)))
    return float(odds / (1 + odds))
