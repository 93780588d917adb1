"""The paper's table for the AP pipeline, with bootstrap intervals, and a gallery of what went wrong.

Targets (seed, 45 validation films): mAP50 99.2, mAP75 96.9, precision 95.7, recall 97.8, right with confidence ≥ 0.9 in
93.3 %. Detections are ranked by the pipeline's probability; precision, recall and the level are those of its answers,
so an abstention counts against recall and against "level right".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from numbering.geometry import intersection_over_union
from numbering.pipelines.ap_xray.cases import Case
from numbering.pipelines.ap_xray.pipeline import ApXray
from numbering.pipelines.films import window_to_grey
from numbering.pipelines.judging import intervals
from numbering.pipelines.judging.intervals import Interval
from numbering.pipelines.judging.sheets import sheet
from numbering.result import Status

CONFIDENT = 0.9
BOOTSTRAPS = 1000
COLUMNS = ("mAP50", "mAP75", "precision", "recall", "level right", "right ≥ 0.9", "wrong ≥ 0.9", "abstained")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the pipeline said of one case.

    ``boxes`` and ``scores`` are all candidates; ``overlap`` their IoU with the true L5 (0 when there is none).
    """

    case: Case
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    overlap: NDArray[np.float64]
    answered: bool
    probability: float
    level_right: bool
    reason: str

    @property
    def confident_wrong(self) -> bool:
        """The worst outcome: sure, and on another vertebra or under another name."""
        return self.answered and not self.level_right and self.probability >= CONFIDENT


def judge(pipeline: ApXray, case: Case) -> Outcome:
    """Run the pipeline on one case and compare with the truth."""
    read = pipeline.read(case.film)
    findings = pipeline.conclude([read])
    boxes = np.array([one.box for one in read.evidence]).reshape(-1, 4)
    truth = case.l5[None] if case.l5 is not None else np.zeros((0, 4))
    overlap = intersection_over_union(boxes, truth)[:, 0] if len(truth) and len(boxes) else np.zeros(len(boxes))
    answered = findings.status is Status.NUMBERED
    return Outcome(
        case=case,
        boxes=boxes,
        scores=np.array(read.probabilities),
        overlap=overlap,
        answered=answered,
        probability=findings.vertebrae[0].probability if answered else 0.0,
        level_right=answered and case.l5_name == "L5" and on_l5(findings.vertebrae[0].box, case),
        reason=findings.reason.code if findings.reason else "",
    )


def on_l5(box: Sequence[float], case: Case) -> bool:
    """Whether a box marks L5: its centre lies nearer to L5's than to any other's, within half a body's diagonal."""
    if case.l5 is None:
        return False
    centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    centres = (case.vertebrae[:, :2] + case.vertebrae[:, 2:]) / 2
    true = (case.l5[:2] + case.l5[2:]) / 2
    distance = np.linalg.norm(centre - true)
    reach = np.linalg.norm(case.l5[2:] - case.l5[:2]) / 2
    return bool(distance <= reach and distance <= np.linalg.norm(centres - centre, axis=1).min() + 1e-6)


def figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The columns of the table for cases that hold an L5."""
    answered = [one for one in outcomes if one.answered]
    hits = sum(bool(len(one.overlap)) and bool(one.overlap[0] >= 0.5) for one in answered)
    average = average_precisions(outcomes, (0.5, 0.75))
    return {
        "mAP50": average[0],
        "mAP75": average[1],
        "precision": hits / max(len(answered), 1),
        "recall": hits / max(len(outcomes), 1),
        "level right": float(np.mean([one.level_right for one in outcomes])),
        "right ≥ 0.9": float(np.mean([one.level_right and one.probability >= CONFIDENT for one in outcomes])),
        "wrong ≥ 0.9": float(np.mean([one.confident_wrong for one in outcomes])),
        "abstained": 1 - len(answered) / max(len(outcomes), 1),
    }


def average_precisions(outcomes: Sequence[Outcome], thresholds: tuple[float, ...]) -> list[float]:
    """Average precision of L5 at these IoU thresholds, by ultralytics' metric (101-point interpolation)."""
    from numbering.pipelines.ap_xray.network import prepare_ultralytics

    prepare_ultralytics()
    from ultralytics.utils.metrics import ap_per_class

    matched = [_matches(one.overlap, thresholds) for one in outcomes]
    correct = np.concatenate(matched) if matched else np.zeros((0, len(thresholds)), bool)
    scores = np.concatenate([one.scores for one in outcomes])
    if not len(scores):
        return [0.0] * len(thresholds)
    result = ap_per_class(correct, scores, np.zeros(len(scores)), np.zeros(len(outcomes)))
    return [float(value) for value in np.asarray(result[5])[0]]


