"""Sums over all paths, in log space: forward, backward, marginals, and the best path.

The same recursion serves three ends. With log-sum-exp it gives probabilities; with the maximum it gives best paths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.trellis import Array, Static, Trellis

Total = Callable[["_Ends", Array], Array]


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


def log_sum(ends: _Ends, weights: Array) -> Array:
    """Log of the summed weights ``(…, d, s, e)`` over steps and over each group of edges: ``(…, s, groups)``."""
    over_steps = weights.max(-3)
    if not len(ends.first):
        return np.zeros((*over_steps.shape[:-1], 0))
    highest = np.maximum.reduceat(over_steps, ends.first, axis=-1)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    scaled = np.exp(weights - highest[..., None, :, ends.group]).sum(-3)
    with np.errstate(divide="ignore"):
        total: Array = np.log(np.add.reduceat(scaled, ends.first, axis=-1)) + highest
    return total


def highest(ends: _Ends, weights: Array) -> Array:
    """The greatest weight ``(…, d, s, e)`` of each group of edges: ``(…, s, groups)``."""
    over_steps = weights.max(-3)
    if not len(ends.first):
        return np.zeros((*over_steps.shape[:-1], 0))
    best: Array = np.maximum.reduceat(over_steps, ends.first, axis=-1)
    return best


@dataclass(frozen=True)
class Sums:
    """``forward[j, s, k]``: all ways that reach candidate ``j`` at state ``k``, its own evidence included;
    ``backward[j, s, k]``: all ways to go on from there to the end. The patient's scale is in ``forward``.
    """

    forward: Array
    backward: Array
    nothing: float

    @property
    def through(self) -> Array:
        """``(n, s, k)``: all paths that pass through each candidate at each state."""
        return self.forward + self.backward


class Recursion:
    """The recursions over one `Static` model; keeps how its edges are grouped."""

    def __init__(self, static: Static) -> None:
        self.static = static
        self.into, self.out_of = _Ends.of(static.graph.target), _Ends.of(static.graph.source)

    def forward(self, trellis: Trellis, total: Total = log_sum) -> Array:
        """``(n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.full((count, len(static.log_scales), static.graph.states), -np.inf)
        source = static.graph.source[self.into.order]
        steps = trellis.step[..., self.into.order]
        for j in range(count):
            sums[j] = trellis.before[j] + static.start + static.log_scales[:, None]
            reach = min(j, steps.shape[1])
            if reach:
                came = total(self.into, sums[j - reach : j][::-1][..., source] + steps[j, :reach])
                sums[j][:, self.into.state] = _joined(sums[j][:, self.into.state], came, total)
            sums[j] += trellis.true[j]
        return sums

    def backward(self, trellis: Trellis, total: Total = log_sum) -> Array:
        """``(n, s, k)``, see `Sums`."""
        static, count = self.static, len(trellis)
        sums = np.full((count, len(static.log_scales), static.graph.states), -np.inf)
        target = static.graph.target[self.out_of.order]
        steps = trellis.step[..., self.out_of.order]
        for j in range(count - 1, -1, -1):
            sums[j] = trellis.after[j] + static.end
            reach = min(count - 1 - j, steps.shape[1])
            if reach:
                below = np.arange(j + 1, j + 1 + reach)
                ahead = (sums[below] + trellis.true[below, None])[..., target]
                went = total(self.out_of, ahead + steps[below, np.arange(reach)])
                sums[j][:, self.out_of.state] = _joined(sums[j][:, self.out_of.state], went, total)
        return sums

    def sums(self, trellis: Trellis, total: Total = log_sum) -> Sums:
        """Both."""
        return Sums(self.forward(trellis, total), self.backward(trellis, total), trellis.nothing)

    def log_total(self, trellis: Trellis, forward: Array) -> float:
        """Log of the summed weight of all paths, that of no vertebra at all included."""
        ended = forward + self.static.end + trellis.after[:, None, None]
        return float(np.logaddexp(_log_sum_all(ended), trellis.nothing))


def _joined(one: Array, other: Array, total: Total) -> Array:
    joined: Array = np.logaddexp(one, other) if total is log_sum else np.maximum(one, other)
    return joined


def _log_sum_all(weights: Array) -> float:
    top = float(weights.max(initial=-np.inf))
    return top + float(np.log(np.exp(weights - top).sum())) if np.isfinite(top) else -np.inf
