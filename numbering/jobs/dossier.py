"""One job or delivery in full, pages of deliveries, and the restart of whatever waits for a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import NoResultFound

from numbering.jobs import deliveries
from numbering.jobs.claims import requeue
from numbering.jobs.deliveries import RESTARTABLE
from numbering.jobs.models import Delivery, Job
from numbering.jobs.states import DeliveryState, IllegalTransition, State
from numbering.jobs.store import reading


@dataclass(frozen=True)
class Restarted:
    """What became of asking for another round of attempts."""

    id: str
    restarted: bool
    text: str


def deliveries_page(
    engine: Engine, *, states: Collection[DeliveryState] = (), study: str = "", limit: int = 100, offset: int = 0
) -> list[dict[str, Any]]:
    """Deliveries in these states (any, when there are none) and of this study, oldest first."""
    found = select(Delivery).order_by(Delivery.created_at, Delivery.id).limit(limit).offset(offset)
    if states:
        found = found.where(Delivery.state.in_(states))
    if study:
        found = found.join(Job, Job.id == Delivery.job_id).where(Job.study_uid == study)
    with reading(engine) as session:
        return [_told(delivery) for delivery in session.scalars(found)]


def dossier(engine: Engine, identifier: str) -> dict[str, Any]:
    """A job (by its own identifier or a delivery's) with objects and deliveries; ``LookupError`` when there is none."""
    with reading(engine) as session:
        delivery = session.get(Delivery, identifier)
        job = session.get(Job, delivery.job_id if delivery else identifier)
        if job is None:
            raise LookupError(f"there is no job or delivery {identifier}")
        sent = select(Delivery).where(Delivery.job_id == job.id).order_by(Delivery.created_at, Delivery.id)
        return {
            "job": job.id,
            "study_instance_uid": job.study_uid,
            "series_instance_uid": job.series_uid,
            "part": job.part,
            "revision": job.revision,
            "state": job.state,
            "status": job.status,
            "reason_code": job.reason_code,
            "reason": job.reason_text,
            "attempts": job.attempts,
            "superseded_by": job.superseded_by,
            "created_at": job.created_at.isoformat(timespec="seconds"),
            "changed_at": job.changed_at.isoformat(timespec="seconds"),
            "objects": [{"kind": row.kind, "sop_instance_uid": row.sop_uid, "path": row.path} for row in job.objects],
            "deliveries": [_told(each) for each in session.scalars(sent)],
        }


def waiting_for_a_person(engine: Engine, destination: str = "") -> list[str]:
    """Identifiers of failed jobs, and of deliveries that failed or were not committed to; of one destination alone."""
    with reading(engine) as session:
        jobs = [] if destination else list(session.scalars(select(Job.id).where(Job.state == State.FAILED)))
        sent = select(Delivery.id).where(Delivery.state.in_(RESTARTABLE)).order_by(Delivery.created_at)
        if destination:
            sent = sent.where(Delivery.destination == destination)
        return jobs + list(session.scalars(sent))


def restart(engine: Engine, identifier: str) -> Restarted:
    """Restart a failed job, a delivery, or all deliveries of a job that wait for a person."""
    with reading(engine) as session:
        job = session.get(Job, identifier)
        failed = job is not None and job.state == State.FAILED
        of_job = select(Delivery.id).where(Delivery.job_id == identifier, Delivery.state.in_(RESTARTABLE))
        waiting = list(session.scalars(of_job)) if job is not None else [identifier]
    try:
        if failed:
            return Restarted(identifier, True, f"is {requeue(engine, identifier)} again")
        for delivery in waiting:
            deliveries.restart(engine, delivery)
    except NoResultFound:
        return Restarted(identifier, False, "there is no such job or delivery")
    except IllegalTransition as error:
        return Restarted(identifier, False, f"waits for nobody: {error}")
    if not waiting:
        return Restarted(identifier, False, "neither failed nor has a delivery that did")
    return Restarted(identifier, True, f"{len(waiting)} deliveries are queued again")


def _told(delivery: Delivery) -> dict[str, Any]:
    again = delivery.not_before
    return {
        "id": delivery.id,
        "job": delivery.job_id,
        "sop_instance_uid": delivery.object_uid,
        "destination": delivery.destination,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "answer": delivery.answer,
        "again_at": again.isoformat(timespec="seconds") if again else None,
        "changed_at": delivery.changed_at.isoformat(timespec="seconds"),
    }
