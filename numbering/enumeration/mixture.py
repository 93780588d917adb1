"""One numbering out of several hypotheses about the spine or about a network's errors, each with evidence of its own.

Every hypothesis is solved by itself; each is weighed by its prior and by how well it explains what was seen, and the
numberings that any of them thinks of are weighed over all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numbering.anatomy import Level, Variant
from numbering.enumeration.evidence import Evidence
from numbering.enumeration.graph import LEVELS
from numbering.enumeration.solver import Names, Numbering, Solver

UNLIKELY = 1e-3
"""Hypotheses below this share are not numbered."""


@dataclass(frozen=True)
class Hypothesis:
    """What the spine may be, and by how many levels a network is off on all of this image: its errors go together."""

    variant: Variant
    shift: int = 0


def mixed(
    solvers: Mapping[Variant, Solver], evidence: Mapping[Hypothesis, Evidence], log_prior: Mapping[Hypothesis, float]
) -> Numbering:
    """The likeliest numbering over all hypotheses. ``solvers`` know one variant each; ``evidence`` has the same
    candidates in the same order under every hypothesis. ``starts`` of the answer is empty."""
    shares = _shares(solvers, evidence, log_prior)
    likely = {one: share for one, share in shares.items() if share >= UNLIKELY}
    answers = {one: solvers[one.variant].number(evidence[one]) for one in likely}
    every = dict.fromkeys(
        names for answer in answers.values() for names in (answer.levels, answer.alternative) if names is not None
    )
    weights: dict[Names, float] = defaultdict(float)
    for names in every:
        for one, share in likely.items():
            weights[names] += share * solvers[one.variant].probability(evidence[one], names)
    variants = {variant: sum(share for one, share in shares.items() if one.variant == variant) for variant in solvers}
    return _numbering(answers, likely, weights, variants)


def _shares(
    solvers: Mapping[Variant, Solver], evidence: Mapping[Hypothesis, Evidence], log_prior: Mapping[Hypothesis, float]
) -> dict[Hypothesis, float]:
    logs = {one: log_prior[one] + solvers[one.variant].log_evidence(evidence[one]) for one in evidence}
    top = max(logs.values())
    total = sum(np.exp(value - top) for value in logs.values())
    return {one: float(np.exp(value - top) / total) for one, value in logs.items()}


def _numbering(
    answers: Mapping[Hypothesis, Numbering],
    shares: Mapping[Hypothesis, float],
    weights: Mapping[Names, float],
    variants: Mapping[Variant, float],
) -> Numbering:
    """The likeliest numbering over all hypotheses, and the likeliest that gives a named candidate another name."""
    total = sum(shares.values())
    marginals = np.asarray(sum(shares[one] / total * answer.marginals for one, answer in answers.items()))
    best = max(weights, key=lambda names: weights[names])
    others = [names for names in weights if _differs(best, names)]
    other = max(others, key=lambda names: weights[names], default=None)
    given = [
        marginals[row, LEVELS.index(level)] if level else 1 - marginals[row].sum() for row, level in enumerate(best)
    ]
    return Numbering(
        levels=best,
        probabilities=tuple(float(np.clip(p, 0, 1)) for p in given),
        probability=float(min(1.0, weights[best])),
        alternative=other,
        alternative_probability=float(min(1.0, weights[other])) if other else 0.0,
        marginals=marginals,
        variants=variants,
        starts={},
    )


def _differs(names: tuple[Level | None, ...], other: tuple[Level | None, ...]) -> bool:
    """Whether ``other`` names every candidate that ``names`` does, at least one of them otherwise."""
    both = [(one, two) for one, two in zip(names, other, strict=True) if one is not None]
    return all(two is not None for _, two in both) and any(one is not two for one, two in both)
