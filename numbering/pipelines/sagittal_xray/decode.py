"""From bodies on a film to names: one joint decision over all of them, by the solver.

The networks say at which *position* a body stands (`levels.channels`): counted up from the sacrum where that is in
view, else from the last rib, else down from the dens. What that position is called depends on the spine's variant, so
each variant is solved with its own names and the answers are weighed against each other by prevalence and by how well
each explains what was seen: positions, ribs, distances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, PREVALENCE, Evidence, Numbering, Solver, SpineModel
from numbering.enumeration.model import SPACING_MM
from numbering.pipelines.sagittal_xray.bodies import Body, distances
from numbering.pipelines.sagittal_xray.levels import LAST_RIB, LEVELS24, LOWEST_PRESACRAL, SACRUM
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.read import Reading

Array = NDArray[np.float64]
Names = tuple[Level | None, ...]

NEXT_TO = 0.03
"""Probability that a body is seen at the position next to its own, to either side …"""
ELSEWHERE = 1e-4
"""… and at any other one."""
REACH = 0.4
"""How far from a body step I's place of a level may lie, as a share of the body's height (a standard deviation)."""
STRAY = 0.01
"""How much of what is seen at a body belongs to no channel."""
MOST_LOG_ODDS = 6.0
"""That a body is one, at most."""
PRESENCE_WEIGHT = 0.5
"""How much step I's word that a level is in view adds to step II's that a crop shows a body."""
SPACING_WEIGHT = 0.5
"""How much distances count: step I's names have seen them already, and the patient's size is taken from those."""
UNLIKELY = 1e-3
"""Hypotheses below this share are not numbered."""
SHIFTS = (0, -1, 1)
RARE = 0.01
"""Variants that are rarer are not believed beside an error of step I."""
NOWHERE = -1
"""Instead of a channel: this level is seen in none."""


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
        position, positions_mm = evidence_of_position(reading), _positions(reading)
        evidence = {
            Hypothesis(variant, shift): _evidence(
                reading.bodies, position, _channels(variant, counted, shift), self.point, positions_mm
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


def counted_from(reading: Reading) -> str:
    """From where the positions of this film's bodies are counted."""
    presence = reading.presence >= 0.5
    if presence[SACRUM]:
        return "sacrum"
    if presence[: LAST_RIB + 1].any() and presence[LAST_RIB + 1 : SACRUM].any():
        return "last rib"
    return "dens"


def _channels(variant: Variant, counted: str, shift: int) -> dict[Level, int]:
    """The channel that each level of this spine is seen in, when positions are counted from there; `NOWHERE` where it
    has none. ``shift`` says by how much step I is off; the sacrum is what it is."""
    levels = variant.levels()[1:]
    last = levels.index(Level.S1) - 1
    ribs = 5 + variant.thoracic
    start = {"sacrum": LOWEST_PRESACRAL - last, "last rib": LAST_RIB - ribs, "dens": 0}[counted]
    places = {level: place + start for place, level in enumerate(levels[: last + 1])}
    seen = {level: place for level, place in places.items() if 0 <= place <= LOWEST_PRESACRAL}
    off = {level: place + shift if 0 <= place + shift <= LOWEST_PRESACRAL else NOWHERE for level, place in seen.items()}
    return off | {Level.S1: SACRUM}


def evidence_of_position(reading: Reading) -> Array:
    """Which positions what is seen at each body speaks for ``(n, 24)``, as shares."""
    bodies = reading.bodies
    if not bodies:
        return np.zeros((0, len(LEVELS24)))
    middles = np.array([body.centre for body in bodies])
    reach = REACH * np.array([body.depth if body.sacral else float(np.mean(body.heights)) for body in bodies])
    squared = ((middles[:, None] - reading.middles[None]) ** 2).sum(-1) / np.maximum(reach, 1e-6)[:, None] ** 2
    shares = reading.presence * np.exp(-squared / 2) + STRAY / len(LEVELS24)
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _evidence(
    bodies: Sequence[Body],
    position: Array,
    channels: Mapping[Level, int],
    point: OperatingPoint,
    positions_mm: Array | None,
) -> Evidence:
    """Log-likelihoods of every level for every body, if the spine were of the variant that has these channels."""
    odds = np.array([_log_odds(body) for body in bodies]).reshape(-1, 1)
    ribs = np.clip([_logit(body.rib) for body in bodies], -point.rib_trust, point.rib_trust).reshape(-1, 1)
    seen_at = position @ _confusion()  # (n, 25): how likely this was seen of a body that stands at each position
    columns = [LEVELS.index(level) for level in channels]
    thoracic = np.array([level.region == "T" for level in channels])
    table = np.full((len(bodies), len(LEVELS)), -np.inf)
    table[:, columns] = (
        -np.logaddexp(0, -odds)
        + point.channel_trust * np.log(seen_at[:, list(channels.values())])
        - np.logaddexp(0, np.where(thoracic, -ribs, ribs))
    )
    spurious = -np.logaddexp(0, odds[:, 0]) + point.channel_trust * np.log(1 / len(LEVELS24)) + np.log(0.5)
    return Evidence(table, spurious, positions_mm)


def _confusion() -> Array:
    """Probability ``(24, 25)`` of the position seen (row) given where a body stands (column; the last: `NOWHERE`)."""
    count = len(LEVELS24)
    table = np.full((count, count), ELSEWHERE) + np.eye(count) * (1 - 2 * NEXT_TO)
    table += NEXT_TO * (np.eye(count, k=1) + np.eye(count, k=-1))
    return np.column_stack([table, np.full(count, ELSEWHERE)])


def _log_odds(body: Body) -> float:
    """That this is a body at all, from both steps."""
    step_two, step_one = (_logit(value) for value in (body.body, body.presence))
    return float(np.clip(step_two + PRESENCE_WEIGHT * step_one, -MOST_LOG_ODDS, MOST_LOG_ODDS))


def _logit(probability: float) -> float:
    share = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(share / (1 - share)))


def _positions(reading: Reading) -> Array | None:
    """Along the spine in mm of a patient of usual size; None where nothing says how large a mm is.

    What step I calls the bodies tells their usual distances; the film's own spacing would leave the magnification open.
    """
    bodies = reading.bodies
    along = distances(bodies)
    expected = [
        (
            float(along[i + 1] - along[i]),
            sum(SPACING_MM[str(level)][0] for level in LEVELS24[one.channel : other.channel]),
        )
        for i, (one, other) in enumerate(pairwise(bodies))
        if one.channel < other.channel
    ]
    if not expected:
        return None
    pixels = float(np.median([length / usual for length, usual in expected]))
    return along / pixels if pixels > 0 else None


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
