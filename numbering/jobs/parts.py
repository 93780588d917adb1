"""The parts of a series, each with the job that would stand for it: what routing says, as rows not added yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from numbering.dicom.read import read_series
from numbering.errors import NumberingError, Reason, ReasonCode
from numbering.jobs.models import InstanceRow, Job, JobImage
from numbering.jobs.node import Node
from numbering.jobs.siblings import chosen
from numbering.jobs.states import State
from numbering.logs import logger, place_of
from numbering.result import Status
from numbering.route import Assignment, route
from numbering.study import Image, Series

INCOMPLETE_PART = "series-incomplete/-"
"""The part that stands for a whole series of which too little came."""
LEVEL_CHECK_PART = "level-check"
"""The part that the report of a level check stands for; its series is the report's own."""
OBJECT_PARTS = ("unreadable", "conflict", "refused")
"""Kinds of objects that stand for themselves, whatever becomes of their series."""
FAULT_PART = "completion/-"
"""The part that stands for a series of which no jobs could be made."""
LONGEST_MODALITY = 16
"""A CS value (PS3.5 6.2); what came may be longer."""

log = logger(__name__)


@dataclass(frozen=True)
class Part:
    """A part of a series with the job that would stand for it."""

    name: str
    job: Job


def object_part(kind: str, sop_uid: str, digest: str) -> str:
    """The name of the part that is a single object."""
    return f"{kind}/{sop_uid}/{digest[:16]}"


def parts(node: Node, study_uid: str, series_uid: str, rows: Mapping[str, InstanceRow]) -> list[Part]:
    """The parts of a series of which these instances (by SOP Instance UID) are here."""
    try:
        found = read_series([node.path(row.path) for row in rows.values()])
        assignments = [chosen(node, assignment) for series in found for assignment in route(series)]
    except Exception as error:  # noqa: BLE001 - a series that breaks routing is listed as failed, the others go on
        log.error("routing failed", series_instance_uid=series_uid, error=error)
        return [fault_part(study_uid, series_uid, rows, error, "routing/-")]
    return [_part(node, assignment) for assignment in _merged(assignments)]


def incomplete_part(study_uid: str, series_uid: str, rows: Mapping[str, InstanceRow], reason: Reason) -> Part:
    """What stands for a series that was given up because too little of it came."""
    return _whole(study_uid, series_uid, rows, INCOMPLETE_PART, State.UNSUITABLE, Status.UNSUITABLE, reason)


def fault_part(
    study_uid: str, series_uid: str, rows: Mapping[str, InstanceRow], error: Exception, name: str = FAULT_PART
) -> Part:
    """What stands for a series that this error stopped."""
    text = f"series {series_uid}: {place_of(error)}: a fault of this software, please report it"
    reason = error.reason if isinstance(error, NumberingError) else Reason(ReasonCode.INTERNAL_ERROR, text)
    return _whole(study_uid, series_uid, rows, name, State.QUARANTINED, Status.FAILED, reason)


def part_name(assignment: Assignment) -> str:
    """What of a series an assignment stands for: a pipeline, or the reason of a refusal and the view."""
    if assignment.card is not None:
        return assignment.card.name
    code = assignment.reason.code.value if assignment.reason else assignment.status.value
    return f"{code}/{assignment.view or '-'}"


def input_digest(images: Iterable[Image]) -> str:
    """A hash of which images with which bytes a part rests on, whatever their order."""
    return _digest(f"{image.sop_instance_uid}:{image.digest}" for image in images)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _merged(assignments: Iterable[Assignment]) -> list[Assignment]:
    """One assignment for each part, should routing have told the same twice."""
    merged: dict[str, Assignment] = {}
    for assignment in assignments:
        name = part_name(assignment)
        if name in merged:
            images = merged[name].series.images + assignment.series.images
            assignment = replace(assignment, series=assignment.series.only(images))
        merged[name] = assignment
    return list(merged.values())


def _part(node: Node, assignment: Assignment) -> Part:
    series, card, reason = assignment.series, assignment.card, assignment.reason
    states = {Status.HELD: State.HELD, Status.UNSUITABLE: State.UNSUITABLE}
    job = Job(
        study_uid=series.study_instance_uid,
        series_uid=series.series_instance_uid,
        part=part_name(assignment),
        pipeline=card.name if card else None,
        queue=card.queue if card else None,
        view=assignment.view.value if assignment.view else None,
        modality=series.modality[:LONGEST_MODALITY],
        state=(State.QUEUED if card else states[assignment.status]).value,
        status=None if card else assignment.status.value,
        reason_code=reason.code.value if reason else None,
        reason_text=reason.text if reason else None,
        input_digest=input_digest(series.images),
        max_attempts=node.settings.max_attempts,
        images=_job_images(node, series),
    )
    return Part(job.part, job)


def _job_images(node: Node, series: Series) -> list[JobImage]:
    return [
        JobImage(position=position, sop_uid=image.sop_instance_uid, digest=image.digest, path=node.stored(image.path))
        for position, image in enumerate(series.images)
    ]


def _whole(
    study_uid: str,
    series_uid: str,
    rows: Mapping[str, InstanceRow],
    name: str,
    state: State,
    status: Status,
    reason: Reason,
) -> Part:
    """A part that stands for the whole series."""
    job = Job(
        study_uid=study_uid,
        series_uid=series_uid,
        part=name,
        modality="",
        state=state.value,
        status=status.value,
        reason_code=reason.code.value,
        reason_text=reason.text,
        input_digest=_digest(f"{row.sop_uid}:{row.digest}" for row in rows.values()),
    )
    return Part(name, job)
