"""Assemble: notes what arrived, decides when a series is complete, and makes its jobs. One process does this.

A series is complete when nothing came for the quiet time. An instance that comes later re-opens it; when its parts then
rest on other images than before, each gets a new revision that supersedes the earlier job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Select, func, not_, select
from sqlalchemy.orm import Session

from numbering.dicom.read import read_header, read_series
from numbering.dicom.spool import Arrival, Kind
from numbering.errors import NumberingError, Reason, ReasonCode
from numbering.jobs.claims import let_go
from numbering.jobs.models import InstanceRow, Job, JobImage, ObjectRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import State, checked
from numbering.jobs.store import reading, writing
from numbering.logs import logger, place_of
from numbering.result import Status
from numbering.route import Assignment, route
from numbering.study import Image, Series

log = logger(__name__)


def take_arrivals(node: Node) -> int:
    """Note every arrival in the database, then let the spool forget its marker; returns how many there were."""
    arrivals = node.spool.arrivals()
    for arrival in arrivals:
        _take(node, arrival)
        node.spool.done(arrival)
    return len(arrivals)


@dataclass(frozen=True)
class _Header:
    """What an arrival's header said, or why it could not be read."""

    kind: str
    sop_class: str = ""
    modality: str = ""
    reason: Reason | None = None


def _take(node: Node, arrival: Arrival) -> None:
    path = _path(node, arrival)
    header = _read(path, arrival)
    with writing(node.engine) as session:
        if session.get(InstanceRow, (arrival.sop_instance_uid, arrival.digest)) is not None:
            return  # the same bytes again: nothing is new
        session.add(
            InstanceRow(
                sop_uid=arrival.sop_instance_uid,
                digest=arrival.digest,
                series_uid=arrival.series_instance_uid,
                study_uid=arrival.study_instance_uid,
                sop_class=header.sop_class,
                path=node.stored(path),
                kind=header.kind,
            )
        )
        if header.kind == "image":
            _open(session, arrival)
        elif header.reason is not None:
            session.add(_quarantined(arrival, header))
    say = log.warning if header.kind in ("unreadable", "conflict") else log.info
    say(
        "arrived",
        kind=header.kind,
        sop_instance_uid=arrival.sop_instance_uid,
        series_instance_uid=arrival.series_instance_uid,
        reason=header.reason.text if header.reason else None,
    )


def _path(node: Node, arrival: Arrival) -> Path:
    root, sop = node.spool.root, arrival.sop_instance_uid
    match arrival.kind:
        case Kind.STORED:
            return root / arrival.study_instance_uid / arrival.series_instance_uid / f"{sop}.dcm"
        case Kind.UPDATE:
            return root / ".updates" / sop / f"{arrival.digest}.dcm"
        case Kind.CONFLICT:
            return root / ".quarantine" / sop / f"{arrival.digest}.dcm"


def _read(path: Path, arrival: Arrival) -> _Header:
    if arrival.kind is not Kind.STORED:
        return _Header(kind=arrival.kind.value)
    try:
        _, _, image = read_header(path)
    except NumberingError as error:
        return _Header(kind="unreadable", reason=error.reason)
    except Exception as error:  # noqa: BLE001 - no object may stop the others; its row says where it failed
        text = f"object {arrival.sop_instance_uid}: its header cannot be read ({place_of(error)}); send it again"
        return _Header(kind="unreadable", reason=Reason(ReasonCode.UNREADABLE_HEADER, text))
    return _Header(kind="own" if image.made_by_us else "image", sop_class=image.sop_class_uid, modality=image.modality)


def _open(session: Session, arrival: Arrival) -> None:
    study_uid, series_uid = arrival.study_instance_uid, arrival.series_instance_uid
    series = session.get(SeriesRow, (study_uid, series_uid), with_for_update=True)
    if series is None:
        session.add(SeriesRow(study_uid=study_uid, series_uid=series_uid))
        return
    series.last_arrival = now()
    if series.state == State.COMPLETE:
        series.move(State.RECEIVED)
        log.info("a late instance re-opens its series", series_instance_uid=series.series_uid)


def _quarantined(arrival: Arrival, header: _Header) -> Job:
    """The visible row of an object whose header cannot be read."""
    assert header.reason is not None
    return Job(
        study_uid=arrival.study_instance_uid,
        series_uid=arrival.series_instance_uid,
        part=f"unreadable/{arrival.sop_instance_uid}/{arrival.digest[:16]}",
        modality=header.modality,
        state=State.QUARANTINED.value,
        status=Status.UNSUITABLE.value,
        reason_code=header.reason.code.value,
        reason_text=header.reason.text,
        input_digest=arrival.digest,
    )


def complete_series(node: Node) -> int:
    """Make the jobs of every series that has been quiet for long enough; returns how many series that were."""
    oldest = now() - timedelta(seconds=node.settings.quiet_seconds)
    quiet = select(SeriesRow).where(SeriesRow.state == State.RECEIVED, SeriesRow.last_arrival <= oldest)
    with reading(node.engine) as session:
        uids = [(row.study_uid, row.series_uid) for row in session.scalars(quiet.order_by(SeriesRow.last_arrival))]
    for study_uid, series_uid in uids:
        _complete(node, study_uid, series_uid)
    return len(uids)


