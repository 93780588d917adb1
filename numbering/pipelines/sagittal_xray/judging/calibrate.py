"""Fixing the operating point on validation films: temperatures, how wide a corner's error is, the threshold to answer.

Temperatures are fitted on normal anatomy, where a channel and a level are one. What a corner's error is to its heat
map's spread is fitted to cover 95 % of the errors. The threshold weighs a wrong answer as several abstentions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.judging.calibration import FEWEST_EXAMPLES, temperature
from numbering.pipelines.sagittal_xray.judging.cases import Case
from numbering.pipelines.sagittal_xray.judging.figures import WORST_DEGREES
from numbering.pipelines.sagittal_xray.judging.scoring import score, vertebra_at
from numbering.pipelines.sagittal_xray.judging.variants import RememberingEyes
from numbering.pipelines.sagittal_xray.levels import LEVELS24
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.pipeline import SagittalXray, conclude
from numbering.pipelines.sagittal_xray.reading.answer import FEWEST, Answer, Reader
from numbering.pipelines.sagittal_xray.reading.bodies import Body
from numbering.pipelines.sagittal_xray.reading.names import trimmed, unsure

COST_OF_A_WRONG_ANSWER = 5.0
"""A film with a wrong name, or with an angle that is `WORST_DEGREES` off, weighs as much as this many abstentions."""
THRESHOLDS: tuple[float, ...] = (0.995, 0.99, *np.round(np.arange(0.98, 0.49, -0.02), 2).tolist())
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
SPREADS = tuple(np.round(np.geomspace(0.1, 4.0, 24), 3).tolist())
CHI_SQUARE_95 = 5.991
"""Of two degrees of freedom: 95 % of a corner's errors lie within, if their covariance is right."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Looked:
    """What was seen on one film at the uncalibrated point, after both steps and after step I alone."""

    case: Case
    answer: Answer
    coarse: Answer


def fit(
    pipeline: SagittalXray, cases: Sequence[Case], progress: Callable[[Case], None] = lambda case: None
) -> OperatingPoint:
    """The operating point for these validation cases; ``ValueError`` when no film shows anything."""
    start = replace(
        pipeline.point, answer=0, presence_temperature=1, body_temperature=1, rib_temperature=1, spread=1, steps=0
    )
    looked = [one for case in cases if (one := _look(pipeline, start, case, progress)) is not None]
    if not any(one.answer.bodies for one in looked):
        raise ValueError(f"cannot calibrate: nothing was found on {len(cases)} films; train longer")
    point = replace(start, **temperatures(looked), **spreads(looked))
    reader = Reader(pipeline.reader.eyes, replace(point, answer=0.0))
    answers = [(case, answer) for case in cases if isinstance(answer := reader.answer(case.film), Answer)]
    return replace(point, answer=threshold(answers, point))


def _look(pipeline: SagittalXray, point: OperatingPoint, case: Case, progress: Callable[[Case], None]) -> Looked | None:
    eyes = RememberingEyes(pipeline.reader.eyes)
    answer = Reader(eyes, point).answer(case.film)
    coarse = Reader(eyes, point, frozenset({"step-two"})).answer(case.film)
    progress(case)
    if not isinstance(answer, Answer) or not isinstance(coarse, Answer):
        return None
    return Looked(case, answer, coarse)


def temperatures(looked: Sequence[Looked]) -> dict[str, float]:
    """By what the logits of presence, ribs and bodies are to be divided."""
    presence: list[tuple[float, bool]] = []
    ribs: list[tuple[float, bool]] = []
    bodies: list[tuple[float, bool]] = []
    for one in looked:
        if one.case.normal:
            shares = one.answer.reading.presence
            presence += [(share, str(level) in one.case.levels) for level, share in zip(LEVELS24, shares, strict=True)]
        for body in one.answer.reading.bodies:
            level = vertebra_at(_stored(one.answer, body), one.case.levels)
            bodies.append((body.body, level is not None))
            if level is not None and level != "S1" and one.case.normal:
                ribs.append((body.rib, level.startswith("T")))
    return {
        "presence_temperature": temperature(presence),
        "rib_temperature": temperature(ribs),
        "body_temperature": temperature(bodies),
    }


def spreads(looked: Sequence[Looked]) -> dict[str, float]:
    """How heat maps' spread and the steps' disagreement make a corner's covariance: 95 % of errors within its ellipse.

    Among pairs that do so the one under which the errors are likeliest.
    """
    errors, maps, steps = _corner_errors(looked)
    if len(errors) < FEWEST_EXAMPLES:
        return {}
    best, least = {"spread": 1.0, "steps": 0.5}, np.inf
    for share in STEPS:
        added = share**2 * steps[:, :, None] * steps[:, None, :]
        within = [float((_distances(errors, spread**2 * maps + added) <= CHI_SQUARE_95).mean()) for spread in SPREADS]
        spread = SPREADS[int(np.argmin(np.abs(np.array(within) - 0.95)))]
        covariance = spread**2 * maps + added
        surprise = float((_distances(errors, covariance) + np.log(np.linalg.det(covariance))).mean())
        if surprise < least:
            best, least = {"spread": float(spread), "steps": float(share)}, surprise
    return best


def _corner_errors(looked: Sequence[Looked]) -> tuple[Array, Array, Array]:
    """Of corners on a vertebra in view: error ``(n, 2)``, covariance at spread 1 ``(n, 2, 2)``, step II − step I."""
    errors, covariances, steps = [], [], []
    for one in looked:
        for body in one.answer.reading.bodies:
            level = vertebra_at(_stored(one.answer, body), one.case.levels)
            if level is None or one.answer.reading.orientation.quarter_turns:
                continue
            true = one.case.levels[level]
            if len(true) != len(body.points):
                continue
            first = body.points if body.first is None else body.first[: len(true)]
            errors.append(body.points - true)
            covariances.append(body.covariance[: len(true)])
            steps.append(body.points - first)
    if not errors:
        return np.zeros((0, 2)), np.zeros((0, 2, 2)), np.zeros((0, 2))
    floor = np.eye(2) * 1e-3
    return np.concatenate(errors), np.concatenate(covariances) + floor, np.concatenate(steps)


def _stored(answer: Answer, body: Body) -> Array:
    return answer.reading.to_stored(body.points)


def _distances(errors: Array, covariance: Array) -> Array:
    """Squared Mahalanobis lengths ``(n,)``."""
    return np.asarray(np.einsum("ni,nij,nj->n", errors, np.linalg.inv(covariance), errors))


def threshold(answers: Sequence[tuple[Case, Answer]], point: OperatingPoint) -> float:
    """The threshold with the least cost on these untrimmed answers; of equals, the most cautious."""
    costs = {least: sum(_cost(case, answer, point, least) for case, answer in answers) for least in THRESHOLDS}
    return min(THRESHOLDS, key=lambda least: (costs[least], -least))


def _cost(case: Case, answer: Answer, point: OperatingPoint, least: float) -> float:
    """Of one film at this threshold: nothing for a right answer, 1 for an abstention."""
    numbering = trimmed(answer.decoded.numbering, least)
    names = [level for level in numbering.levels if level is not None]
    if answer.refused is not None or len(names) < FEWEST or unsure(numbering, least) is not None:
        return 1.0
    said = replace(answer, decoded=replace(answer.decoded, numbering=numbering))
    outcome = score(case, conclude([said], point))
    wrong = not all(right for _, right in outcome.probabilities) or outcome.worst_angle > WORST_DEGREES
    return COST_OF_A_WRONG_ANSWER if wrong else 0.0
