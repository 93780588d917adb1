"""Sums over all paths, in log space: forward and backward, for probabilities and for best paths.

The same recursion serves both: with log-sum-exp it gives probabilities, with the maximum it gives best paths. They
share most of their work, so one pass does both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.trellis import Array, Static, Trellis

UNDERFLOW = -1e300
"""Stands for ``-inf`` where one is subtracted from another."""
SUM, BEST = 0, 1


@dataclass(frozen=True)
class _Ends:
    """Edges grouped by the state at one of their ends: their order, where each group starts, and whose it is."""

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    group: NDArray[np.intp]
    state: NDArray[np.intp]

    @classmethod
    def of(cls, states: NDArray[np.intp]) -> _Ends:
        order = np.argsort(states, kind="stable")
        state, first, group = np.unique(states[order], return_index=True, return_inverse=True)
        return cls(order, first, group, state)

    def joined(self, weights: Array) -> Array:
        """Weights ``(2, d, s, e)`` over each group of edges ``(2, s, groups)``: log of the sum, and the greatest."""
        joined: Array = np.maximum.reduceat(weights.max(1), self.first, axis=2)
        floor = np.maximum(joined[SUM], UNDERFLOW)
        scaled = np.exp(weights[SUM] - floor[:, self.group]).sum(0)
        joined[SUM] = np.log(np.add.reduceat(scaled, self.first, axis=1)) + floor
        return joined

    def add(self, sums: Array, weights: Array) -> None:
        """Join these ways ``(2, d, s, e)`` to what is in ``sums`` ``(2, s, k)`` already."""
        joined = self.joined(weights)
        sums[SUM][:, self.state] = np.logaddexp(sums[SUM][:, self.state], joined[SUM])
        sums[BEST][:, self.state] = np.maximum(sums[BEST][:, self.state], joined[BEST])


@dataclass(frozen=True)
class Sums:
    """``forward[j, s, k]``: all ways that reach candidate ``j`` at state ``k``, its own evidence included;
    ``backward[j, s, k]``: all ways to go on from there to the end. The patient's scale is in ``forward``.
    """

    forward: Array
    backward: Array

    @property
    def through(self) -> Array:
        """``(n, s, k)``: all paths that pass through each candidate at each state."""
        return self.forward + self.backward


class Recursion:
    """The recursions over one `Static` model; keeps how its edges are grouped."""

    def __init__(self, static: Static) -> None:
        self.static = static
        self.into, self.out_of = _Ends.of(static.graph.target), _Ends.of(static.graph.source)

    def sums(self, trellis: Trellis) -> tuple[Sums, Sums]:
        """Over all paths, and of the best path."""
        forward, backward = self.forward(trellis), self.backward(trellis)
        return Sums(forward[SUM], backward[SUM]), Sums(forward[BEST], backward[BEST])

    @np.errstate(divide="ignore")
    def forward(self, trellis: Trellis) -> Array:
        """``(2, n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.empty((2, count, len(static.log_scales), static.graph.states))
        start = static.start + static.log_scales[:, None]
        for j in range(count):
            sums[:, j] = trellis.before[j] + start
            reach = min(j, trellis.step.shape[1])
            if reach and len(static.edge):
                # Edges are sorted by their target.
                came = sums[:, j - reach : j][:, ::-1][..., static.graph.source]
                self.into.add(sums[:, j], came + trellis.step[j, :reach])
            sums[:, j] += trellis.true[j]
        return sums

    @np.errstate(divide="ignore")
    def backward(self, trellis: Trellis) -> Array:
        """``(2, n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.empty((2, count, len(static.log_scales), static.graph.states))
        ahead = np.empty_like(sums)
        target = static.graph.target[self.out_of.order]
        steps = trellis.step[..., self.out_of.order]
        for j in range(count - 1, -1, -1):
            sums[:, j] = trellis.after[j] + static.end
            reach = min(count - 1 - j, steps.shape[1])
            if reach and len(static.edge):
                below = np.arange(j + 1, j + 1 + reach)
                went = ahead[:, j + 1 : j + 1 + reach][..., target]
                self.out_of.add(sums[:, j], went + steps[below, below - j - 1])
            ahead[:, j] = sums[:, j] + trellis.true[j]
        return sums

    def log_total(self, trellis: Trellis, forward: Array) -> float:
        """Log of the summed weight of all paths, that of no vertebra at all included."""
        ended = forward + self.static.end + trellis.after[:, None, None]
        return float(np.logaddexp(log_sum_exp(ended), trellis.nothing))


def log_sum_exp(weights: Array) -> float:
    """Of all elements; ``-inf`` where there is none."""
    top = float(weights.max(initial=-np.inf))
    return top + float(np.log(np.exp(weights - top).sum())) if np.isfinite(top) else -np.inf
