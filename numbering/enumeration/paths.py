"""Single paths: the best one, the best different one, and how likely the numbering that a path stands for is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.forward_backward import Recursion, Sums, log_sum_exp
from numbering.enumeration.trellis import Array, Trellis

NONE = -1
"""The column of a candidate that is no vertebra."""


def best_path(recursion: Recursion, trellis: Trellis, best: Sums) -> NDArray[np.intp]:
    """The state of each candidate on the likeliest path (`NONE` where spurious), jointly with the patient's scale.

    ``best`` are the sums of the best path.
    """
    through = best.through
    if not len(trellis) or through.max() < trellis.nothing:
        return np.full(len(trellis), NONE)
    j, s, k = np.unravel_index(int(np.argmax(through)), through.shape)
    return _path(recursion, trellis, best, int(j), int(s), int(k))


def best_different_path(
    recursion: Recursion, trellis: Trellis, best: Sums, path: NDArray[np.intp]
) -> NDArray[np.intp] | None:
    """The likeliest path on which at least one candidate of ``path`` has another level; None where there is none."""
    level = recursion.static.graph.level
    numbered = np.flatnonzero(path != NONE)
    same = level == level[path[numbered], None]
    through = np.where(same[:, None], -np.inf, best.through[numbered])
    if not through.size or not np.isfinite(through.max()):
        return None
    j, s, k = np.unravel_index(int(np.argmax(through)), through.shape)
    return _path(recursion, trellis, best, int(numbered[j]), int(s), int(k))


def log_weight(recursion: Recursion, trellis: Trellis, levels: NDArray[np.intp]) -> float:
    """Log of the summed weight of all paths that give these levels (columns of `LEVELS`, `NONE` for spurious).

    Such paths differ only in the variant (the states that have one level) and in the scale.
    """
    static = recursion.static
    numbered = np.flatnonzero(levels != NONE)
    if not len(numbered):
        return trellis.nothing
    first, last = numbered[0], numbered[-1]
    states = [np.flatnonzero(static.graph.level == levels[i]) for i in numbered]
    sums = trellis.before[first] + static.start[states[0]] + static.log_scales[:, None]
    sums = sums + trellis.true[first, states[0]]
    for above, here, i, j in zip(states, states[1:], numbered, numbered[1:], strict=False):
        edges = static.edge_between[here[:, None], above]
        steps = np.where(edges < 0, -np.inf, trellis.step[j, j - i - 1][:, edges])
        sums = np.logaddexp.reduce(sums[:, None] + steps, axis=2) + trellis.true[j, here]
    return log_sum_exp(sums + static.end[states[-1]] + trellis.after[last])


def _path(recursion: Recursion, trellis: Trellis, best: Sums, j: int, s: int, k: int) -> NDArray[np.intp]:
    """The likeliest path through this candidate at this state and scale."""
    path = np.full(len(trellis), NONE)
    path[j] = k
    _upwards(recursion, trellis, best.forward, path, j, s)
    _downwards(recursion, trellis, best.backward, path, j, s)
    return path


def _upwards(recursion: Recursion, trellis: Trellis, forward: Array, path: NDArray[np.intp], j: int, s: int) -> None:
    static = recursion.static
    while True:
        k = path[j]
        edges = np.flatnonzero(static.graph.target == k)
        reach = min(j, trellis.step.shape[1])
        fresh = trellis.before[j] + static.start[k] + static.log_scales[s]
        if not reach or not len(edges):
            return
        came = forward[j - reach : j, s][::-1][:, static.graph.source[edges]] + trellis.step[j, :reach, s][:, edges]
        if came.max() <= fresh:
            return
        back, edge = np.unravel_index(int(np.argmax(came)), came.shape)
        j -= int(back) + 1
        path[j] = static.graph.source[edges[edge]]


def _downwards(recursion: Recursion, trellis: Trellis, backward: Array, path: NDArray[np.intp], j: int, s: int) -> None:
    static = recursion.static
    while True:
        k = path[j]
        edges = np.flatnonzero(static.graph.source == k)
        reach = min(len(trellis) - 1 - j, trellis.step.shape[1])
        if not reach or not len(edges):
            return
        below, target = slice(j + 1, j + 1 + reach), static.graph.target[edges]
        steps = trellis.step[np.arange(j + 1, j + 1 + reach)[:, None], np.arange(reach)[:, None], s, edges]
        went = (backward[below, s] + trellis.true[below])[:, target] + steps
        if went.max() <= trellis.after[j] + static.end[k]:
            return
        ahead, edge = np.unravel_index(int(np.argmax(went)), went.shape)
        j += int(ahead) + 1
        path[j] = target[edge]
