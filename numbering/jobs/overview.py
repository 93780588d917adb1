"""What a node has done and still does, for people: one row for each part of a series."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import Session, selectinload

from numbering.errors import Reason, ReasonCode
from numbering.jobs.models import Delivery, InstanceRow, Job, SeriesRow
from numbering.jobs.states import ARRIVED, UNFINISHED, DeliveryState, State
from numbering.jobs.store import reading
from numbering.jobs.tally import incomplete
from numbering.result import NumberingResult, Status

AT_ONCE = 500
"""Values in one query's list."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One part of a series: its state, what was found, and how far its objects have come.

    ``objects`` are (kind, SOP Instance UID, path as stored); ``delivered`` of ``deliveries`` arrived,
    ``awaiting_commitment`` of these are still to be committed to, ``undeliverable`` wait for a person and ``forgotten``
    were given up by one. ``waits_for`` names the destinations of those that are not at their end. A series
    that still arrives has the state ``received`` and no job, one that waits for missing instances the state ``held``.
    ``found`` of ``expected`` instances of the whole series are here (None: nobody said how many there are);
    ``updates`` of them came again with other demographics or encoding.
    """

    job: str | None
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    view: str | None
    pipeline: str | None
    state: str
    status: str | None
    reason: Reason | None
    revision: int
    result: NumberingResult | None
    objects: tuple[tuple[str, str, str], ...]
    deliveries: int
    delivered: int
    undeliverable: int
    created_at: datetime
    changed_at: datetime
    found: int | None = None
    expected: int | None = None
    updates: int = 0
    awaiting_commitment: int = 0
    forgotten: int = 0
    waits_for: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Nothing more will happen soon; a held part waits for images or for the end of its time."""
        if self.state in (State.RECEIVED, *UNFINISHED):
            return False
        return self.delivered - self.awaiting_commitment + self.undeliverable + self.forgotten == self.deliveries


def overview(
    engine: Engine,
    *,
    superseded: bool = False,
    states: Collection[State] = (),
    study: str = "",
    since: datetime | None = None,
    limit: int = 0,
    offset: int = 0,
) -> list[Row]:
    """Rows, oldest first: jobs, then series that still arrive; superseded jobs only when asked for.

    Only those in one of these ``states`` (any, when there are none), of this study, changed since then; of these at
    most ``limit`` (0: all), ``offset`` left out. So much and no more is read from the database.
    """
    with reading(engine) as session:
        jobs = select(Job).order_by(Job.created_at, Job.part, Job.id).options(selectinload(Job.objects))
        if states:
            jobs = jobs.where(Job.state.in_(states))
        elif not superseded:
            jobs = jobs.where(Job.state != State.SUPERSEDED)
        if since is not None:
            jobs = jobs.where(Job.changed_at >= since)
        if study:
            jobs = jobs.where(Job.study_uid == study)
        shown = session.scalars(_page(jobs, limit, offset)).all()
        rows = [_row(job, sent) for job, sent in _with_deliveries(session, shown)]
        if not limit or len(rows) < limit:
            earlier = session.scalar(select(func.count()).select_from(jobs.order_by(None).subquery())) or 0
            left = limit - len(rows) if limit else 0
            rows += _arriving_rows(session, states, study, since, left, max(0, offset - earlier))
        return _with_counts(session, rows)


def _page(query: Select[Any], limit: int, offset: int) -> Select[Any]:
    query = query.offset(offset) if offset else query
    return query.limit(limit) if limit else query


def _with_deliveries(session: Session, jobs: Sequence[Job]) -> Iterator[tuple[Job, list[Delivery]]]:
    sent: dict[str, list[Delivery]] = {}
    for part in range(0, len(jobs), AT_ONCE):
        ids = [job.id for job in jobs[part : part + AT_ONCE]]
        for delivery in session.scalars(select(Delivery).where(Delivery.job_id.in_(ids))):
            sent.setdefault(delivery.job_id, []).append(delivery)
    for job in jobs:
        yield job, sent.get(job.id, [])


