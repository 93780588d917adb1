"""From bodies on a film to names: one joint decision over all of them, by the solver.

The networks say at which *position* a body stands (`levels.channels`): counted up from the sacrum where that is in
view, else from the last rib, else down from the dens. What that position is called depends on the spine's variant, so
each variant is solved with its own names and the answers are weighed against each other by prevalence and by how well
each explains what was seen: positions, ribs, distances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numbering.anatomy import Variant
from numbering.enumeration import LEVELS, PREVALENCE, Numbering, Solver, SpineModel
from numbering.enumeration.mixture import Hypothesis, mixed
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

SPACING_WEIGHT = 0.5
"""How much distances count: step I's names have seen them already, and the patient's size is taken from those."""
SHIFTS = (0, -1, 1)
RARE = 0.01
"""Variants that are rarer are not believed beside an error of step I."""


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
        off = {0: np.log1p(-2 * self.point.shifted), 1: np.log(max(self.point.shifted, 1e-12))}
        log_prior = {one: float(np.log(self.prevalence[one.variant]) + off[abs(one.shift)]) for one in evidence}
        numbering = mixed(self.solvers, evidence, log_prior)
        return Decoded(numbering, numbering.variants, counted)


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
