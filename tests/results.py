"""Stored results for tests of what we write: about films of `tests.films`, with model and dates fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread

from numbering.errors import ReasonCode
from numbering.result import (
    Alternative,
    Candidate,
    Findings,
    Line,
    Lstv,
    Measurement,
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
            lumbar_type_count=4,
            last_rib="T12",
            lstv=Lstv.SUSPECTED,
            lstv_evidence=("six lumbar-type vertebrae",),
            lowest_disc="L5-L6",
            confidence=0.97,
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


def lateral(sop_uid: str, *, size: float = 300.0, frame: int | None = None, **more: Any) -> Findings:
    """L1…L5 and S1's endplate on a film ``size`` high and two thirds as wide, the front on the left, with angles that
    these corners have."""
    bodies = {f"L{n}": _body(n, size) for n in range(1, 6)}
    plate: Line = (_at(0.42, 0.80, size), _at(0.60, 0.74, size))
    where: dict[str, Any] = {"sop_instance_uid": sop_uid, "frame": frame}
    vertebrae = [
        Vertebra(level=level, probability=0.93, box=_extent(corners), corners=corners, **where)
        for level, corners in bodies.items()
    ]
    s1 = Vertebra(level="S1", probability=0.96, box=_extent(plate), endplate=plate, **where)
    upper = bodies["L1"][:2]
    horizontal: Line = ((plate[0][0], plate[1][1]), plate[1])
    l5: Line = (bodies["L5"][3], bodies["L5"][2])
    found: dict[str, Any] = {
        "status": Status.NUMBERED,
        "vertebrae": (*vertebrae, s1),
        "measurements": (
            _angle("lumbar-lordosis-l1-l5", ("L1", "L5"), _between(upper, l5), (upper, l5), where),
            _angle("lumbar-lordosis-l1-s1", ("L1", "S1"), _between(upper, plate), (upper, plate), where),
            _angle("sacral-slope", ("S1",), -_between(horizontal, plate), (plate, horizontal), where),
            Measurement(
                name="wedge-ratio-l2", levels=("L2",), value=None, unit="1", reason="L2: a fracture is suspected",
                **where,
            ),
            Measurement(
                name="segmental-angle-t12-l1", levels=("T12", "L1"), value=None, unit="deg", reason="T12 is not named",
                **where,
            ),
        ),
        "basis": NumberingBasis(
            counted_from="sacrum",
            anchors_in_view=("sacrum",),
            assumptions=("five lumbar-type vertebrae",),
            statement="Numbering basis: counted from the sacrum, five lumbar-type vertebrae presumed.",
        ),
        "alternative": Alternative(probability=0.05, levels=("L2", "L3", "L4", "L5", "L6", "S1")),
    }  # fmt: skip
    return Findings(**(found | more))


def _at(x: float, y: float, size: float) -> tuple[float, float]:
    return x * size * 2 / 3, y * size


def _body(number: int, size: float) -> Any:
    """Upper-anterior, upper-posterior, lower-posterior, lower-anterior; each lower one leans further."""
    top, tilt = 0.08 + 0.135 * (number - 1), -0.02 * (number - 3)
    left, right = 0.36 - 0.05 * abs(number - 3) + 0.05, 0.60 - 0.05 * abs(number - 3) + 0.05
    corners = ((left, top - tilt), (right, top + tilt), (right, top + 0.1 + tilt), (left, top + 0.1 - tilt))
    return tuple(_at(x, y, size) for x, y in corners)


def _extent(points: Any) -> Any:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _between(upper: Any, lower: Any) -> float:
    """Degrees between two lines, anterior point first, of a film whose front is on the left."""
    directions = [np.arctan2(line[0][1] - line[1][1], line[1][0] - line[0][0]) for line in (upper, lower)]
    return float(np.degrees(directions[1] - directions[0]))


def _angle(name: str, levels: Any, value: float, lines: Any, where: dict[str, Any]) -> Measurement:
    return Measurement(name=name, levels=levels, value=value, unit="deg", uncertainty=2.25, lines=lines, **where)


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
