"""From detections to one answer: which body is the lowest lumbar-type vertebra, and how sure that is.

The film is looked at whole and in lumbar crops. Boxes of either class that overlap are one body. For each body six
things speak: how much it looks like L5 in the whole film and in the crops, how much it looks like a vertebra at all,
whether another one was found below it, whether one was found above it, and how much film is left below it. A logistic
model, fitted on validation films, turns them into the probability that this body is the one. At most one is, so the
probabilities compete (`lowest`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.geometry import Box, intersection_over_union
from numbering.pipelines.ap_xray.detector import Detections

SAME_BODY = 0.35
"""Boxes that overlap by more than this are one body: neighbouring bodies hardly overlap at all."""
NO_SCORE = 0.005
"""What a look that did not find the body counts as."""
CLOSEST, FARTHEST = 0.6, 2.2
"""A neighbour's centre is this many body heights away."""
ROOM = 1.5
"""So many body heights of film below a body are as good as any more."""
SURE = 0.3
"""Score from which a detection may say where the lumbar spine is."""

CLOSER = ((8.0, 3.5), (6.0, 2.0))
"""The closer looks: from so many body heights above the lowest vertebra seen to so many below."""
WIDTH_OF_HEIGHT = 0.84
"""Width of a closer look as a share of its height."""
SMALLEST_REGION = 16
"""A region with a side of fewer pixels is no closer look."""

FEATURES = ("whole", "crop", "body", "below", "above", "room")


@dataclass(frozen=True)
class Look:
    """What the detector saw in one look: L5 boxes and boxes of other vertebrae; ``closer`` marks lumbar crops."""

    l5: Detections
    vertebrae: Detections
    closer: bool = False


@dataclass(frozen=True)
class Evidence:
    """One body: its box, the detector's best score for L5, and its features in the order of `FEATURES`."""

    box: Box
    score: float
    features: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """Calibration and thresholds, fixed on validation films and kept in the weights registry."""

    intercept: float
    whole: float
    crop: float
    body: float
    below: float
    above: float
    room: float
    answer: float
    """Number a film when the best body's probability is at least this."""
    ambiguous: float
    """Abstain when a second body's probability is at least this."""
    image_size: float
    """Long side of the network's canvas for a closer look, pixels."""
    whole_size: float
    """The same for the look at the whole film."""
    mirrored: float
    """1 to look at the mirror image too and take the mean, else 0."""

    def probability(self, evidence: Evidence) -> float:
        """Probability that this body, seen alone, is the lowest lumbar-type vertebra."""
        weights = (getattr(self, name) for name in FEATURES)
        logit = self.intercept + sum(w * f for w, f in zip(weights, evidence.features, strict=True))
        return float(1 / (1 + np.exp(-np.clip(logit, -60, 60))))


@dataclass(frozen=True)
class _Body:
    """Boxes of all looks on one body, as indices."""

    members: NDArray[np.intp]


