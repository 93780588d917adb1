"""What speaks for each level of each candidate, from any pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numbering.anatomy import Level
from numbering.enumeration.graph import COLUMN, LEVELS


@dataclass(frozen=True)
class Evidence:
    """Candidates in any order.

    ``log_likelihood`` ``(n, 31)``: of what was seen, if the candidate were each of `LEVELS`; ``-inf`` is impossible.
    ``spurious`` ``(n,)``: the same if it were no vertebra. Each row may be shifted as a whole by any number.
    ``positions_mm`` ``(n, 3)`` mm LPS, or ``(n,)`` along the spine growing towards the feet; None where distances mean
    nothing, and then the candidates are taken head to foot as given.
    """

    log_likelihood: NDArray[np.float64]
    spurious: NDArray[np.float64]
    positions_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.spurious)
        if self.log_likelihood.shape != (count, len(LEVELS)):
            raise ValueError(f"log-likelihoods {self.log_likelihood.shape}, expected ({count}, {len(LEVELS)})")
        if np.isnan(self.log_likelihood).any() or np.isnan(self.spurious).any():
            raise ValueError("a log-likelihood is not a number: expected a finite value or -inf")
        if np.isposinf(self.log_likelihood).any() or np.isposinf(self.spurious).any():
            raise ValueError("a log-likelihood is infinite: expected a finite value or -inf")
        if self.positions_mm is not None:
            if self.positions_mm.shape not in ((count,), (count, 3)):
                raise ValueError(f"positions {self.positions_mm.shape}, expected ({count},) or ({count}, 3)")
            if not np.isfinite(self.positions_mm).all():
                raise ValueError("a position is not finite: expected mm")

    def __len__(self) -> int:
        return len(self.spurious)

    @classmethod
    def of(
        cls,
        likelihoods: Sequence[Mapping[Level, float]],
        spurious: Iterable[float],
        positions_mm: ArrayLike | None = None,
    ) -> Evidence:
        """From log-likelihoods by level; levels that are not named are impossible."""
        table = np.full((len(likelihoods), len(LEVELS)), -np.inf)
        for row, named in zip(table, likelihoods, strict=True):
            for level, value in named.items():
                row[COLUMN[level]] = value
        return cls(
            table, np.array(list(spurious), float), None if positions_mm is None else np.asarray(positions_mm, float)
        )

    def head_to_foot(self) -> NDArray[np.intp]:
        """The order of the candidates along the spine; it does not depend on the order in which they came."""
        if self.positions_mm is None:
            return np.arange(len(self))
        if self.positions_mm.ndim == 1:
            keys = [self.positions_mm]
        else:
            keys = [self.positions_mm[:, 0], self.positions_mm[:, 1], -self.positions_mm[:, 2]]
        ties = [*self.log_likelihood.T[::-1], self.spurious]
        return np.lexsort((*ties, *keys))

    def with_anchor(self, anchor: Anchor) -> Evidence:
        """The same with one more piece of evidence."""
        table = self.log_likelihood.copy()
        elsewhere = np.array([level not in anchor.levels for level in LEVELS])
        table[anchor.candidate, elsewhere] -= anchor.log_odds
        spurious = self.spurious.copy()
        spurious[anchor.candidate] -= anchor.log_odds
        return replace(self, log_likelihood=table, spurious=spurious)


@dataclass(frozen=True)
class Anchor:
    """Something that says which levels a candidate can be: a rib, the sacrum, the dens.

    ``log_odds``: how many times likelier (as a logarithm) it is seen on one of ``levels`` than on another, or on
    no vertebra.
    """

    candidate: int
    levels: frozenset[Level]
    log_odds: float


def rib_bearing(candidate: int, log_odds: float = 4.0) -> Anchor:
    """A rib is jointed to this vertebra."""
    return Anchor(candidate, frozenset(level for level in LEVELS if level.region == "T"), log_odds)


def sacrum(candidate: int, log_odds: float = 4.0) -> Anchor:
    """This is the uppermost segment of the sacrum."""
    return Anchor(candidate, frozenset({Level.S1}), log_odds)


def dens(candidate: int, log_odds: float = 6.0) -> Anchor:
    """This vertebra bears the dens: it is C2."""
    return Anchor(candidate, frozenset({Level.C2}), log_odds)
