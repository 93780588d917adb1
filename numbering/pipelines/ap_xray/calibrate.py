"""Fixing the operating point on validation films: calibration of the probabilities, then the two thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from numbering.pipelines.ap_xray.cases import Case
from numbering.pipelines.ap_xray.decide import FEATURES, Evidence, OperatingPoint
from numbering.pipelines.ap_xray.evaluation import on_l5
from numbering.pipelines.ap_xray.lowest import lowest
from numbering.pipelines.ap_xray.pipeline import ApXray

COST_OF_A_WRONG_ANSWER = 5.0
"""An answer on the wrong vertebra weighs as much as this many abstentions on a film that could be numbered."""
RIDGE = 1.0
"""Weight of the penalty on the coefficients against one candidate's loss: few films must not give certainties."""

UNCALIBRATED = OperatingPoint(
    intercept=0, whole=0.5, crop=0.5, body=0, below=-1, above=0, room=0,
    answer=0.5, ambiguous=0.3, image_size=384, whole_size=384, mirrored=1,
)  # fmt: skip


def fit(
    pipeline: ApXray, cases: Iterable[Case], image_size: int, progress: Callable[[Case], None] = lambda case: None
) -> OperatingPoint:
    """The operating point for these validation cases; the pipeline's own point only says how films are looked at."""
    pipeline.point = replace(UNCALIBRATED, image_size=image_size)
    seen: list[tuple[Case, list[Evidence]]] = []
    for case in cases:
        seen.append((case, pipeline.evidence(case.film)))
        progress(case)
    features = np.array([one.features for _, evidence in seen for one in evidence])
    right = np.array([on_l5(one.box, case) for case, evidence in seen for one in evidence])
    if not right.any() or right.all():
        raise ValueError(f"cannot calibrate: {right.sum()} of {len(right)} candidates are right; train longer")
    intercept, *weights = logistic(features, right)
    point = replace(pipeline.point, intercept=intercept, **dict(zip(FEATURES, weights, strict=True)))
    return choose_thresholds(point, seen)


def logistic(features: NDArray[np.float64], right: NDArray[np.bool_]) -> list[float]:
    """Intercept and weights of a ridge logistic regression; features are standardised while fitting."""
    mean, spread = features.mean(0), features.std(0) + 1e-9
    x = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    sign = np.where(right, 1.0, -1.0)

    def loss(w: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, -sign * (x @ w)).mean() + RIDGE / 2 * (w[1:] ** 2).sum() / len(x))

    w = minimize(loss, np.zeros(x.shape[1])).x
    weights = w[1:] / spread
    return [float(w[0] - (weights * mean).sum()), *map(float, weights)]


def choose_thresholds(point: OperatingPoint, seen: Sequence[tuple[Case, Sequence[Evidence]]]) -> OperatingPoint:
    """The thresholds with the least cost on these cases; of equals, the most cautious."""
    ranked = []
    for case, evidence in seen:
        probabilities = lowest([point.probability(one) for one in evidence]).either
        order = np.argsort(-np.array(probabilities), kind="stable")
        first, second = (*(probabilities[i] for i in order), 0.0, 0.0)[:2]
        ranked.append((first, second, bool(len(order)) and on_l5(evidence[order[0]].box, case), case.l5 is not None))
    best, best_cost = point, np.inf
    for answer in np.arange(0.9, 0.29, -0.05):
        for ambiguous in np.arange(0.1, 0.46, 0.05):
            cost = 0.0
            for first, second, right, there in ranked:
                answered = first >= answer and second < ambiguous
                cost += COST_OF_A_WRONG_ANSWER * (answered and not right) + (there and not answered)
            if cost < best_cost - 1e-9:
                best, best_cost = replace(point, answer=float(answer), ambiguous=float(ambiguous)), cost
    return best


def as_numbers(point: OperatingPoint) -> dict[str, float]:
    """The operating point as the registry keeps it."""
    return {name: round(value, 4) for name, value in asdict(point).items()}
