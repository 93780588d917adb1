"""From sightings of discs to one numbering of the series, by the solver.

The network sees at which *position* a disc lies, counted up from the sacrum. Positions are decided first, over the
whole series: order, distances in mm, sightings that are no disc, discs that no slice shows; and that the network may be
off by one position on all of it, for its errors on one patient go together. What a position is called depends on how
many lumbar-type vertebrae the spine has. Axial slices of a lumbar spine do not say that, so each number of them is as
likely as it is common.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import USUAL, Disc, Level, Variant
from numbering.enumeration import LEVELS, PREVALENCE, Numbering, Solver, SpineModel
from numbering.enumeration.mixture import Hypothesis, mixed
from numbering.enumeration.model import only_at
from numbering.pipelines.axial_mr.classes import POSITIONS, discs_of
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.reading.sightings import Sighting, evidence_of

Array = NDArray[np.float64]
Positions = tuple[int | None, ...]
Names = tuple[Disc | None, ...]

SHIFTS = (0, -1, 1)
UPPER = tuple(disc.upper for disc in discs_of(USUAL))
"""To the solver a disc is the vertebra above it."""
_COLUMNS = [LEVELS.index(level) for level in UPPER]

DISCS_APART_SD_MM = 3.5
"""How much the distance of two discs differs beyond the patient's size."""
ODD_SPACING = 0.005
"""Slices have exact places, so hardly a distance follows no rule."""
SURELY_A_DISC = 0.9
"""A sighting at either end that is less likely to be a disc keeps no name: nothing hangs on it."""
MISSED = 0.05
"""Examinations leave discs out, though seldom between others."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """The names of a series' sightings, in their order; None where it is no disc of the five.

    ``positions`` count from 0 for the fifth disc above the sacrum to 4 for the lowest, ``marginals`` ``(n, 5)`` are
    their probabilities; ``probabilities`` those of the names given; ``alternative`` the likeliest other names of the
    same sightings.
    """

    positions: Positions
    marginals: Array
    names: Names
    probabilities: tuple[float, ...]
    alternative: Names | None
    alternative_probability: float
    variants: Mapping[Variant, float]

    @property
    def variant(self) -> Variant:
        """The likeliest variant."""
        return max(self.variants, key=lambda variant: self.variants[variant])


class Decoder:
    """Numbers series; what depends on the model of the spine alone is worked out once."""

    def __init__(self, point: OperatingPoint, prevalence: Mapping[Variant, float] = PREVALENCE) -> None:
        self.point = point
        total = sum(prevalence.values())
        self.prevalence = {variant: share / total for variant, share in prevalence.items()}
        self.solver = Solver(_model())

    def decode(self, found: Sequence[Sighting]) -> Decoded:
        """Name these sightings, which come head to foot."""
        off = {0: np.log1p(-2 * self.point.shifted), 1: np.log(max(self.point.shifted, 1e-12))}
        numbering = mixed(
            {USUAL: self.solver},
            {Hypothesis(USUAL, shift): evidence_of(found, shift, _COLUMNS) for shift in SHIFTS},
            {Hypothesis(USUAL, shift): float(off[abs(shift)]) for shift in SHIFTS},
        )
        numbering = trimmed(numbering, SURELY_A_DISC)
        best = _positions(numbering.levels)
        marginals = numbering.marginals[:, _COLUMNS]
        places = {best: numbering.probability}
        if numbering.alternative is not None:
            places[_positions(numbering.alternative)] = numbering.alternative_probability
        names = self._named(places)
        given = _names(best, max(self.prevalence, key=lambda one: self.prevalence[one]))
        others = {other: weight for other, weight in names.items() if differs(given, other)}
        other = max(others, key=lambda one: others[one], default=None)
        return Decoded(
            positions=best,
            marginals=marginals,
            names=given,
            probabilities=tuple(self._probability(row, name) for row, name in zip(marginals, given, strict=True)),
            alternative=other,
            alternative_probability=float(min(1.0, others[other])) if other else 0.0,
            variants=self.prevalence,
        )

    def _named(self, places: Mapping[Positions, float]) -> dict[Names, float]:
        """The probability of every numbering: ways to place the sightings, in every spine."""
        names: dict[Names, float] = defaultdict(float)
        for positions, weight in places.items():
            for variant, share in self.prevalence.items():
                names[_names(positions, variant)] += weight * share
        return names

    def _probability(self, row: Array, name: Disc | None) -> float:
        """Of this name, from the probabilities of a sighting's positions."""
        if name is None:
            return float(np.clip(1 - row.sum(), 0, 1))
        spines = ((discs_of(variant), share) for variant, share in self.prevalence.items())
        return float(np.clip(sum(share * row[discs.index(name)] for discs, share in spines if name in discs), 0, 1))


def trimmed(numbering: Numbering, least: float) -> Numbering:
    """Without names at either end that may belong to no disc: names in between stay, or the series is refused."""
    levels = list(numbering.levels)
    for order in (range(len(levels)), range(len(levels) - 1, -1, -1)):
        for index in order:
            if levels[index] is None:
                continue
            if numbering.marginals[index].sum() >= least:
                break
            levels[index] = None
    other = numbering.alternative
    kept = None if other is None else tuple(two if one else None for one, two in zip(levels, other, strict=True))
    return replace(numbering, levels=tuple(levels), alternative=kept)


def _positions(levels: Sequence[Level | None]) -> Positions:
    return tuple(None if level is None else UPPER.index(level) for level in levels)


def _names(positions: Positions, variant: Variant) -> Names:
    return tuple(None if place is None else discs_of(variant)[place] for place in positions)


def differs(names: Names, other: Names) -> bool:
    """Whether ``other`` names every sighting that ``names`` does, at least one of them otherwise."""
    both = [(one, two) for one, two in zip(names, other, strict=True) if one is not None]
    return all(two is not None for _, two in both) and any(one != two for one, two in both)


def _model() -> SpineModel:
    """Discs in place of vertebrae: from one to the next is half of what it is from body to body above and below."""
    bodies = SpineModel().spacing_mm
    return SpineModel(
        variants={USUAL: 1.0},
        start=only_at(*UPPER),
        end=only_at(*UPPER),
        missed=MISSED,
        most_missed=POSITIONS - 2,
        longest_run=3,
        spacing_mm=(bodies + np.append(bodies[1:], bodies[-1])) / 2,
        spacing_sd_mm=np.full(len(LEVELS), DISCS_APART_SD_MM),
        odd_spacing=ODD_SPACING,
    )
