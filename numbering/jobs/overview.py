"""What a node has done and still does, for people: one row for each part of a series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, selectinload

from numbering.errors import Reason, ReasonCode
from numbering.jobs.models import Delivery, InstanceRow, Job, SeriesRow
from numbering.jobs.states import UNFINISHED, DeliveryState, State
from numbering.jobs.store import reading
from numbering.jobs.tally import incomplete
from numbering.result import NumberingResult, Status


@dataclass(frozen=True, kw_only=True)
class Row:
    """One part of a series: its state, what was found, and how far its objects have come.

    ``objects`` are (kind, SOP Instance UID, path as stored); ``delivered`` of ``deliveries`` arrived and
    ``undeliverable`` wait for a person. A series that still arrives has the state ``received`` and no job, one that
    waits for missing instances the state ``held``. ``found`` of ``expected`` instances of the whole series are here
    (None: nobody said how many there are); ``updates`` of them came again with other demographics or encoding.
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

    @property
    def finished(self) -> bool:
        """Nothing more will happen soon; a held part waits for images or for the end of its time."""
        if self.state in (State.RECEIVED, *UNFINISHED):
            return False
        return self.delivered + self.undeliverable == self.deliveries


def overview(engine: Engine, *, superseded: bool = False) -> list[Row]:
    """All rows, oldest first; superseded ones only when asked for."""
    with reading(engine) as session:
        jobs = session.scalars(select(Job).order_by(Job.created_at, Job.part).options(selectinload(Job.objects))).all()
        shown = [job for job in jobs if superseded or job.state != State.SUPERSEDED]
        sent: dict[str, Counter[str]] = {}
        for job_id, state in session.execute(select(Delivery.job_id, Delivery.state)):
            sent.setdefault(job_id, Counter())[state] += 1
        all_series = session.scalars(select(SeriesRow).order_by(SeriesRow.first_arrival)).all()
        arriving = [series for series in all_series if series.state != State.COMPLETE]
        rows = [_row(job, sent.get(job.id, Counter())) for job in shown] + [_arriving(series) for series in arriving]
        return _with_counts(session, rows, all_series)


def _with_counts(session: Session, rows: Sequence[Row], all_series: Sequence[SeriesRow]) -> list[Row]:
    series = {(each.study_uid, each.series_uid): each for each in all_series}
    place = InstanceRow.study_uid, InstanceRow.series_uid
    counted = select(*place, func.count()).where(InstanceRow.kind == "update").group_by(*place)
    updates = {(study, of): number for study, of, number in session.execute(counted)}
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


def _row(job: Job, sent: Counter[str]) -> Row:
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
        deliveries=sent.total(),
        delivered=sent[DeliveryState.DELIVERED],
        undeliverable=sent[DeliveryState.FAILED],
        created_at=job.created_at,
        changed_at=job.changed_at,
    )


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
