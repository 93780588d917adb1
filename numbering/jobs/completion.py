"""Completion: decides when a series is complete, and makes its jobs.

A series is complete when nothing came for the quiet time, or at once when every instance that was announced for it is
here. One of which fewer came than somebody said is held, visibly, until nothing came for ``incomplete_seconds``; then
the policy decides. One whose jobs cannot be made is quarantined, and the others go on. An instance that comes later
re-opens any of them; when its parts then rest on other images than before, each gets a new revision that supersedes the
earlier job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from numbering.errors import Reason
from numbering.jobs.claims import let_go
from numbering.jobs.models import InstanceRow, Job, ObjectRow, SeriesRow, now
from numbering.jobs.node import Node
from numbering.jobs.parts import OBJECT_PARTS, Part, fault_part, incomplete_part, parts
from numbering.jobs.priors import want_priors
from numbering.jobs.record.series import file_series, note_change
from numbering.jobs.states import State, checked
from numbering.jobs.store import reading, writing
from numbering.jobs.tally import CERTAIN, Source, Tally, count, incomplete
from numbering.logs import logger
from numbering.settings import Settings

OUTAGES = (OperationalError, InterfaceError, OSError, MemoryError)
"""Faults of the database or the machine: no series is to blame, and each is tried again."""

log = logger(__name__)


def complete_series(node: Node) -> int:
    """Make the jobs of every series that is complete or whose time is over; returns how many series that were."""
    _bring_back_from_the_future(node)
    with reading(node.engine) as session:
        due = select(SeriesRow.study_uid, SeriesRow.series_uid).where(_due(node.settings, now()))
        uids = session.execute(due.order_by(SeriesRow.last_arrival)).all()
    return sum(_settle_or_quarantine(node, study_uid, series_uid) for study_uid, series_uid in uids)


def _bring_back_from_the_future(node: Node) -> None:
    """News that is later than now was noted before the clock was set back: it is taken to have come now."""
    with reading(node.engine) as session:
        open_series = SeriesRow.state.in_([State.RECEIVED, State.HELD])
        future = select(SeriesRow.series_uid).where(open_series, SeriesRow.last_arrival > now())
        if session.scalar(future.limit(1)) is None:
            return
    with writing(node.engine) as session:
        present = now()
        session.execute(update(SeriesRow).where(SeriesRow.last_arrival > present).values(last_arrival=present))
        log.warning("the clock was set back: what arrived after now is taken to have arrived now")


def _due(settings: Settings, present: datetime) -> ColumnElement[bool]:
    def quiet_for(seconds: float) -> ColumnElement[bool]:
        return SeriesRow.last_arrival <= present - timedelta(seconds=seconds)

    whole = and_(SeriesRow.found >= SeriesRow.expected, SeriesRow.expected_by.in_(CERTAIN))
    return or_(
        and_(SeriesRow.state == State.RECEIVED, quiet_for(settings.quiet_seconds)),
        and_(SeriesRow.state == State.RECEIVED, whole, quiet_for(settings.settle_seconds)),
        and_(SeriesRow.state == State.HELD, quiet_for(settings.incomplete_seconds)),
    )


def _settle_or_quarantine(node: Node, study_uid: str, series_uid: str) -> bool:
    """No series stops the others: one that fails twice (once may be a race for a row) is listed with its fault."""
    fault: Exception
    for _ in range(2):
        try:
            return _settle(node, study_uid, series_uid)
        except OUTAGES:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this series' own
            fault = error
    log.error("a series is quarantined: its jobs cannot be made", series_instance_uid=series_uid, error=fault)
    rows = _images(node, study_uid, series_uid)
    _stand(node, study_uid, series_uid, _Outcome([fault_part(study_uid, series_uid, rows, fault)], others_end=False))
    return True


def _settle(node: Node, study_uid: str, series_uid: str) -> bool:
    """Complete a series, or hold it; whether it is complete."""
    with writing(node.engine) as session:
        series = session.get_one(SeriesRow, (study_uid, series_uid), with_for_update=True)
        tally = count(session, series)
        reason = incomplete(series) if tally.missing else None
        patience = timedelta(seconds=node.settings.incomplete_seconds)
        if reason and series.last_arrival > now() - patience:
            if series.state == State.RECEIVED:
                series.move(State.HELD)
                log.info("a series is incomplete", series_instance_uid=series_uid, reason=reason.text)
            return False
    _complete(node, study_uid, series_uid, tally, reason)
    return True


@dataclass(frozen=True)
class _Outcome:
    """What shall stand for a series, and whether other parts give way to it."""

    parts: list[Part]
    others_end: bool


def _complete(node: Node, study_uid: str, series_uid: str, tally: Tally, reason: Reason | None) -> None:
    _stand(node, study_uid, series_uid, _outcome(node, study_uid, series_uid, tally, reason))


def _stand(node: Node, study_uid: str, series_uid: str, outcome: _Outcome) -> None:
    """Let this outcome stand for the series from now on."""
    here = _images(node, study_uid, series_uid)
    newest = sorted(here.values(), key=lambda row: row.arrived_at, reverse=True)
    file_series(node, study_uid, series_uid, [node.path(row.path) for row in newest])
    with writing(node.engine) as session:
        session.get_one(SeriesRow, (study_uid, series_uid), with_for_update=True).move(State.COMPLETE)
        current = {job.part: job for job in session.scalars(_current(study_uid, series_uid))}
        news = [part for part in outcome.parts if _is_news(part, current.get(part.name))]
        for part in news:
            _add(session, part, current.get(part.name))
        if news:
            note_change(session, study_uid)
        if any(part.job.state == State.QUEUED for part in news):
            want_priors(session, node.settings, study_uid)
        gone = current.keys() - {part.name for part in outcome.parts} if outcome.others_end else set()
        for name in gone:
            _supersede(current[name], news[0].job if news else None)


def _outcome(node: Node, study_uid: str, series_uid: str, tally: Tally, reason: Reason | None) -> _Outcome:
    rows = _images(node, study_uid, series_uid)
    if reason and (node.settings.incomplete_policy == "hold" or tally.by is Source.REMOVED):
        # Earlier results rest on what was there then, and stand.
        return _Outcome([incomplete_part(study_uid, series_uid, rows, reason)], others_end=False)
    found = parts(node, study_uid, series_uid, rows)
    if reason:
        log.warning("an incomplete series goes on as it is", series_instance_uid=series_uid, reason=reason.text)
        for part in found:
            part.job.found, part.job.expected = tally.found, tally.expected
    return _Outcome(found, others_end=True)


def _images(node: Node, study_uid: str, series_uid: str) -> dict[str, InstanceRow]:
    """The images of a series that are here, by SOP Instance UID."""
    with reading(node.engine) as session:
        here = select(InstanceRow).where(
            InstanceRow.study_uid == study_uid,
            InstanceRow.series_uid == series_uid,
            InstanceRow.kind == "image",
            InstanceRow.removal.is_(None),
        )
        rows = {row.sop_uid: row for row in session.scalars(here.order_by(InstanceRow.sop_uid))}
        session.expunge_all()
    return rows


def _current(study_uid: str, series_uid: str) -> Select[Job]:
    """The jobs that stand for the parts of a series; objects that stand for themselves are left out."""
    themselves = [Job.part.startswith(f"{kind}/") for kind in OBJECT_PARTS]
    return (
        select(Job)
        .where(Job.study_uid == study_uid, Job.series_uid == series_uid)
        .where(Job.state != State.SUPERSEDED, not_(or_(*themselves)))
        .with_for_update()
    )


def _is_news(part: Part, current: Job | None) -> bool:
    return current is None or current.input_digest != part.job.input_digest


def _add(session: Session, part: Part, current: Job | None) -> None:
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
        study_instance_uid=job.study_uid,
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
