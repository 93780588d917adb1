"""Jobs, deliveries and notices by REST: what they are, and another try for those that wait for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from numbering.jobs import claims, webhooks
from numbering.jobs.models import Delivery, Job, Notice, ObjectRow
from numbering.jobs.states import DeliveryState, IllegalTransition, State
from numbering.jobs.store import reading
from numbering.logs import logger
from numbering.result import Measurement, NumberingResult, Vertebra
from numbering.web.access import may
from numbering.web.answers import (
    DeliveriesAnswer,
    DeliveryAnswer,
    JobAnswer,
    JobsAnswer,
    LevelAnswer,
    MeasurementAnswer,
    NoticeAnswer,
    NoticesAnswer,
    ObjectAnswer,
    OneJobAnswer,
    Restarted,
    StatedReason,
)
from numbering.web.keys import Key, Scope
from numbering.web.pages import PAGE, Before, Limit, page
from numbering.web.state import web_of

log = logger(__name__)
router = APIRouter(prefix="/api/v1", tags=["jobs"])
reader = [Depends(may(Scope.READ))]
Operator = Annotated[Key, Depends(may(Scope.OPERATE))]
Identifier = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.get("/jobs", dependencies=reader)
def jobs(request: Request, state: State | None = None, before: Before = "", limit: Limit = PAGE) -> JobsAnswer:
    """Jobs, newest first; of one state where it is given."""
    with reading(web_of(request).node.engine) as session:
        rows = select(Job) if state is None else select(Job).where(Job.state == state)
        found, following = page(session, rows, Job, before, limit)
        return JobsAnswer(jobs=[JobAnswer(**_job(job)) for job in found], next=following)


@router.get("/jobs/{job}", dependencies=reader)
def one_job(request: Request, job: Identifier) -> OneJobAnswer:
    """A job with what was found, written and sent."""
    with reading(web_of(request).node.engine) as session:
        row = session.get(Job, job)
        if row is None:
            raise HTTPException(404, f"there is no job {job}")
        findings = NumberingResult.model_validate_json(row.result).findings if row.result else None
        sent = session.scalars(select(Delivery).where(Delivery.job_id == job).order_by(Delivery.created_at))
        return OneJobAnswer(
            **_job(row),
            vertebrae=[_level(each) for each in (findings.vertebrae if findings else ())],
            measurements=[_measurement(each) for each in (findings.measurements if findings else ())],
            objects=[_object(each) for each in row.objects],
            deliveries=[_delivery(each) for each in sent],
        )


@router.post("/jobs/{job}/restart")
def restart_job(request: Request, job: Identifier, key: Operator) -> Restarted:
    """Another round of attempts at a failed job; what had been inferred is not inferred again."""
    engine = web_of(request).node.engine
    state = _restarted("job", job, key, lambda: claims.requeue(engine, job))
    return Restarted(state=str(state))


@router.get("/deliveries", dependencies=reader)
def all_deliveries(
    request: Request, state: DeliveryState | None = None, before: Before = "", limit: Limit = PAGE
) -> DeliveriesAnswer:
    """Deliveries, newest first; those that wait for a person are `failed` and `uncommitted`."""
    with reading(web_of(request).node.engine) as session:
        rows = select(Delivery) if state is None else select(Delivery).where(Delivery.state == state)
        found, following = page(session, rows, Delivery, before, limit)
        return DeliveriesAnswer(deliveries=[_delivery(each) for each in found], next=following)


@router.post("/deliveries/{delivery}/restart")
def restart_delivery(request: Request, delivery: Identifier, key: Operator) -> Restarted:
    """Another round of attempts at a delivery that waits for a person."""
    from numbering.jobs import deliveries

    engine = web_of(request).node.engine
    _restarted("delivery", delivery, key, lambda: deliveries.restart(engine, delivery))
    return Restarted(state=DeliveryState.QUEUED.value)


@router.get("/notices", dependencies=reader)
def notices(
    request: Request, state: DeliveryState | None = None, before: Before = "", limit: Limit = PAGE
) -> NoticesAnswer:
    """What webhooks are told, newest first; those that wait for a person are `failed`."""
    with reading(web_of(request).node.engine) as session:
        rows = select(Notice) if state is None else select(Notice).where(Notice.state == state)
        found, following = page(session, rows, Notice, before, limit)
        return NoticesAnswer(notices=[_notice(each) for each in found], next=following)


@router.post("/notices/{notice}/restart")
def restart_notice(request: Request, notice: Identifier, key: Operator) -> Restarted:
    """Another round of attempts at telling a webhook."""
    engine = web_of(request).node.engine
    _restarted("notice", notice, key, lambda: webhooks.restart(engine, notice))
    return Restarted(state=DeliveryState.QUEUED.value)


def _restarted(what: str, row: str, key: Key, again: Callable[[], Any]) -> Any:
    try:
        state = again()
    except NoResultFound:
        raise HTTPException(404, f"there is no {what} {row}") from None
    except IllegalTransition as error:
        raise HTTPException(409, f"this {what} cannot be restarted: {error}") from None
    log.info("restarted by a person", what=what, row=row, key=key.name)
    return state


def _job(job: Job) -> dict[str, Any]:
    reason = StatedReason(code=job.reason_code, text=job.reason_text or "") if job.reason_code else None
    return {
        "job": job.id,
        "study_instance_uid": job.study_uid,
        "series_instance_uid": job.series_uid,
        "modality": job.modality,
        "view": job.view,
        "pipeline": job.pipeline,
        "revision": job.revision,
        "state": job.state,
        "status": job.status,
        "reason": reason,
        "attempts": job.attempts,
        "created_at": job.created_at,
        "changed_at": job.changed_at,
    }


def _level(found: Vertebra) -> LevelAnswer:
    return LevelAnswer(level=found.level, probability=found.probability)


def _measurement(found: Measurement) -> MeasurementAnswer:
    return MeasurementAnswer(
        name=found.name,
        levels=found.levels,
        value=found.value,
        unit=found.unit,
        uncertainty=found.uncertainty,
        reason=found.reason,
    )


def _object(row: ObjectRow) -> ObjectAnswer:
    return ObjectAnswer(kind=row.kind, sop_class_uid=row.sop_class, sop_instance_uid=row.sop_uid)


def _delivery(row: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        delivery=row.id,
        job=row.job_id,
        sop_instance_uid=row.object_uid,
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        answer=row.answer,
        again_at=row.not_before,
        changed_at=row.changed_at,
    )


def _notice(row: Notice) -> NoticeAnswer:
    return NoticeAnswer(
        notice=row.id,
        webhook=row.webhook,
        event=row.event,
        job=row.job_id,
        state=row.state,
        attempts=row.attempts,
        answer=row.answer,
        again_at=row.not_before,
        changed_at=row.changed_at,
    )
