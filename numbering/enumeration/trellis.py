"""Every way through the candidates, with its weight: what forward, backward and best-path sums run over.

A path starts at a level, goes from one true candidate to the next over an edge of the `SpineGraph`, and ends. What
lies between, before and after is spurious. Its log weight is the sum of

- the prior of its first level and of the variants it agrees with,
- each true candidate's log-likelihood at its level, each other one's as spurious,
- each edge: missed levels, and the log density of the distance in mm for the patient's scale,
- the prior of its last level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.enumeration.evidence import Evidence
from numbering.enumeration.graph import SpineGraph, spine_graph
from numbering.enumeration.model import ODD_MM, SpineModel

Array = NDArray[np.float64]
FAR = 1e6


@dataclass(frozen=True)
class Static:
    """What does not depend on the candidates. Edge arrays are ``(e,)``, state arrays ``(k,)``.

    ``edge_between`` ``(k, k)``: the edge to a state from another, -1 where there is none.
    """

    model: SpineModel
    graph: SpineGraph
    start: Array
    end: Array
    edge: Array
    mean_mm: Array
    sd_mm: Array
    log_scales: Array
    edge_between: NDArray[np.intp]

    @classmethod
    def of(cls, model: SpineModel) -> Static:
        """Priors of states and edges under this model."""
        graph = spine_graph(model.variants, model.most_missed, repeats=model.repeated > 0)
        with np.errstate(divide="ignore"):
            missed, repeated, scales = np.log(model.missed), np.log(model.repeated), np.log(model.scale_weights)
        start = model.start[graph.level] + graph.log_share
        edge, mean, variance = np.zeros((3, len(graph.source)))
        for number, hops in enumerate(graph.hops):
            if hops == 0:
                edge[number], variance[number] = repeated, model.repeat_mm**2
                continue
            states = graph.between(number)
            above = graph.level[states[1:]]
            edge[number] = np.log1p(-model.repeated) + np.log1p(-model.missed)
            edge[number] += graph.log_share[states[0]] - graph.log_share[states[-1]]
            edge[number] += (hops - 1) * missed if hops > 1 else 0.0
            mean[number] = model.spacing_mm[above].sum()
            variance[number] = (model.spacing_sd_mm[above] ** 2).sum()
        start = start - np.logaddexp.reduce(start)
        between = np.full((graph.states, graph.states), -1)
        between[graph.target, graph.source] = np.arange(len(edge))
        return cls(model, graph, start, model.end[graph.level], edge, mean, np.sqrt(variance), scales, between)


@dataclass(frozen=True)
class Trellis:
    """One spine's candidates, head to foot, ready to be summed over. ``n`` candidates, ``s`` scales, ``k`` states.

    ``step[j, d - 1, s, e]``: weight of edge ``e`` from candidate ``j - d`` to ``j``, with what lies between spurious;
    ``-inf`` where ``j - d`` is none. ``before`` and ``after`` ``(n,)``: all candidates above or below are spurious.
    """

    static: Static
    true: Array
    before: Array
    after: Array
    step: Array
    nothing: float

    @classmethod
    def of(cls, static: Static, evidence: Evidence) -> Trellis:
        """The weights for these candidates, which lie head to foot already."""
        count = len(evidence)
        reach = max(1, min(static.model.longest_run + 1, count - 1))
        # A row whose spurious weight is -inf must stay that; sums of differences would make it NaN.
        spurious = np.maximum(evidence.spurious, -FAR)
        runs = np.concatenate([[0.0], np.cumsum(spurious)])
        step = np.full((count, reach, len(static.model.scales), len(static.edge)), -np.inf)
        near = np.arange(count)[:, None] - np.arange(1, reach + 1)
        to, back = np.nonzero(near >= 0)
        origin = near[to, back]
        step[to, back] = static.edge + (runs[to] - runs[origin + 1])[:, None, None]
        if evidence.positions_mm is not None and static.model.spacing_weight > 0 and len(to):
            gaps = evidence.positions_mm[to] - evidence.positions_mm[origin]
            gaps = np.linalg.norm(gaps, axis=1) if gaps.ndim == 2 else np.abs(gaps)
            step[to, back] += static.model.spacing_weight * _log_density(gaps, static)
        return cls(
            static,
            evidence.log_likelihood[:, static.graph.level],
            runs[:-1],
            runs[-1] - runs[1:],
            step,
            static.model.nothing + float(runs[-1]),
        )

    def __len__(self) -> int:
        return len(self.true)


def _log_density(gaps: Array, static: Static) -> Array:
    """``(p, s, e)``: log density of each distance over each edge for each scale of patient, per mm."""
    model = static.model
    away = (gaps[:, None, None] - model.scales[:, None] * static.mean_mm) / static.sd_mm
    usual = np.exp(-0.5 * away**2) / (static.sd_mm * np.sqrt(2 * np.pi))
    density: Array = np.log((1 - model.odd_spacing) * usual + model.odd_spacing / ODD_MM)
    return density
