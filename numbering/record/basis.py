"""On what each name of a result rests, and whether that is a confirmed basis (docs/conventions.md, "The level check").

A pipeline says in words what it counted from. Only words of this list are understood; all others are "not stated",
which confirms nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import dist
from statistics import median

from numbering.anatomy import VARIANTS, Level
from numbering.record.model import CONFIRMABLE, Basis, BasisKind
from numbering.result import NumberingBasis

COUNTED_FROM: Mapping[str, BasisKind] = {
    "c2": BasisKind.COUNTED_FROM_C2,
    "last rib": BasisKind.LAST_RIB,
    "lowest rib-bearing vertebra": BasisKind.LAST_RIB,
    "lowest rib-bearing vertebra, presumed t12": BasisKind.LAST_RIB,
    "sacrum": BasisKind.SACRUM,
    "l5 by appearance": BasisKind.APPEARANCE,
    "lowest lumbar-type vertebra by appearance": BasisKind.APPEARANCE,
    "lowest lumbar-type vertebra by appearance, presumed l5": BasisKind.APPEARANCE,
    "appearance of axial slices": BasisKind.APPEARANCE,
}
"""What `NumberingBasis.counted_from` may say, in small letters."""

PRESUMED: Mapping[BasisKind, str] = {
    BasisKind.LAST_RIB: "the last rib-bearing vertebra is T12",
    BasisKind.SACRUM: "five lumbar-type vertebrae",
    BasisKind.APPEARANCE: "five lumbar-type vertebrae",
}
"""What a count from there takes for granted, whether or not the pipeline says so."""

STRENGTH = (
    BasisKind.HUMAN_CORRECTION,
    BasisKind.COUNTED_FROM_C2,
    BasisKind.UNVERIFIED_CORRECTION,
    BasisKind.INTERRUPTED_COUNT,
    BasisKind.LAST_RIB,
    BasisKind.SACRUM,
    BasisKind.PRIOR,
    BasisKind.APPEARANCE,
    BasisKind.UNKNOWN,
)
"""Strongest first. Among equals a confirmed one is stronger."""

LARGEST_STEP = 1.5
"""A distance between neighbours this many times what its neighbours are is a gap: a vertebra may lie in it unseen."""

_NEIGHBOURS = frozenset(pair for variant in VARIANTS for pair in pairwise(variant.levels()))


def weakness(basis: Basis) -> tuple[bool, int]:
    """The order of strength: the smaller, the stronger."""
    return not basis.confirmed, STRENGTH.index(basis.kind)


def kind_of(stated: NumberingBasis) -> BasisKind:
    """What this result was counted from."""
    return COUNTED_FROM.get(stated.counted_from.strip().casefold(), BasisKind.UNKNOWN)


def runs(levels: Sequence[Level], positions: Sequence[tuple[float, ...]] | None = None) -> list[list[Level]]:
    """``levels`` (head to foot) cut where the count is interrupted: a name is missing, or the distance says so.

    ``positions`` in mm or pixels, of the same length; None when they are not known.
    """
    cut = _long_steps(positions) if positions else set()
    found: list[list[Level]] = []
    for index, level in enumerate(levels):
        if found and (levels[index - 1], level) in _NEIGHBOURS and index not in cut:
            found[-1].append(level)
        else:
            found.append([level])
    return found


def _long_steps(positions: Sequence[tuple[float, ...]]) -> set[int]:
    steps = [dist(a, b) for a, b in pairwise(positions)]
    long = set()
    for index, step in enumerate(steps):
        beside = [*steps[max(0, index - 2) : index], *steps[index + 1 : index + 3]]
        if beside and step > LARGEST_STEP * median(beside):
            long.add(index + 1)
    return long


def basis_of(stated: NumberingBasis, level: Level, found: Sequence[Sequence[Level]]) -> Basis:
    """The basis of one name in a chain that lies in one image or one frame of reference; ``found`` are its runs.

    A count from C2 is confirmed as far as C2 itself is named and the count from there is not interrupted.
    """
    kind = kind_of(stated)
    assumptions = stated.assumptions
    if not assumptions and kind in PRESUMED:
        assumptions = (PRESUMED[kind],)
    if kind is BasisKind.COUNTED_FROM_C2 and not any(Level.C2 in run and level in run for run in found):
        kind = BasisKind.INTERRUPTED_COUNT
    return Basis(
        kind=kind,
        counted_from=stated.counted_from,
        confirmed=kind in CONFIRMABLE and not assumptions,
        assumptions=assumptions,
    )
