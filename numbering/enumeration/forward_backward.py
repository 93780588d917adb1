"""Sums over all paths, in log space: forward, backward, marginals, and the best path.

The same recursion serves three ends. With log-sum-exp it gives probabilities; with the maximum it gives best paths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.trellis import Array, Static, Trellis

UNDERFLOW = -1e300
"""Stands for ``-inf`` where one is subtracted from another."""


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


@dataclass(frozen=True)
class Semiring:
    """How weights of several ways are joined: ``(d, s, e)`` into groups of edges ``(s, groups)``, and two arrays."""

    over_groups: Callable[[_Ends, Array], Array]
    joined: Callable[[Array, Array], Array]


def _log_sum(ends: _Ends, weights: Array) -> Array:
    highest = np.maximum(np.maximum.reduceat(weights.max(0), ends.first, axis=1), UNDERFLOW)
    scaled = np.exp(weights - highest[:, ends.group]).sum(0)
    total: Array = np.log(np.add.reduceat(scaled, ends.first, axis=1)) + highest
    return total


def _highest(ends: _Ends, weights: Array) -> Array:
    best: Array = np.maximum.reduceat(weights.max(0), ends.first, axis=1)
    return best


SUM = Semiring(_log_sum, np.logaddexp)
BEST = Semiring(_highest, np.maximum)


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

    @np.errstate(divide="ignore")
    def forward(self, trellis: Trellis, semiring: Semiring) -> Array:
        """``(n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.empty((count, len(static.log_scales), static.graph.states))
        source = static.graph.source[self.into.order]
        steps = trellis.step[..., self.into.order]
        start = static.start + static.log_scales[:, None]
        for j in range(count):
            here = trellis.before[j] + start
            reach = min(j, steps.shape[1])
            if reach and len(source):
                came = semiring.over_groups(self.into, sums[j - reach : j][::-1][..., source] + steps[j, :reach])
                here[:, self.into.state] = semiring.joined(here[:, self.into.state], came)
            sums[j] = here + trellis.true[j]
        return sums

    @np.errstate(divide="ignore")
    def backward(self, trellis: Trellis, semiring: Semiring) -> Array:
        """``(n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.empty((count, len(static.log_scales), static.graph.states))
        ahead = np.empty_like(sums)
        target = static.graph.target[self.out_of.order]
        steps = trellis.step[..., self.out_of.order]
        for j in range(count - 1, -1, -1):
            sums[j] = trellis.after[j] + static.end
            reach = min(count - 1 - j, steps.shape[1])
            if reach and len(target):
                below = np.arange(j + 1, j + 1 + reach)
                ways = ahead[j + 1 : j + 1 + reach][..., target] + steps[below, below - j - 1]
                went = semiring.over_groups(self.out_of, ways)
                sums[j][:, self.out_of.state] = semiring.joined(sums[j][:, self.out_of.state], went)
            ahead[j] = sums[j] + trellis.true[j]
        return sums

    def sums(self, trellis: Trellis, semiring: Semiring) -> Sums:
        """Both."""
        return Sums(self.forward(trellis, semiring), self.backward(trellis, semiring))

    def log_total(self, trellis: Trellis, forward: Array) -> float:
        """Log of the summed weight of all paths, that of no vertebra at all included."""
        ended = forward + self.static.end + trellis.after[:, None, None]
        return float(np.logaddexp(log_sum_exp(ended), trellis.nothing))


def log_sum_exp(weights: Array) -> float:
    """Of all elements; ``-inf`` where there is none."""
    top = float(weights.max(initial=-np.inf))
    return top + float(np.log(np.exp(weights - top).sum())) if np.isfinite(top) else -np.inf
