"""From bodies on a film to names: one joint decision over all of them, by the solver.

The networks say at which *position* a body stands (`levels.channels`): counted up from the sacrum where that is in
view, else from the last rib, else down from the dens. What that position is called depends on the spine's variant, so
each variant is solved with its own names and the answers are weighed against each other by prevalence and by how well
each explains what was seen: positions, ribs, distances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, PREVALENCE, Evidence, Numbering, Solver, SpineModel
from numbering.pipelines.sagittal_xray.levels import LEVELS24
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading.likelihoods import (
    along_the_spine,
    channels_of,
    counted_from,
    evidence_of,
    evidence_of_position,
)
from numbering.pipelines.sagittal_xray.reading.read import Reading

Array = NDArray[np.float64]
Names = tuple[Level | None, ...]

SPACING_WEIGHT = 0.5
"""How much distances count: step I's names have seen them already, and the patient's size is taken from those."""
UNLIKELY = 1e-3
"""Hypotheses below this share are not numbered."""
SHIFTS = (0, -1, 1)
RARE = 0.01
"""Variants that are rarer are not believed beside an error of step I."""


@dataclass(frozen=True)
class Hypothesis:
    """What the spine may be, and by how many levels step I is off on this film: its errors go together."""

    variant: Variant
    shift: int


@dataclass(frozen=True, eq=False)
class Decoded:
    """Names of a reading's bodies; ``numbering`` as the solver gives it, ``variants`` what the spine may be.

    ``counted`` says from where the networks' positions were counted: ``sacrum``, ``last rib`` or ``dens``.
    """

    numbering: Numbering
    variants: Mapping[Variant, float]
    counted: str

    @property
    def variant(self) -> Variant:
        """The likeliest variant."""
        return max(self.variants, key=lambda variant: self.variants[variant])


class Decoder:
    """The solvers, one for each variant; what depends on them alone is worked out once."""

    def __init__(self, point: OperatingPoint, prevalence: Mapping[Variant, float] = PREVALENCE) -> None:
        self.point, self.prevalence = point, prevalence
        self.solvers = {
            variant: Solver(SpineModel(variants={variant: 1.0}, spacing_weight=SPACING_WEIGHT))
            for variant in prevalence
        }

    def decode(self, reading: Reading) -> Decoded:
        """Name the bodies of a reading."""
        counted = counted_from(reading)
        position, positions_mm = evidence_of_position(reading), along_the_spine(reading)
        evidence = {
            Hypothesis(variant, shift): evidence_of(
                reading.bodies, position, channels_of(variant, counted, shift), self.point, positions_mm
            )
            for variant in self.solvers
            for shift in (SHIFTS if self.prevalence[variant] >= RARE else (0,))
        }
        shares = self._shares(evidence)
        likely = {one: share for one, share in shares.items() if share >= UNLIKELY}
        answers = {one: self.solvers[one.variant].number(evidence[one]) for one in likely}
        weights = self._weights(answers, likely, evidence)
        variants = {
            variant: sum(share for one, share in shares.items() if one.variant == variant) for variant in self.solvers
        }
        return Decoded(_numbering(answers, likely, weights, variants), variants, counted)

    def _shares(self, evidence: Mapping[Hypothesis, Evidence]) -> dict[Hypothesis, float]:
        off = {0: np.log1p(-2 * self.point.shifted), 1: np.log(max(self.point.shifted, 1e-12))}
        logs = {
            one: np.log(self.prevalence[one.variant])
            + off[abs(one.shift)]
            + self.solvers[one.variant].log_evidence(evidence[one])
            for one in evidence
        }
        top = max(logs.values())
        total = sum(np.exp(value - top) for value in logs.values())
        return {one: float(np.exp(value - top) / total) for one, value in logs.items()}

    def _weights(
        self,
        answers: Mapping[Hypothesis, Numbering],
        shares: Mapping[Hypothesis, float],
        evidence: Mapping[Hypothesis, Evidence],
    ) -> dict[Names, float]:
        """The probability of every numbering that some hypothesis thinks of, over all of them."""
        every = dict.fromkeys(
            names for answer in answers.values() for names in (answer.levels, answer.alternative) if names is not None
        )
        weights: dict[Names, float] = defaultdict(float)
        for names in every:
            for one, share in shares.items():
                weights[names] += share * self.solvers[one.variant].probability(evidence[one], names)
        return dict(weights)


def _numbering(
    answers: Mapping[Hypothesis, Numbering],
    shares: Mapping[Hypothesis, float],
    weights: Mapping[Names, float],
    variants: Mapping[Variant, float],
) -> Numbering:
    """The likeliest numbering over all hypotheses, and the likeliest that gives a named body another name."""
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


def _differs(names: Names, other: Names) -> bool:
    """Whether ``other`` names every body that ``names`` does, at least one of them otherwise."""
    both = [(one, two) for one, two in zip(names, other, strict=True) if one is not None]
    return all(two is not None for _, two in both) and any(one is not two for one, two in both)


def each_alone(reading: Reading) -> Decoded:
    """Every level that is more likely in view than not, by its own: what the paper does, for comparison."""
    rows = [
        (LEVELS24[body.channel], body.presence) if body.presence >= 0.5 else (None, 1 - body.presence)
        for body in reading.bodies
    ]
    marginals = np.zeros((len(rows), len(LEVELS)))
    for row, (level, probability) in enumerate(rows):
        if level is not None:
            marginals[row, LEVELS.index(level)] = probability
    numbering = Numbering(
        levels=tuple(level for level, _ in rows),
        probabilities=tuple(probability for _, probability in rows),
        probability=float(np.prod([probability for _, probability in rows])),
        alternative=None,
        alternative_probability=0.0,
        marginals=marginals,
        variants={Variant(): 1.0},
        starts={},
    )
    return Decoded(numbering, {Variant(): 1.0}, "sacrum")
