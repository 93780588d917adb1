"""Probabilities that mean what they say: logits divided by one temperature, fitted on slices that never trained.

Guo et al. 2017, "On calibration of modern neural networks".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Array = NDArray[np.float64]
COLDEST, HOTTEST = 0.2, 10.0
"""Between these a temperature is looked for."""


def log_probabilities(logits: NDArray[np.floating], temperature: float = 1.0) -> Array:
    """Logarithms ``(n, classes)`` of the classes' probabilities."""
    scaled = np.asarray(logits, float) / temperature
    return np.asarray(scaled - np.logaddexp.reduce(scaled, 1, keepdims=True))


def fitted(logits: NDArray[np.floating], true: NDArray[np.integer]) -> float:
    """The temperature with which these logits ``(n, classes)`` give the true classes ``(n,)`` the highest probability.

    ``ValueError`` without any slice.
    """
    if not len(true):
        raise ValueError("no slice to fit a temperature on: expected slices of patients that did not train")

    def loss(logarithm: float) -> float:
        return float(-log_probabilities(logits, np.exp(logarithm))[np.arange(len(true)), true].mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))
