"""From vertebrae along the spine to names: one joint decision over all of them, every variant and every shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from numbering.anatomy import Variant
from numbering.enumeration import PREVALENCE, Numbering, Solver, SpineModel
from numbering.enumeration.mixture import Hypothesis, mixed
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.reading.bodies import Body
from numbering.pipelines.ct.reading.direct import Direct
from numbering.pipelines.ct.reading.found import Found
from numbering.pipelines.ct.reading.likelihoods import evidence_of

SPACING_WEIGHT = 0.7
"""How much distances count: the network has seen something of them already."""
SHIFTS = (0, -1, 1)
RARE = 0.01
"""Variants that are rarer are not believed beside levels that are all off."""


class Decoder:
    """The solvers, one for each variant; what depends on them alone is worked out once."""

    def __init__(self, point: OperatingPoint, prevalence: Mapping[Variant, float] = PREVALENCE) -> None:
        self.point, self.prevalence = point, prevalence
        self.solvers = {
            variant: Solver(SpineModel(variants={variant: 1.0}, spacing_weight=SPACING_WEIGHT))
            for variant in prevalence
        }

    def decode(
        self, found: Sequence[Found], bodies: Sequence[Body], direct: Direct, spacing_mm: float, walks: int
    ) -> Numbering:
        """Name these vertebrae, which come head to foot; ``walks``: in how many directions they were looked for."""
        off = {0: np.log1p(-2 * self.point.shifted), 1: np.log(max(self.point.shifted, 1e-12))}
        hypotheses = [
            Hypothesis(variant, shift)
            for variant in self.solvers
            for shift in (SHIFTS if self.prevalence[variant] >= RARE else (0,))
        ]
        evidence = {
            one: evidence_of(found, bodies, direct, one.variant, one.shift, self.point, spacing_mm, walks)
            for one in hypotheses
        }
        log_prior = {one: float(np.log(self.prevalence[one.variant]) + off[abs(one.shift)]) for one in hypotheses}
        return mixed(self.solvers, evidence, log_prior)