def _complete(node: Node, study_uid: str, series_uid: str) -> None:
    with reading(node.engine) as session:
        arrived = select(InstanceRow).where(
            InstanceRow.study_uid == study_uid, InstanceRow.series_uid == series_uid, InstanceRow.kind == "image"
        )
        rows = {row.sop_uid: row for row in session.scalars(arrived.order_by(InstanceRow.sop_uid))}
        session.expunge_all()
    parts = _parts(node, study_uid, series_uid, rows)
    with writing(node.engine) as session:
        session.get_one(SeriesRow, (study_uid, series_uid), with_for_update=True).move(State.COMPLETE)
        current = {job.part: job for job in session.scalars(_current(study_uid, series_uid))}
        news = [part for part in parts if _is_news(part, current.get(part.name))]
        for part in news:
            _add(session, part, current.get(part.name))
        gone = current.keys() - {part.name for part in parts}
        for name in gone:
            _supersede(current[name], news[0].job if news else None)


def _current(study_uid: str, series_uid: str) -> Select[Job]:
    """The jobs that stand for the parts of a series; objects that cannot be read stand for themselves."""
    return (
        select(Job)
        .where(Job.study_uid == study_uid, Job.series_uid == series_uid)
        .where(Job.state != State.SUPERSEDED, not_(Job.part.startswith("unreadable/")))
        .with_for_update()
    )


def _is_news(part: _Part, current: Job | None) -> bool:
    return current is None or current.input_digest != part.job.input_digest


def _add(session: Session, part: _Part, current: Job | None) -> None:
    """Add the part's next revision; it names the SR that readers may have of an earlier one."""
    job = part.job
    checked(State.COMPLETE, State(job.state))
    same_part = Job.study_uid == job.study_uid, Job.series_uid == job.series_uid, Job.part == part.name
    job.revision = 1 + (session.scalar(select(func.max(Job.revision)).where(*same_part)) or 0)
    reports = select(ObjectRow.sop_uid).join(Job, Job.id == ObjectRow.job_id).where(*same_part, ObjectRow.kind == "SR")
    job.predecessor_sr_uid = session.scalar(reports.order_by(Job.revision.desc()).limit(1))
    session.add(job)
    session.flush()
    if current is not None:
        _supersede(current, job)
    log.info(
        "a job is made",
        job=job.id,
        series_instance_uid=job.series_uid,
        part=job.part,
        revision=job.revision,
        state=job.state,
        reason=job.reason_text,
    )


def _supersede(job: Job, successor: Job | None) -> None:
    let_go(job)
    job.move(State.SUPERSEDED)
    job.superseded_by = successor.id if successor else None
    log.info("a job is superseded", job=job.id, series_instance_uid=job.series_uid)


@dataclass(frozen=True)
class _Part:
    """A part of a series with the job that would stand for it."""

    name: str
    job: Job


def _parts(node: Node, study_uid: str, series_uid: str, rows: Mapping[str, InstanceRow]) -> list[_Part]:
    try:
        found = read_series([node.path(row.path) for row in rows.values()])
        assignments = [assignment for series in found for assignment in route(series)]
    except Exception as error:  # noqa: BLE001 - a series that breaks routing is listed as failed, the others go on
        text = f"series {series_uid}: {place_of(error)}: a fault of this software, please report it"
        reason = error.reason if isinstance(error, NumberingError) else Reason(ReasonCode.INTERNAL_ERROR, text)
        log.error("routing failed", series_instance_uid=series_uid, error=error)
        return [_failed_part(study_uid, series_uid, rows, reason)]
    return [_part(node, assignment) for assignment in _merged(assignments)]


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


def part_name(assignment: Assignment) -> str:
    """What of a series an assignment stands for: a pipeline, or the reason of a refusal and the view."""
    if assignment.card is not None:
        return assignment.card.name
    code = assignment.reason.code.value if assignment.reason else assignment.status.value
    return f"{code}/{assignment.view or '-'}"


def input_digest(images: Iterable[Image]) -> str:
    """A hash of which images with which bytes a part rests on, whatever their order."""
    lines = sorted(f"{image.sop_instance_uid}:{image.digest}" for image in images)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _part(node: Node, assignment: Assignment) -> _Part:
    series, card, reason = assignment.series, assignment.card, assignment.reason
    states = {Status.HELD: State.HELD, Status.UNSUITABLE: State.UNSUITABLE}
    job = Job(
        study_uid=series.study_instance_uid,
        series_uid=series.series_instance_uid,
        part=part_name(assignment),
        pipeline=card.name if card else None,
        queue=card.queue if card else None,
        view=assignment.view.value if assignment.view else None,
        modality=series.modality,
        state=(State.QUEUED if card else states[assignment.status]).value,
        status=None if card else assignment.status.value,
        reason_code=reason.code.value if reason else None,
        reason_text=reason.text if reason else None,
        input_digest=input_digest(series.images),
        max_attempts=node.settings.max_attempts,
        images=_job_images(node, series),
    )
    return _Part(job.part, job)


def _job_images(node: Node, series: Series) -> list[JobImage]:
    return [
        JobImage(position=position, sop_uid=image.sop_instance_uid, digest=image.digest, path=node.stored(image.path))
        for position, image in enumerate(series.images)
    ]


def _failed_part(study_uid: str, series_uid: str, rows: Mapping[str, InstanceRow], reason: Reason) -> _Part:
    lines = "\n".join(f"{row.sop_uid}:{row.digest}" for row in rows.values())
    job = Job(
        study_uid=study_uid,
        series_uid=series_uid,
        part="routing/-",
        modality="",
        state=State.QUARANTINED.value,
        status=Status.FAILED.value,
        reason_code=reason.code.value,
        reason_text=reason.text,
        input_digest=hashlib.sha256(lines.encode()).hexdigest(),
    )
    return _Part(job.part, job)
