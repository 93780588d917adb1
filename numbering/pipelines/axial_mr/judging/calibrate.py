"""Fixing the operating point on validation series: the temperature, how far the network may be off, when to answer.

The temperature is fitted on slices that show one thing, of normal anatomy, where a class and a level are one. The
threshold weighs a wrong answer as several abstentions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.axial_mr.judging.cases import Case
from numbering.pipelines.axial_mr.judging.scoring import score
from numbering.pipelines.axial_mr.judging.variants import RememberingNetwork
from numbering.pipelines.axial_mr.operating_point import OperatingPoint
from numbering.pipelines.axial_mr.pipeline import AxialMr, conclude
from numbering.pipelines.axial_mr.reading.answer import Answer, Reader
from numbering.pipelines.axial_mr.reading.checks import refusal
from numbering.pipelines.axial_mr.reading.look import look
from numbering.pipelines.judging.calibration import class_temperature, weights_as_in_people

COST_OF_A_WRONG_ANSWER = 5.0
"""A series with a wrong name weighs as much as this many abstentions."""
THRESHOLDS: tuple[float, ...] = (0.995, 0.99, *np.round(np.arange(0.98, 0.29, -0.02), 2).tolist())
LEAST_SHIFTED, MOST_SHIFTED = 0.005, 0.1


@dataclass(frozen=True, eq=False)
class Looked:
    """Logits of one series' slices that show one thing, and their classes."""

    case: Case
    logits: NDArray[np.float64]
    classes: NDArray[np.intp]


def fit(
    pipeline: AxialMr, cases: Sequence[Case], progress: Callable[[Case], None] = lambda case: None
) -> OperatingPoint:
    """The operating point for these validation cases."""
    network = RememberingNetwork(pipeline.reader.network)
    start = replace(pipeline.point, temperature=1.0, answer=0.0)
    looked = [look_at(case, network) for case in cases]
    logits = np.concatenate([each.logits for each in looked if each.case.normal])
    classes = np.concatenate([each.classes for each in looked if each.case.normal])
    point = replace(start, temperature=class_temperature(logits, classes), shifted=shifted(looked))
    reader = Reader(network, point)
    answers = []
    for case in cases:
        stack, *companions = case.study()
        answer = reader.answer(stack, companions)
        progress(case)
        if isinstance(answer, Answer) and answer.slices:
            answers.append((case, answer))
    if not answers:
        raise ValueError(f"cannot calibrate: no disc was found in {len(cases)} series; train longer")
    return replace(point, answer=threshold(answers, point))


def look_at(case: Case, network: RememberingNetwork) -> Looked:
    """What the network says of a case's slices."""
    stack, *_ = case.study()
    seen = look(stack, network, 1.0)
    rows = {plane.name: row for plane, row in zip(stack.planes, seen.log_probabilities, strict=True)}
    kept = [
        (rows[name], true.position) for name, true in case.slices.items() if true.position is not None and name in rows
    ]
    finite = [(row, position) for row, position in kept if np.isfinite(row).all()]
    return Looked(
        case,
        np.array([row for row, _ in finite], float).reshape(-1, seen.log_probabilities.shape[1]),
        np.array([position for _, position in finite], np.intp),
    )


def shifted(looked: Sequence[Looked]) -> float:
    """In how many series most slices through discs are taken for the disc beside, in one direction; of half of them."""
    off = []
    for each in looked:
        discs = each.classes < each.logits.shape[1] - 1
        if each.case.normal and discs.any():
            errors = each.logits[discs, :-1].argmax(1) - each.classes[discs]
            off.append(abs(float(np.median(errors))) >= 1)
    return round(float(np.clip((sum(off) + 0.5) / (len(off) + 1) / 2, LEAST_SHIFTED, MOST_SHIFTED)), 4)


def threshold(answers: Sequence[tuple[Case, Answer]], point: OperatingPoint) -> float:
    """The threshold with the least cost on these series; of equals, the most cautious."""
    wrong = [_misled(case, answer) for case, answer in answers]
    weights = weights_as_in_people([case.normal for case, _ in answers])
    costs = {
        least: sum(
            weight * _cost(answer, misled, replace(point, answer=least))
            for (_, answer), misled, weight in zip(answers, wrong, weights, strict=True)
        )
        for least in THRESHOLDS
    }
    return min(THRESHOLDS, key=lambda least: (costs[least], -least))


def _misled(case: Case, answer: Answer) -> bool:
    """Whether a name is wrong that would be given if nothing were refused."""
    return bool(answer.slices) and bool(score(case, conclude(replace(answer, refused=None)), {}).wrong)


def _cost(answer: Answer, wrong: bool, point: OperatingPoint) -> float:
    """Of one series at this point: nothing for a right answer, 1 for an abstention."""
    if refusal(list(answer.sightings), answer.decoded, answer.along_mm, answer.told, point):
        return 1.0
    return COST_OF_A_WRONG_ANSWER if wrong else 0.0