def _matches(overlap: NDArray[np.float64], thresholds: tuple[float, ...]) -> NDArray[np.bool_]:
    """Each film has one L5: at each threshold its best-ranked overlapping candidate matches, no other."""
    matches = np.zeros((len(overlap), len(thresholds)), bool)
    for column, threshold in enumerate(thresholds):
        good = np.flatnonzero(overlap >= threshold)
        if len(good):
            matches[good[0], column] = True
    return matches


def interval(outcomes: Sequence[Outcome], seed: int = 0) -> dict[str, Interval | None]:
    """95 % bootstrap intervals of `figures`, drawn by patient."""
    return intervals.interval(outcomes, figures, lambda one: one.case.patient, seed, BOOTSTRAPS)


def evaluate(
    pipeline: ApXray, cases: Iterable[Case], seed: int = 0, progress: Callable[[Case], None] = lambda case: None
) -> tuple[dict[str, Any], list[Outcome]]:
    """Tables by view and anatomy: ``rows`` for cases with L5, ``without_l5`` for the others; and every outcome."""
    outcomes = []
    for case in cases:
        outcomes.append(judge(pipeline, case))
        progress(case)
    if not outcomes:
        raise ValueError("no labelled films to evaluate: expected at least one in the folder and split named")
    rows = []
    with_l5 = [one for one in outcomes if one.case.l5 is not None]
    for view, anatomy in dict.fromkeys((one.case.view, one.case.anatomy) for one in with_l5):
        chosen = [one for one in with_l5 if (one.case.view, one.case.anatomy) == (view, anatomy)]
        rows.append({"view": view, "anatomy": anatomy, "n": len(chosen), "figures": figures(chosen),
                     "interval": interval(chosen, seed)})  # fmt: skip
    empty = [one for one in outcomes if one.case.l5 is None]
    report = {
        "pipeline": "ap-xray",
        "weights_sha256": pipeline.identity.weights_sha256,
        "runtime": pipeline.identity.runtime,
        "seed": seed,
        "rows": rows,
        "without_l5": {
            "n": len(empty),
            "abstained": sum(not one.answered for one in empty),
            "confident_wrong": sum(one.confident_wrong for one in empty),
        },
    }
    return report, outcomes


def gallery(outcomes: Sequence[Outcome], path: Path, most: int = 24) -> int:
    """Write a picture of the failures, worst first: truth green, candidates red with their probabilities."""
    failed = [
        one for one in outcomes if (one.case.l5 is None) == one.answered or (one.answered and not one.level_right)
    ]
    failed += [one for one in outcomes if one.level_right and len(one.overlap) and one.overlap[0] < 0.5]
    failed.sort(key=lambda one: (-one.confident_wrong, -one.probability))
    sheet([_tile(one) for one in failed[:most]], path)
    return len(failed)


def _tile(one: Outcome) -> Image.Image:
    pixels = one.case.film.pixels
    scale = min(296 / pixels.shape[1], 580 / pixels.shape[0])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    tile = Image.new("RGB", (300, 640), "black")
    tile.paste(Image.fromarray(window_to_grey(pixels)).convert("RGB").resize(size), (0, 0))
    draw = ImageDraw.Draw(tile)
    if one.case.l5 is not None:
        draw.rectangle([*((one.case.l5 + 0.5) * scale)], outline=(0, 255, 0))
    for box, score in zip(one.boxes, one.scores, strict=True):
        if score >= 0.05:
            draw.rectangle([*((box + 0.5) * scale)], outline=(255, 60, 60))
            draw.text((max(0, (box[2] + 0.5) * scale + 2), box[1] * scale), f"{score:.2f}", fill=(255, 120, 120))
    said = f"answered {one.probability:.2f}" if one.answered else f"abstained: {one.reason}"
    draw.text((4, 584), f"{one.case.name[:46]}\n{one.case.view}, truth {one.case.l5_name}\n{said}", fill="white")
    return tile
