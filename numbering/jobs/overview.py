"""What a node has done and still does, for people: one row for each part of a series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import selectinload

from numbering.errors import Reason, ReasonCode
from numbering.jobs.models import Delivery, Job, SeriesRow
from numbering.jobs.states import UNFINISHED, DeliveryState, State
from numbering.jobs.store import reading
from numbering.result import NumberingResult


@dataclass(frozen=True, kw_only=True)
class Row:
    """One part of a series: its state, what was found, and how far its objects have come.

    ``objects`` are (kind, SOP Instance UID, path as stored); ``delivered`` of ``deliveries`` arrived and
    ``undeliverable`` wait for a person. A series that still arrives has the state ``received`` and no job.
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
        arriving = session.scalars(
            select(SeriesRow).where(SeriesRow.state == State.RECEIVED).order_by(SeriesRow.first_arrival)
        ).all()
        return [_row(job, sent.get(job.id, Counter())) for job in shown] + [_arriving(series) for series in arriving]


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
    return Row(
        job=None,
        study_instance_uid=series.study_uid,
        series_instance_uid=series.series_uid,
        modality="",
        view=None,
        pipeline=None,
        state=series.state,
        status=None,
        reason=None,
        revision=0,
        result=None,
        objects=(),
        deliveries=0,
        delivered=0,
        undeliverable=0,
        created_at=series.first_arrival,
        changed_at=series.last_arrival,
    )
