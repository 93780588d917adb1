"""Slices gathered where they seem to show one disc: the candidates that the solver numbers.

Stacks along discs show each in several slices, a block in two or three with bodies in between. Where slices that look
like a disc lie close together along the spine, there is one sighting, whatever disc each of them was taken for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration import LEVELS, Evidence
from numbering.pipelines.axial_mr.classes import NONE, POSITIONS

Array = NDArray[np.float64]

SPREAD_MM = 4.0
"""Slices this near to each other speak for one disc: about half of a disc's height (a standard deviation)."""
REACH_MM = 12.0
"""A slice further from the middle of a sighting does not belong to it …"""
APART_MM = 20.0
"""… and no two discs are as near to each other as this."""
LEAST = 0.2
"""Slices that amount to less of one sure slice are no sighting."""
MOST_LOG_ODDS = 5.0
"""That a sighting is a disc at all, at most."""
STRAY = 0.02
"""How much of what the network says of a slice may mean nothing."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A place ``along_mm`` down the spine where slices (indices of the stack, head first) seem to show one disc.

    ``showing`` is the probability that each of these slices lies at a disc; ``position`` ``(5,)`` the log-likelihood of
    what they show together, if this were each disc; ``log_odds`` that it is one at all.
    """

    along_mm: float
    slices: tuple[int, ...]
    showing: Array
    position: Array
    log_odds: float

    @property
    def by_chance(self) -> float:
        """Log-likelihood of what the slices show, if it were no disc of a class."""
        return float(np.logaddexp.reduce(self.position) - np.log(POSITIONS))


def sightings(log_probabilities: Array, along_mm: Array, trust: float) -> list[Sighting]:
    """Head to foot. ``log_probabilities`` ``(n, 6)`` of the classes, calibrated; ``along_mm`` ``(n,)`` down the spine.

    ``trust`` says how much slices of one sighting add to each other: 0 as much as one of them, 1 as if each were
    independent of the others.
    """
    showing = -np.expm1(np.minimum(log_probabilities[:, NONE], -1e-12))
    found = []
    for middle in _middles(showing, along_mm):
        near = np.flatnonzero(np.abs(along_mm - middle) <= REACH_MM)
        found.append(_sighting(near, log_probabilities[near], showing[near], along_mm[near], trust))
    return sorted(found, key=lambda one: one.along_mm)


def _middles(showing: Array, along_mm: Array) -> list[float]:
    """Where slices that show a disc are densest, the densest first, no two as near to each other as no discs are."""
    kept: list[float] = []
    free = showing.copy()
    while free.any():
        density = free @ np.exp(-((along_mm[:, None] - along_mm) ** 2) / (2 * SPREAD_MM**2))
        densest = int(np.argmax(density.round(9)))
        if density[densest] < LEAST:
            break
        near = np.abs(along_mm - along_mm[densest]) <= REACH_MM
        middle = float(free * near @ along_mm / (free * near).sum())
        if all(abs(middle - other) > APART_MM for other in kept):
            kept.append(middle)
        free[near] = 0.0
    return kept


def _sighting(
    near: NDArray[np.intp], log_probabilities: Array, showing: Array, along_mm: Array, trust: float
) -> Sighting:
    shares = np.exp(log_probabilities[:, :POSITIONS]) / np.maximum(showing[:, None], 1e-12)
    said = np.log((1 - STRAY) * shares + STRAY / POSITIONS)
    count = showing.sum()
    best = float(np.clip(showing.max(), 1e-9, 1 - 1e-9))
    return Sighting(
        along_mm=float(showing @ along_mm / count),
        slices=tuple(int(index) for index in near[np.argsort(along_mm, kind="stable")]),
        showing=showing[np.argsort(along_mm, kind="stable")],
        position=showing @ said / max(count, 1e-9) * max(count, 1.0) ** trust,
        log_odds=float(np.clip(np.log(best) - np.log1p(-best), -MOST_LOG_ODDS, MOST_LOG_ODDS)),
    )


def evidence_of(found: Sequence[Sighting], shift: int, columns: Sequence[int]) -> Evidence:
    """What speaks for each position of each sighting, if the network sees all ``shift`` positions too low.

    ``columns`` of the solver's levels stand for the positions. A disc that would be seen beyond the last position is
    taken for the last one, or for none: as likely as not.
    """
    table = np.full((len(found), len(LEVELS)), -np.inf)
    spurious = np.zeros(len(found))
    for row, one in enumerate(found):
        spurious[row] = -np.logaddexp(0, one.log_odds) + one.by_chance
        seen = one.position - np.logaddexp(0, -one.log_odds)
        for position, column in enumerate(columns):
            place = min(max(position + shift, 0), POSITIONS - 1)
            beyond = place != position + shift
            table[row, column] = np.logaddexp(seen[place], spurious[row]) - np.log(2) if beyond else seen[place]
    return Evidence(table, spurious, np.array([one.along_mm for one in found], float))