def _arriving_rows(
    session: Session, states: Collection[State], study: str, since: datetime | None, limit: int, offset: int
) -> list[Row]:
    series = select(SeriesRow).where(SeriesRow.state != State.COMPLETE)
    if states:
        series = series.where(SeriesRow.state.in_(states))
    if study:
        series = series.where(SeriesRow.study_uid == study)
    if since is not None:
        series = series.where(SeriesRow.last_arrival >= since)
    ordered = series.order_by(SeriesRow.first_arrival, SeriesRow.study_uid, SeriesRow.series_uid)
    return [_arriving(each) for each in session.scalars(_page(ordered, limit, offset))]


def _with_counts(session: Session, rows: Sequence[Row]) -> list[Row]:
    studies = sorted({row.study_instance_uid for row in rows})
    series: dict[tuple[str, str], SeriesRow] = {}
    updates: dict[tuple[str, str], int] = {}
    place = InstanceRow.study_uid, InstanceRow.series_uid
    for part in range(0, len(studies), AT_ONCE):
        some = studies[part : part + AT_ONCE]
        found = session.scalars(select(SeriesRow).where(SeriesRow.study_uid.in_(some)))
        series |= {(each.study_uid, each.series_uid): each for each in found}
        counted = select(*place, func.count()).where(InstanceRow.kind == "update", InstanceRow.study_uid.in_(some))
        updates |= {(study, of): number for study, of, number in session.execute(counted.group_by(*place))}
    return [
        replace(
            row,
            found=series[at].found if at in series else None,
            expected=series[at].expected if at in series else None,
            updates=updates.get(at, 0),
        )
        for row in rows
        for at in [(row.study_instance_uid, row.series_instance_uid)]
    ]


def waiting(rows: Sequence[Row]) -> bool:
    """Whether anything is still to come."""
    return any(not row.finished for row in rows)


def _row(job: Job, deliveries: Sequence[Delivery]) -> Row:
    reason = Reason(ReasonCode(job.reason_code), job.reason_text or "") if job.reason_code else None
    return Row(
        job=job.id,
        study_instance_uid=job.study_uid,
        series_instance_uid=job.series_uid,
        modality=job.modality,
        view=job.view,
        pipeline=job.pipeline,
        state=job.state,
        status=job.status,
        reason=reason,
        revision=job.revision,
        result=NumberingResult.model_validate_json(job.result) if job.result else None,
        objects=tuple((row.kind, row.sop_uid, row.path) for row in job.objects),
        deliveries=len(deliveries),
        delivered=sum(each.state in ARRIVED for each in deliveries),
        undeliverable=sum(each.state == DeliveryState.FAILED for each in deliveries),
        awaiting_commitment=sum(each.state == DeliveryState.DELIVERED and each.wants_commitment for each in deliveries),
        forgotten=sum(each.state == DeliveryState.FORGOTTEN for each in deliveries),
        waits_for=tuple(sorted({each.destination for each in deliveries if _waits(each)})),
        created_at=job.created_at,
        changed_at=job.changed_at,
    )


def _waits(delivery: Delivery) -> bool:
    """What `numbering.jobs.deliveries.unfinished` asks of a row in the database."""
    if delivery.state == DeliveryState.DELIVERED:
        return delivery.wants_commitment
    return delivery.state not in (DeliveryState.COMMITTED, DeliveryState.FORGOTTEN)


def _arriving(series: SeriesRow) -> Row:
    held = series.state == State.HELD
    return Row(
        job=None,
        study_instance_uid=series.study_uid,
        series_instance_uid=series.series_uid,
        modality="",
        view=None,
        pipeline=None,
        state=series.state,
        status=Status.HELD.value if held else None,
        reason=incomplete(series) if held else None,
        revision=0,
        result=None,
        objects=(),
        deliveries=0,
        delivered=0,
        undeliverable=0,
        created_at=series.first_arrival,
        changed_at=series.last_arrival,
    )
