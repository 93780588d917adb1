"""From detections to one answer: which body is the lowest lumbar-type vertebra, and how sure that is.

The film is looked at twice, whole and as a lumbar crop. Boxes that overlap are one candidate. For each candidate three
things speak: its score in either look, and whether another vertebra was found below it. A logistic model, fitted on
validation films, turns them into the probability that this candidate is the one. Exactly one of the candidates is, or
none is in view, so the probabilities compete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.geometry import Box, intersection_over_union
from numbering.pipelines.ap_xray.detector import Detections

SAME_CANDIDATE = 0.35
"""Boxes that overlap by more than this are duplicates of one body: neighbouring bodies hardly overlap at all."""
NO_SCORE = 0.005
"""What a look that did not find the candidate counts as."""
SIX_LUMBAR_PREVALENCE = 0.040
"""Share of people whose lowest lumbar-type vertebra is the sixth: lumbarisation in CT of 551 patients (see docs)."""
CLOSEST_BELOW, FARTHEST_BELOW = 0.6, 2.2
"""A vertebra counts as below a candidate when its centre is this many candidate heights lower."""

FEATURES = ("whole", "crop", "below")


@dataclass(frozen=True)
class Look:
    """What the detector saw in one look: L5 boxes and boxes of other vertebrae."""

    l5: Detections
    vertebrae: Detections


@dataclass(frozen=True)
class Evidence:
    """One candidate: its box, its best score, and its features in the order of `FEATURES`."""

    box: Box
    score: float
    features: tuple[float, float, float]


@dataclass(frozen=True)
class OperatingPoint:
    """Calibration and thresholds, fixed on validation films and kept in the weights registry."""

    intercept: float
    whole: float
    crop: float
    below: float
    answer: float
    """Number a film when the best candidate's probability is at least this."""
    ambiguous: float
    """Abstain when a second candidate's probability is at least this."""
    image_size: float
    """Long side of the network's canvas, pixels."""
    mirrored: float
    """1 to look at the mirror image too and take the mean, else 0."""

    def probability(self, evidence: Evidence) -> float:
        """Probability that this candidate, seen alone, is the lowest lumbar-type vertebra."""
        weights = (self.whole, self.crop, self.below)
        logit = self.intercept + sum(w * f for w, f in zip(weights, evidence.features, strict=True))
        return float(1 / (1 + np.exp(-logit)))


def gather(whole: Look, crop: Look | None, most: int = 3) -> list[Evidence]:
    """The distinct candidates of both looks, most likely first; the lumbar crop's box is the more exact one."""
    looks = [look for look in (crop, whole) if look is not None]
    boxes = np.concatenate([look.l5.boxes for look in looks])
    scores = np.concatenate([look.l5.scores for look in looks])
    from_crop = np.concatenate([np.full(len(look.l5.scores), look is crop) for look in looks])
    order = np.argsort(-scores, kind="stable")
    groups: list[list[int]] = []
    for index in order:
        for group in groups:
            if intersection_over_union(boxes[index], boxes[group[0]])[0, 0] > SAME_CANDIDATE:
                group.append(int(index))
                break
        else:
            groups.append([int(index)])
    found = []
    for group in groups[: most + 2]:
        exact = next((index for index in group if from_crop[index]), group[0])
        box: Box = tuple(float(value) for value in boxes[exact])  # type: ignore[assignment]
        best = [max((scores[i] for i in group if from_crop[i] == side), default=NO_SCORE) for side in (False, True)]
        if crop is None:
            best[1] = best[0]
        features = (_logit(best[0]), _logit(best[1]), below(box, [look.vertebrae for look in looks]))
        found.append(Evidence(box, float(max(best)), features))
    return found[:most]


def below(box: Box, others: Sequence[Detections]) -> float:
    """Best score of another vertebra found under this box: evidence that the box is not the lowest."""
    height, middle = box[3] - box[1], (box[1] + box[3]) / 2
    best = 0.0
    for detections in others:
        centres: NDArray[np.float64] = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
        lower = (centres[:, 1] - middle) / height
        beside = np.abs(centres[:, 0] - (box[0] + box[2]) / 2) < (box[2] - box[0])
        under = (lower > CLOSEST_BELOW) & (lower < FARTHEST_BELOW) & beside
        best = max(best, float(detections.scores[under].max(initial=0.0)))
    return best


def posterior(probabilities: Sequence[float]) -> tuple[list[float], float]:
    """Probability that each candidate is the one, and that none is, given that at most one can be."""
    p = np.clip(np.asarray(probabilities, float), 1e-6, 1 - 1e-6)
    odds = p / (1 - p)
    total = 1 + odds.sum()
    return [float(value) for value in odds / total], float(1 / total)


def lumbar_region(whole: Look, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the second look: around the likeliest candidate, or the lowest vertebrae seen.

    None when there is nothing to look at closer.
    """
    anchor = _anchor(whole)
    if anchor is None:
        return None
    x0, y0, x1, y1 = anchor
    height = y1 - y0
    upper, lower = max(top, int(y0 - 8 * height)), min(bottom, int(y1 + 3.5 * height))
    half = 0.42 * (lower - upper)
    centre = (x0 + x1) / 2
    return max(left, int(centre - half)), upper, min(right, int(centre + half)), lower


def _anchor(look: Look) -> Box | None:
    if len(look.l5.scores) and look.l5.scores[0] >= 0.1:
        return tuple(look.l5.boxes[0])
    sure = look.vertebrae.boxes[look.vertebrae.scores >= 0.25]
    if len(sure):
        return tuple(sure[np.argmax(sure[:, 3])])
    return tuple(look.l5.boxes[0]) if len(look.l5.scores) else None


def _logit(score: float) -> float:
    clipped = min(max(score, NO_SCORE), 1 - 1e-4)
    return float(np.log(clipped / (1 - clipped)))
