"""Single paths: the best one, the best different one, and how likely the numbering that a path stands for is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.forward_backward import Recursion, Sums, highest
from numbering.enumeration.trellis import Array, Trellis

NONE = -1
"""The column of a candidate that is no vertebra."""


def best_path(recursion: Recursion, trellis: Trellis, best: Sums) -> NDArray[np.intp]:
    """The state of each candidate on the likeliest path (`NONE` where spurious), jointly with the patient's scale.

    ``best`` are the sums with `highest`.
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
    through = best.through[numbered].copy()
    through[:, :, :][np.broadcast_to((level == level[path[numbered], None])[:, None], through.shape)] = -np.inf
    if not through.size or not np.isfinite(through.max()):
        return None
    j, s, k = np.unravel_index(int(np.argmax(through)), through.shape)
    return _path(recursion, trellis, best, int(numbered[j]), int(s), int(k))


def log_weight(recursion: Recursion, trellis: Trellis, levels: NDArray[np.intp]) -> float:
    """Log of the summed weight of all paths that give these levels (columns of `LEVELS`, `NONE` for spurious)."""
    if (levels == NONE).all():
        return trellis.nothing
    allowed = recursion.static.graph.level == levels[:, None]
    numbered = levels != NONE
    first, last = np.flatnonzero(numbered)[[0, -1]]
    # Steps that pass over a candidate with a level are none of these paths'.
    passed = np.concatenate([[0], np.cumsum(numbered)])
    step = trellis.step.copy()
    for back in range(1, step.shape[1] + 1):
        to = np.arange(back, len(levels))
        over = passed[to] - passed[to - back + 1] > 0
        step[to[over], back - 1] = -np.inf
    before, after = trellis.before.copy(), trellis.after.copy()
    before[first + 1 :], after[:last] = -np.inf, -np.inf
    only = replace(
        trellis, true=np.where(allowed, trellis.true, -np.inf), step=step, before=before, after=after, nothing=-np.inf
    )
    return recursion.log_total(only, recursion.forward(only))


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
        came = forward[j - reach : j][::-1][:, s, static.graph.source[edges]] + trellis.step[j, :reach, s][:, edges]
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
        below = np.arange(j + 1, j + 1 + reach)
        target = static.graph.target[edges]
        went = backward[below][:, s, target] + trellis.true[below][:, target]
        went = went + trellis.step[below, np.arange(reach), s][:, edges]
        if went.max() <= trellis.after[j] + static.end[k]:
            return
        ahead, edge = np.unravel_index(int(np.argmax(went)), went.shape)
        j += int(ahead) + 1
        path[j] = target[edge]


__all__ = ["NONE", "best_different_path", "best_path", "highest", "log_weight"]
