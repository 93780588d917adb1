"""Which body the sacrum follows: one or two candidates are a path through the spine too.

The lowest lumbar-type vertebra is the one above the sacrum. So the candidates go to the solver with the sacrum below
them as an anchor, and any one of them or none is the vertebra above it: L5 in the usual spine, L6 in one with six. A
body that is not the lowest counts as none of the path's: what the detector says of it is only that it is not the one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from numbering.anatomy import USUAL, Level, Variant
from numbering.enumeration import LEVELS, Evidence, Solver, SpineModel
from numbering.enumeration.model import only_at

SIX_LUMBAR_PREVALENCE = 0.040
"""Share of people whose lowest lumbar-type vertebra is the sixth: lumbarisation in CT of 551 patients (see docs)."""
MOST_BODIES = 64
"""More bodies than these are never seen on one film."""


@dataclass(frozen=True)
class Lowest:
    """Probability of each body to be L5 and the lowest, to be L6 and the lowest; and that none is the lowest."""

    l5: tuple[float, ...]
    l6: tuple[float, ...]
    none: float

    @property
    def either(self) -> tuple[float, ...]:
        """Probability of each body to be the lowest lumbar-type vertebra, whatever its name."""
        return tuple(five + six for five, six in zip(self.l5, self.l6, strict=True))

    def of(self, bodies: Sequence[int]) -> Lowest:
        """The same for these bodies alone, in this order."""
        return Lowest(tuple(self.l5[i] for i in bodies), tuple(self.l6[i] for i in bodies), self.none)


def lowest(probabilities: Sequence[float]) -> Lowest:
    """The bodies compete, given each one's probability to be the lowest lumbar-type vertebra if it were alone."""
    p = np.clip(np.asarray(probabilities, float), 1e-6, 1 - 1e-6)
    log_odds = np.log(p / (1 - p))
    shares, weights = [], []
    for level, prior in ((Level.L5, 1 - SIX_LUMBAR_PREVALENCE), (Level.L6, SIX_LUMBAR_PREVALENCE)):
        evidence = Evidence.of([*({level: odds} for odds in log_odds), {Level.S1: 0.0}], [*np.zeros(len(p)), -np.inf])
        shares.append(_solver(level).number(evidence).marginals[:-1, LEVELS.index(level)])
        weights.append(np.log(prior) + _solver(level).log_evidence(evidence))
    variants = np.exp(weights - np.logaddexp.reduce(weights))
    l5, l6 = (share * variant for share, variant in zip(shares, variants, strict=True))
    return Lowest(tuple(map(float, l5)), tuple(map(float, l6)), float(1 - l5.sum() - l6.sum()))


@cache
def _solver(level: Level) -> Solver:
    """For spines whose lowest lumbar-type vertebra is ``level``."""
    return Solver(
        SpineModel(
            variants={USUAL if level is Level.L5 else Variant(12, 6): 1.0},
            start=only_at(level, Level.S1),
            end=only_at(Level.S1),
            missed=0.0,
            most_missed=0,
            longest_run=MOST_BODIES,
            scales=np.ones(1),
            scale_weights=np.ones(1),
            nothing=-np.inf,
        )
    )
