"""How honest probabilities are, and the temperature that makes a network's honest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from numbering.anatomy import USUAL
from numbering.enumeration import PREVALENCE

FEWEST_EXAMPLES = 20
"""Fewer examples fix no temperature."""
LOG_TEMPERATURES = (-1.5, 2.5)

Pair = tuple[float, bool]
"""A probability, and whether what it was given to is right."""


def reliability(pairs: Sequence[Pair], bins: int = 10) -> dict[str, Any]:
    """Expected calibration error and Brier score of probabilities, and the bins behind them; None of nothing."""
    found = np.array(pairs, float).reshape(-1, 2)
    if not len(found):
        return {"n": 0, "ECE": None, "Brier": None, "bins": []}
    which = np.minimum((found[:, 0] * bins).astype(int), bins - 1)
    rows = [
        {"n": len(inside), "said": float(inside[:, 0].mean()), "right": float(inside[:, 1].mean())}
        for index in range(bins)
        if len(inside := found[which == index])
    ]
    gap = sum(row["n"] * abs(row["said"] - row["right"]) for row in rows) / len(found)
    brier = float(((found[:, 0] - found[:, 1]) ** 2).mean())
    return {"n": len(found), "ECE": float(gap), "Brier": brier, "bins": rows}


def temperature(pairs: Sequence[Pair]) -> float:
    """The divisor of the logits of these probabilities that makes the truth likeliest; 1 from too few examples."""
    right = np.array([there for _, there in pairs], bool)
    if min(right.sum(), (~right).sum()) < FEWEST_EXAMPLES:
        return 1.0
    shares = np.clip([share for share, _ in pairs], 1e-6, 1 - 1e-6)
    signed = np.log(shares / (1 - shares)) * np.where(right, 1, -1)
    return _least(lambda divisor: float(np.logaddexp(0, -signed / divisor).mean()))


def class_temperature(logits: NDArray[np.floating], classes: NDArray[np.integer]) -> float:
    """The divisor of logits ``(n, classes)`` that makes the true classes ``(n,)`` likeliest; 1 from too few."""
    if len(logits) < FEWEST_EXAMPLES:
        return 1.0

    def loss(divisor: float) -> float:
        scaled = logits / divisor
        scaled = scaled - scaled.max(1, keepdims=True)
        likelihood = scaled[np.arange(len(scaled)), classes] - np.log(np.exp(scaled).sum(1))
        return float(-likelihood.mean())

    return _least(loss)


def _least(loss: Any) -> float:
    found = minimize_scalar(lambda log: loss(float(np.exp(log))), bounds=LOG_TEMPERATURES, method="bounded")
    return round(float(np.exp(found.x)), 4)


def weights_as_in_people(normal: Sequence[bool]) -> list[float]:
    """A weight for each case: anomalous ones, of which there are too many, together weigh as much as people with
    another number of vertebrae do among all (`PREVALENCE`). 1 each where all are of one kind.
    """
    unusual = 1 - PREVALENCE[USUAL] / sum(PREVALENCE.values())
    usual, others = sum(normal), len(normal) - sum(normal)
    if not usual or not others:
        return [1.0] * len(normal)
    each = usual * unusual / (1 - unusual) / others
    return [1.0 if one else each for one in normal]
