"""Stored results for tests of what we write: about films of `tests.films`, with model and dates fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread

from numbering.errors import ReasonCode
from numbering.result import (
    Alternative,
    Candidate,
    Findings,
    ModelIdentity,
    NumberingBasis,
    NumberingResult,
    Origin,
    SourceImage,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.study import View

WEIGHTS = hashlib.sha256(b"weights").hexdigest()
BOX = (20.25, 100.5, 60.75, 131.0)
STATEMENT = "Numbering basis: lowest lumbar-type vertebra by appearance, presumed L5. Confidence 0.97."


def source_of(path: Path) -> SourceImage:
    """The source image that this file is."""
    header = dcmread(path, stop_before_pixels=True)
    return SourceImage(
        sop_instance_uid=header.SOPInstanceUID,
        sop_class_uid=header.SOPClassUID,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=header.Rows,
        columns=header.Columns,
        frames=int(header.get("NumberOfFrames", 1)),
    )


def numbered(sop_uid: str, *, level: str = "L5", frame: int | None = None, box: Any = BOX, **more: Any) -> Findings:
    """One vertebra with everything that a report can say about it."""
    found: dict[str, Any] = {
        "status": Status.NUMBERED,
        "vertebrae": (Vertebra(level=level, probability=0.97, sop_instance_uid=sop_uid, frame=frame, box=box),),
        "basis": NumberingBasis(
            counted_from="lowest lumbar-type vertebra by appearance",
            anchors_in_view=("sacrum",),
            assumptions=("five lumbar-type vertebrae",),
            statement=STATEMENT,
        ),
        "alternative": Alternative(probability=0.02, levels=("L6",)),
        "anomalies": ("transitional vertebra not excluded",),
        "quality": ("lower edge of the film crops the sacrum",),
        "candidates": (Candidate(sop_instance_uid=sop_uid, frame=frame, box=box, score=0.91),),
    }
    return Findings(**(found | more))


def abstained(sop_uid: str, boxes: Iterable[Any] = (), frame: int | None = None) -> Findings:
    """An abstention with these competing candidates."""
    candidates = tuple(
        Candidate(sop_instance_uid=sop_uid, frame=frame, box=box, score=0.6 - 0.1 * index)
        for index, box in enumerate(boxes)
    )
    if candidates:
        reason = StatedReason(code=ReasonCode.AMBIGUOUS, text="Two regions look like the lowest lumbar-type vertebra.")
    else:
        reason = StatedReason(code=ReasonCode.TARGET_NOT_IN_VIEW, text="No lumbar-type vertebra is seen on this film.")
    return Findings(status=Status.ABSTAINED, reason=reason, candidates=candidates)


def result_of(paths: Iterable[Path], findings: Findings, **more: Any) -> NumberingResult:
    """A stored result that rests on these files."""
    files = list(paths)
    header = dcmread(files[0], stop_before_pixels=True)
    facts: dict[str, Any] = {
        "study_instance_uid": header.StudyInstanceUID,
        "series_instance_uid": header.SeriesInstanceUID,
        "modality": header.Modality,
        "view": View.AP,
        "pipeline": "ap-xray",
        "software_version": "0.1.0",
        "model": ModelIdentity(
            name="ap-xray yolov5n",
            version="1",
            weights_file="ap-xray.xml",
            weights_sha256=WEIGHTS,
            trained_on="real films",
            runtime="openvino 2026.4.1 cpu f32",
        ),
        "sources": tuple(source_of(path) for path in files),
        "findings": findings,
        "settings": {"score_threshold": "0.5"},
        "origin": Origin.NODE,
        "created_at": datetime(2026, 3, 1, 22, 30, 15, 250000, tzinfo=UTC),
    }
    return NumberingResult(**(facts | more))
