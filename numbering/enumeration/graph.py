"""All spines at once: the levels of every variant as one tree, so that spines that agree so far share their states.

A state is a run of levels from C1 down: the first eighteen (C1…T11) are the same vertebra in every variant, then 11T
goes on with L1 and the others with T12. Counting all variants in one tree is exact, and five times smaller than one
chain for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant

LEVELS = tuple(Level)
COLUMN = {level: column for column, level in enumerate(LEVELS)}
LOWEST = Level.S3
"""The lowest level that a detector is taken to find in the sacrum."""


@dataclass(frozen=True)
class SpineGraph:
    """States of a spine and the ways from one detected vertebra to the next detected one.

    Arrays of states ``(k,)``: `level` (column in `LEVELS`), `log_share` (log of the prior of the variants that pass
    through the state), `parent` (the state above, -1 at C1). Arrays of edges ``(e,)``, sorted by target: `source`,
    `target`, `hops` (0 the same level again, 1 the next level, 2 misses one, …). `shares` ``(k, v)``: prior of each
    variant given that the spine passes through the state.
    """

    variants: tuple[Variant, ...]
    level: NDArray[np.intp]
    parent: NDArray[np.intp]
    log_share: NDArray[np.float64]
    shares: NDArray[np.float64]
    source: NDArray[np.intp]
    target: NDArray[np.intp]
    hops: NDArray[np.intp]

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.level)

    def between(self, edge: int) -> list[int]:
        """The states of an edge, foot to head: its target, the missed ones, its source."""
        states = [int(self.target[edge])]
        while states[-1] != self.source[edge]:
            states.append(int(self.parent[states[-1]]))
        return states


def spine_graph(priors: Mapping[Variant, float], most_missed: int, *, repeats: bool = False) -> SpineGraph:
    """The tree of these variants, with edges that pass over at most ``most_missed`` levels; with ``repeats`` also from
    each state to itself (0 hops).

    ``ValueError`` when no variant has a positive prior.
    """
    variants = tuple(variant for variant, prior in priors.items() if prior > 0)
    total = sum(priors[variant] for variant in variants)
    if not variants:
        raise ValueError("no spine variant has a positive prior: expected at least one")
    index: dict[tuple[Level, ...], int] = {}
    for variant in variants:
        levels = [level for level in variant.levels() if level <= LOWEST]
        for length in range(1, len(levels) + 1):
            index.setdefault(tuple(levels[:length]), len(index))
    runs = sorted(index, key=len)
    place = {run: state for state, run in enumerate(runs)}
    parent = np.array([place[run[:-1]] if len(run) > 1 else -1 for run in runs])
    shares = np.array([[priors[v] / total if v.levels()[: len(run)] == run else 0.0 for v in variants] for run in runs])
    edges = [edge for state in range(len(runs)) for edge in _edges_into(state, parent, most_missed, repeats)]
    source, target, hops = np.array(edges).T if edges else np.zeros((3, 0), int)
    share = shares.sum(1)
    return SpineGraph(
        variants,
        np.array([COLUMN[run[-1]] for run in runs]),
        parent,
        np.log(share),
        shares / share[:, None],
        source,
        target,
        hops,
    )


def _edges_into(state: int, parent: NDArray[np.intp], most_missed: int, repeats: bool) -> list[tuple[int, int, int]]:
    above, edges = int(parent[state]), [(state, state, 0)] if repeats else []
    for hops in range(1, most_missed + 2):
        if above < 0:
            break
        edges.append((above, state, hops))
        above = int(parent[above])
    return edges
