"""Corrections as training data: one JSON object a line, ``numbering/correction/1``. Nothing of a patient is in it.

Each says which structure of which image a person named how, what the pipeline had said there and with which model, and
where the image's file is in the node's data folder while it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from numbering.jobs.models import InstanceRow, Job
from numbering.jobs.node import Node
from numbering.jobs.record.rows import CorrectionRow
from numbering.jobs.record.verifying import run_digest
from numbering.jobs.store import reading
from numbering.result import Box, Candidate, NumberingResult, Vertebra

SCHEMA = "numbering/correction/1"


def exported(node: Node) -> Iterator[str]:
    """A line for each correction that stands, oldest first."""
    with reading(node.engine) as session:
        rows = select(CorrectionRow).where(CorrectionRow.withdrawn_at.is_(None))
        for row in session.scalars(rows.order_by(CorrectionRow.at, CorrectionRow.uid)):
            yield json.dumps(_line(session, row), sort_keys=True)


def _line(session: Session, row: CorrectionRow) -> dict[str, Any]:
    run = _run(session, row)
    return {
        "schema": SCHEMA,
        "uid": row.uid,
        "at": row.at.isoformat(timespec="seconds"),
        "study_instance_uid": row.study_uid,
        "series_instance_uid": row.series_uid,
        "sop_instance_uid": row.sop_uid,
        "frame": row.frame,
        "x": row.x,
        "y": row.y,
        "name": row.name,
        "was": row.was,
        "verified": row.verified,
        "source": row.source,
        "box": _box(run, row),
        "modality": run.modality if run else None,
        "view": run.view.value if run and run.view else None,
        "pipeline": run.pipeline if run else None,
        "weights_sha256": run.model.weights_sha256 if run else None,
        "image": _image(session, row),
    }


def _run(session: Session, row: CorrectionRow) -> NumberingResult | None:
    """The run of the pipeline that the person saw."""
    jobs = select(Job.result).where(
        Job.series_uid == row.series_uid, Job.concluded_from.is_(None), Job.result.is_not(None)
    )
    results = (NumberingResult.model_validate_json(result or "") for result in session.scalars(jobs))
    return next((result for result in results if run_digest(result) == row.run_digest), None)


def _box(run: NumberingResult | None, row: CorrectionRow) -> Box | None:
    """That of the vertebra, or candidate for one, which the run saw at the place; the smallest where several are."""
    if run is None or "-" in row.name:
        return None
    seen: list[Vertebra | Candidate] = [*run.findings.vertebrae, *run.findings.candidates]
    boxes = [one.box for one in seen if (one.sop_instance_uid, one.frame) == (row.sop_uid, row.frame)]
    there = [box for box in boxes if box[0] <= row.x <= box[2] and box[1] <= row.y <= box[3]]
    return min(there, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), default=None)


def _image(session: Session, row: CorrectionRow) -> str | None:
    """The image's file, relative to the data folder; None when retention removed it."""
    here = InstanceRow.sop_uid == row.sop_uid, InstanceRow.kind == "image", InstanceRow.removal.is_(None)
    return session.scalar(select(InstanceRow.path).where(*here).limit(1))
