"""Deliveries as rows: which the rules make of a job, when a job has arrived, and what a person may do with failures."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from sqlalchemy import ColumnElement, Engine, and_, not_, or_, select
from sqlalchemy.orm import Session

from numbering.jobs.claims import abandoned, let_go
from numbering.jobs.models import Delivery, DestinationRow, Job, ObjectRow, now
from numbering.jobs.node import Node
from numbering.jobs.states import ARRIVED, DeliveryState, IllegalTransition, State
from numbering.jobs.store import reading, writing
from numbering.logs import logger

RESTARTABLE = (DeliveryState.FAILED, DeliveryState.UNCOMMITTED)
"""Deliveries that wait for a person."""

log = logger(__name__)


def deliveries_of(node: Node, job: Job, objects: Iterable[ObjectRow]) -> list[Delivery]:
    """The deliveries that the rules of the settings make of a job's objects; none where nothing is set."""
    return [
        Delivery(
            id=str(uuid4()),
            object_uid=row.sop_uid,
            job_id=job.id,
            destination=destination.name,
            wants_commitment=destination.commitment,
        )
        for row in objects
        for destination in node.settings.every_destination
        if destination.wants(row.kind, job.status or "", job.pipeline or "")
    ]


def settle(session: Session, job: Job) -> None:
    """Move a locked job as far as its deliveries are: delivered when all arrived, committed when all that ask for
    commitment got it, and back when one has to be sent again. Forgotten ones count for nothing. To be called whenever
    a delivery has moved.
    """
    session.flush()
    remembered = Delivery.job_id == job.id, Delivery.state != DeliveryState.FORGOTTEN
    deliveries = session.scalars(select(Delivery).where(*remembered)).all()
    arrived = bool(deliveries) and all(delivery.state in ARRIVED for delivery in deliveries)
    asking = [delivery for delivery in deliveries if delivery.wants_commitment]
    if job.state == State.ENCODED and arrived:
        job.move(State.DELIVERED)
    elif job.state == State.DELIVERED and not arrived:
        job.move(State.ENCODED)
    if job.state == State.DELIVERED and asking and all(each.state == DeliveryState.COMMITTED for each in asking):
        session.flush()  # webhooks are told of each step, and a flush tells of the last one alone
        job.move(State.COMMITTED)


def unfinished() -> ColumnElement[bool]:
    """A delivery that is not at its end, or asks for commitment and has none."""
    arrived = and_(Delivery.state == DeliveryState.DELIVERED, not_(Delivery.wants_commitment))
    return not_(or_(arrived, Delivery.state.in_([DeliveryState.COMMITTED, DeliveryState.FORGOTTEN])))


def restart(engine: Engine, delivery_id: str) -> DeliveryState:
    """A person asks for another round of attempts at a failed or uncommitted delivery.

    ``NoResultFound`` when there is none of this identifier; `IllegalTransition` when it waits for nobody.
    """
    with writing(engine) as session:
        job_id = session.scalars(select(Delivery.job_id).where(Delivery.id == delivery_id)).one()
        job = session.get_one(Job, job_id, with_for_update=True)
        delivery = session.get_one(Delivery, delivery_id, with_for_update=True)
        if delivery.state not in RESTARTABLE:
            raise IllegalTransition(delivery.state, DeliveryState.QUEUED)
        delivery.commitment_attempts = 0
        send_again(session, job, delivery)
        return DeliveryState(delivery.state)


def send_again(session: Session, job: Job, delivery: Delivery) -> None:
    """Queue a delivery once more; both rows are locked."""
    delivery.move(DeliveryState.QUEUED)
    let_go(delivery)
    delivery.attempts, delivery.transaction_uid = 0, None
    settle(session, job)


def take_back(session: Session) -> None:
    """Deliveries whose lease ran out, or whose worker died on this machine, wait again."""
    sending = select(Delivery).where(Delivery.state == DeliveryState.SENDING)
    for delivery in session.scalars(sending.with_for_update(skip_locked=True)):
        if abandoned(delivery):
            let_go(delivery)
            delivery.move(DeliveryState.QUEUED)
            log.warning("took a delivery back from a worker that is gone", job=delivery.job_id)


def work_waits(engine: Engine, name: str) -> bool:
    """Whether at this destination, unless it is left alone just now, something is to be sent or asked for."""
    queued = Delivery.state == DeliveryState.QUEUED
    due = or_(Delivery.not_before.is_(None), Delivery.not_before <= now())
    to_commit = (Delivery.state == DeliveryState.DELIVERED) & Delivery.wants_commitment & due
    with reading(engine) as session:
        row = session.get(DestinationRow, name)
        if row is not None and row.not_before is not None:
            return row.not_before <= now()
        here = select(Delivery.id).where(Delivery.destination == name).limit(1)
        # One after the other: with "or", SQLite looks at every delivery that this destination ever got.
        return any(session.scalar(here.where(waits)) is not None for waits in (queued & due, to_commit))
