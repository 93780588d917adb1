"""How many vertebrae carry the right name, and how honest the probabilities are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.vid_keypoints.scans import Scan
from numbering.anatomy import Level

NEAR_MM = 20.0
BINS = 10
SHARES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class Named:
    """What one scan's numbering says: ``(m, 3)`` places in mm LPS with names and probabilities; how sure it is."""

    places: NDArray[np.float64]
    levels: tuple[Level, ...]
    probabilities: tuple[float, ...]
    confidence: float


@dataclass(frozen=True)
class Judged:
    """One scan's truth against its numbering, one value for each true vertebra.

    ``right``: the nearest named place within 20 mm carries the right name (VerSe's identification; one that has no
    place near is wrong). ``probability``: of that name, NaN where no place is near.
    """

    scan: Scan
    named: Named
    right: NDArray[np.bool_]
    probability: NDArray[np.float64]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which true vertebrae have a named place near them."""
        return np.isfinite(self.probability)


def judge(scan: Scan, named: Named) -> Judged:
    """Compare one numbering with the truth."""
    right, probability = np.zeros(len(scan.levels), bool), np.full(len(scan.levels), np.nan)
    if len(named.levels):
        away = np.linalg.norm(scan.centres[:, None] - named.places[None], axis=2)
        for index, nearest in enumerate(away.argmin(1)):
            if away[index, nearest] <= NEAR_MM:
                right[index] = named.levels[nearest] is scan.levels[index]
                probability[index] = named.probabilities[nearest]
    return Judged(scan, named, right, probability)


def figures(judged: Sequence[Judged]) -> dict[str, object]:
    """The benchmark's figures over these scans; rates are None where there is nothing to divide by."""
    right, near, sure = _all(judged, "right"), _all(judged, "near"), _all(judged, "probability")
    return {
        "identification_rate": _rate(right),
        "identification_rate_of_found": _rate(right[near]),
        "subjects_all_correct": _rate(np.array([one.right.all() for one in judged])),
        "n_vertebrae": len(right),
        "n_subjects": len(judged),
        "n_not_found": int((~near).sum()),
        "ece": calibration_error(sure[near], right[near]),
        "brier": _mean((sure[near] - right[near]) ** 2),
        "abstention": abstention_curve(judged),
    }


def calibration_error(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Expected calibration error over ten bins of equal width, weighted by how many fall in each."""
    if not len(probability):
        return None
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [abs(probability[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return round(float(sum(gaps)), 5)


def abstention_curve(judged: Sequence[Judged]) -> list[dict[str, float | None]]:
    """Rates over the scans that are left when the least sure share of them is abstained on."""
    order = sorted(judged, key=lambda one: (-one.named.confidence, one.scan.name))
    curve: list[dict[str, float | None]] = []
    for share in SHARES:
        kept = order[: len(order) - int(share * len(order))]
        right, near = _all(kept, "right"), _all(kept, "near")
        curve.append(
            {
                "abstained": share,
                "identification_rate": _rate(right),
                "identification_rate_of_found": _rate(right[near]),
                "threshold": round(kept[-1].named.confidence, 5) if kept else None,
            }
        )
    return curve


def _all(judged: Sequence[Judged], name: str) -> NDArray:
    nothing = np.zeros(0, float if name == "probability" else bool)
    return np.concatenate([nothing, *(getattr(one, name) for one in judged)])


def _mean(values: NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 5) if len(values) else None


def _rate(right: NDArray[np.bool_]) -> float | None:
    return _mean(right.astype(float))