@dataclass(frozen=True)
class _Seen:
    """All boxes of all looks, flat: ``(n, 4)`` boxes, scores, whether they say L5, and their look."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    l5: NDArray[np.bool_]
    look: NDArray[np.intp]


def gather(looks: Sequence[Look], film_bottom: float) -> list[Evidence]:
    """The bodies seen in these looks, with what speaks for and against each; ``film_bottom`` in film pixels."""
    seen = _flat(looks)
    bodies = _grouped(seen)
    closer = np.array([look.closer for look in looks])
    l5 = np.array([_by_look(seen, body, len(looks), l5_only=True) for body in bodies]).reshape(-1, len(looks))
    any_class = np.array([_by_look(seen, body, len(looks), l5_only=False) for body in bodies]).reshape(-1, len(looks))
    boxes = np.array([_box(seen, body, closer) for body in bodies]).reshape(-1, 4)
    vertebra = any_class.mean(1)
    found = []
    for index, box in enumerate(boxes):
        whole = float(l5[index, ~closer].mean())
        height = box[3] - box[1]
        neighbours = _neighbours(boxes, index)
        likely = 1 / (1 + np.exp(-vertebra))
        features = (
            whole,
            float(l5[index, closer].mean()) if closer.any() else whole,
            float(vertebra[index]),
            float(likely[neighbours > 0].max(initial=0.0)),
            float(likely[neighbours < 0].max(initial=0.0)),
            float(np.clip((film_bottom - box[3]) / (ROOM * height), 0, 1)),
        )
        best = float(1 / (1 + np.exp(-l5[index].max())))
        found.append(Evidence((float(box[0]), float(box[1]), float(box[2]), float(box[3])), best, features))
    return found


def _flat(looks: Sequence[Look]) -> _Seen:
    parts = [
        (one, l5, number) for number, look in enumerate(looks) for one, l5 in ((look.l5, True), (look.vertebrae, False))
    ]
    return _Seen(
        np.concatenate([one.boxes.reshape(-1, 4) for one, _, _ in parts]),
        np.concatenate([one.scores for one, _, _ in parts]),
        np.concatenate([np.full(len(one.scores), l5) for one, l5, _ in parts]),
        np.concatenate([np.full(len(one.scores), number) for one, _, number in parts]),
    )


def _grouped(seen: _Seen) -> list[_Body]:
    """Boxes on one body belong together; the best box of a body decides what overlaps it."""
    free = np.ones(len(seen.scores), bool)
    overlap = intersection_over_union(seen.boxes, seen.boxes)
    bodies = []
    for index in np.argsort(-seen.scores, kind="stable"):
        if free[index]:
            members = np.flatnonzero(free & (overlap[index] > SAME_BODY))
            free[members] = False
            bodies.append(_Body(members))
    return bodies


def _by_look(seen: _Seen, body: _Body, looks: int, *, l5_only: bool) -> list[float]:
    """The body's best score in each look, as a logit."""
    members = body.members[seen.l5[body.members]] if l5_only else body.members
    return [_logit(float(seen.scores[members[seen.look[members] == look]].max(initial=0.0))) for look in range(looks)]


def _box(seen: _Seen, body: _Body, closer: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of the body's boxes weighted by their scores; those of the lumbar crops, where it was seen there."""
    exact = body.members[closer[seen.look[body.members]]]
    members = exact if len(exact) else body.members
    mean: NDArray[np.float64] = np.average(seen.boxes[members], axis=0, weights=seen.scores[members] ** 2)
    return mean


def _neighbours(boxes: NDArray[np.float64], index: int) -> NDArray[np.int_]:
    """+1 for the bodies right below this one, -1 for those right above, 0 for the others."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    width, height = boxes[index, 2:] - boxes[index, :2]
    offset = centres - centres[index]
    apart = np.abs(offset[:, 1]) / height
    near = (apart > CLOSEST) & (apart < FARTHEST) & (np.abs(offset[:, 0]) < width)
    return np.where(near, np.sign(offset[:, 1]), 0).astype(int)


def closer_regions(whole: Look, left: int, top: int, right: int, bottom: int) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom of the closer looks, around the lowest vertebra seen and inside the film's bounds.

    Empty when there is nothing to look at closer.
    """
    anchor = _anchor(whole)
    if anchor is None:
        return []
    x0, y0, x1, y1 = anchor
    height, centre = y1 - y0, (x0 + x1) / 2
    regions = []
    for above, below in CLOSER:
        upper, lower = max(top, int(y0 - above * height)), min(bottom, int(y1 + below * height))
        half = WIDTH_OF_HEIGHT / 2 * (lower - upper)
        region = max(left, int(centre - half)), upper, min(right, int(centre + half)), lower
        if min(region[2] - region[0], region[3] - region[1]) >= SMALLEST_REGION:
            regions.append(region)
    return regions


def _anchor(look: Look) -> NDArray[np.float64] | None:
    boxes = np.concatenate([look.l5.boxes, look.vertebrae.boxes])
    scores = np.concatenate([look.l5.scores, look.vertebrae.scores])
    sure = boxes[scores >= SURE]
    if len(sure):
        lowest: NDArray[np.float64] = sure[np.argmax(sure[:, 3])]
        return lowest
    return boxes[np.argmax(scores)] if len(scores) else None


def _logit(score: float) -> float:
    clipped = min(max(score, NO_SCORE), 1 - 1e-4)
    return float(np.log(clipped / (1 - clipped)))
