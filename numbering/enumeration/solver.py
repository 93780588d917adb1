"""From candidates to one numbering with its probabilities, and the alternative to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.enumeration.evidence import Evidence
from numbering.enumeration.forward_backward import SUM, Recursion, Sums
from numbering.enumeration.graph import COLUMN, LEVELS
from numbering.enumeration.model import SpineModel
from numbering.enumeration.paths import NONE, best_different_path, best_path, log_weight
from numbering.enumeration.trellis import Array, Static, Trellis

Names = tuple[Level | None, ...]


@dataclass(frozen=True)
class Numbering:
    """What the candidates are called, in the order in which they came; None is no vertebra.

    ``probabilities``: marginal of each candidate's name (of being no vertebra, where it is None).
    ``probability``: that all of ``levels`` holds. ``alternative``: the likeliest numbering in which at least one of
    the numbered candidates has another level, or None.
    ``marginals`` ``(n, 31)`` over `LEVELS`; what is left of each row is the probability of being no vertebra.
    """

    levels: Names
    probabilities: tuple[float, ...]
    probability: float
    alternative: Names | None
    alternative_probability: float
    marginals: Array
    variants: Mapping[Variant, float]
    starts: Mapping[Level, float]

    @property
    def confidence(self) -> float:
        """Mean probability of the names given: about the share of them that is right. 0 where none is given."""
        named = [p for level, p in zip(self.levels, self.probabilities, strict=True) if level is not None]
        return float(np.mean(named)) if named else 0.0

    @property
    def entropy_bits(self) -> float:
        """Mean over the candidates of the entropy of their names, in bits: 0 is certain."""
        if not len(self.marginals):
            return 0.0
        rows = np.concatenate([self.marginals, 1 - self.marginals.sum(1, keepdims=True)], 1).clip(1e-15, 1)
        return float(-(rows * np.log2(rows)).sum(1).mean())


class Solver:
    """Numbers spines under one model; what depends on the model alone is worked out once."""

    def __init__(self, model: SpineModel | None = None) -> None:
        self.model = model or SpineModel()
        self.static = Static.of(self.model)
        self.recursion = Recursion(self.static)

    def number(self, evidence: Evidence) -> Numbering:
        """The likeliest numbering of these candidates. No candidate, or none that is a vertebra, gives no name."""
        order = evidence.head_to_foot()
        trellis = Trellis.of(self.static, _sorted(evidence, order))
        sums, best = self.recursion.sums(trellis)
        total = self.recursion.log_total(trellis, sums.forward)
        path = best_path(self.recursion, trellis, best)
        different = best_different_path(self.recursion, trellis, best, path)
        marginals = self._marginals(sums, total)
        columns = self._columns(path)
        probabilities = np.where(
            columns == NONE, 1 - marginals.sum(1), marginals[np.arange(len(columns)), columns]
        ).clip(0, 1)
        back = np.argsort(order)
        return Numbering(
            levels=_names(columns[back]),
            probabilities=tuple(float(p) for p in probabilities[back]),
            probability=self._probability(trellis, columns, total),
            alternative=None if different is None else _names(self._columns(different)[back]),
            alternative_probability=(
                0.0 if different is None else self._probability(trellis, self._columns(different), total)
            ),
            marginals=marginals[back],
            variants=self._variants(trellis, sums, total),
            starts=self._starts(trellis, sums, total),
        )

    def log_evidence(self, evidence: Evidence) -> float:
        """Log of the summed weight of all paths."""
        trellis = Trellis.of(self.static, _sorted(evidence, evidence.head_to_foot()))
        return self.recursion.log_total(trellis, self.recursion.forward(trellis)[SUM])

    def probability(self, evidence: Evidence, levels: Names) -> float:
        """That all of ``levels``, one for each candidate in the order in which they came, holds."""
        order = evidence.head_to_foot()
        trellis = Trellis.of(self.static, _sorted(evidence, order))
        columns = np.array([NONE if level is None else COLUMN[level] for level in levels], dtype=np.intp)[order]
        if not np.isin(columns[columns != NONE], self.static.graph.level).all():
            return 0.0
        total = self.recursion.log_total(trellis, self.recursion.forward(trellis)[SUM])
        return self._probability(trellis, columns, total)

    def _columns(self, path: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.where(path == NONE, NONE, self.static.graph.level[path])

    def _probability(self, trellis: Trellis, columns: NDArray[np.intp], total: float) -> float:
        return float(np.exp(min(0.0, log_weight(self.recursion, trellis, columns) - total)))

    def _marginals(self, sums: Sums, total: float) -> Array:
        by_state = np.exp(sums.through - total).sum(1)
        marginals = np.zeros((len(by_state), len(LEVELS)))
        np.add.at(marginals.T, self.static.graph.level, by_state.T)
        return marginals.clip(0, 1)

    def _variants(self, trellis: Trellis, sums: Sums, total: float) -> dict[Variant, float]:
        ended = np.exp(sums.forward + self.static.end + trellis.after[:, None, None] - total).sum((0, 1))
        prior = np.array([self.model.variants[variant] for variant in self.static.graph.variants])
        shares = ended @ self.static.graph.shares + np.exp(trellis.nothing - total) * prior / prior.sum()
        return {variant: float(share) for variant, share in zip(self.static.graph.variants, shares, strict=True)}

    def _starts(self, trellis: Trellis, sums: Sums, total: float) -> dict[Level, float]:
        weights = trellis.before[:, None, None] + self.static.start + self.static.log_scales[:, None]
        weights = np.exp(weights + trellis.true[:, None] + sums.backward - total).sum((0, 1))
        starts = np.bincount(self.static.graph.level, weights, len(LEVELS))
        return {level: float(share) for level, share in zip(LEVELS, starts, strict=True) if share > 0}


def _sorted(evidence: Evidence, order: NDArray[np.intp]) -> Evidence:
    positions = None if evidence.positions_mm is None else evidence.positions_mm[order]
    return replace(
        evidence,
        log_likelihood=evidence.log_likelihood[order],
        spurious=evidence.spurious[order],
        positions_mm=positions,
    )


def _names(columns: NDArray[np.intp]) -> Names:
    return tuple(None if column == NONE else LEVELS[column] for column in columns)
